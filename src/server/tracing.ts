// A span for each call, as a child of the caller's. Without an OpenTelemetry SDK, which the operator registers
// (docs/server.md), the API does nothing and costs nothing.
//
// R1  Whoever handles the call finds in its header `traceparent` the span of the call itself, so that what is
//     begun by it (a run) can carry it on.
import { context, propagation, SpanKind, SpanStatusCode, type TextMapGetter, trace } from "@opentelemetry/api";
import type { Around } from "./rpc.ts";

const ofHeaders: TextMapGetter<Headers> = {
  get: (headers, name) => headers.get(name) ?? undefined,
  keys: (headers) => [...headers.keys()],
};

export const traced: Around = ({ service, method, headers }) => {
  const parent = propagation.extract(context.active(), headers, ofHeaders);
  const span = trace.getTracer("godwit").startSpan(
    `${service}/${method}`,
    {
      kind: SpanKind.SERVER,
      attributes: { "rpc.system": "connect_rpc", "rpc.service": service, "rpc.method": method },
    },
    parent,
  );
  const own = trace.setSpan(parent, span);
  // R1.
  propagation.inject(own, headers, { set: (into, name, value) => into.set(name, value) });
  return {
    run: (work) => context.with(own, work),
    end: (code) => {
      if (code !== "ok") {
        span.setAttribute("rpc.connect_rpc.error_code", code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      }
      span.end();
    },
  };
};
