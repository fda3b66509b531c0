// Calls join their callers' traces, and hand on the span that they became.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, propagation, type Span, trace } from "@opentelemetry/api";
import { traced } from "./tracing.ts";

const ended: string[] = [];

/** As an SDK would, with the one propagator that matters here. */
before(() => {
  propagation.setGlobalPropagator({
    inject: (from, into, { set }) => set(into, "traceparent", `of ${trace.getSpanContext(from)?.spanId}`),
    extract: (into, from, { get }) =>
      trace.setSpanContext(into, { traceId: String(get(from, "traceparent")), spanId: "caller", traceFlags: 1 }),
    fields: () => ["traceparent"],
  });
  trace.setGlobalTracerProvider({
    getTracer: () =>
      ({
        startSpan: (name: string, _options: unknown, parent: Parameters<typeof trace.getSpanContext>[0]) =>
          ({
            spanContext: () => ({ traceId: trace.getSpanContext(parent)?.traceId, spanId: "call", traceFlags: 1 }),
            setAttribute: (_key: string, value: string) => ended.push(value),
            setStatus: () => {},
            end: () => ended.push(`${name} in ${trace.getSpanContext(parent)?.traceId}`),
          }) as unknown as Span,
      }) as never,
  });
});
after(() => {
  propagation.disable();
  trace.disable();
  context.disable();
});

test("a call is a span of the caller's trace, and whoever handles it finds that span in its header", () => {
  const headers = new Headers({ traceparent: "caller's trace" });
  const call = traced({ service: "S", method: "M", headers });
  assert.equal(
    call.run(() => headers.get("traceparent")),
    "of call",
  );
  call.end("not_found");
  assert.deepEqual(ended, ["not_found", "S/M in caller's trace"]);
});
