// Restate as a system: its server, and one process with its SDK that serves the services and asks for them.
// A task is a call of another service, a step is `ctx.run`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Context,
  type LoggerTransport,
  RestatePromise,
  serve as serveServices,
  service,
} from "@restatedev/restate-sdk";
import { connect } from "@restatedev/restate-sdk-clients";
import { inputsOf, type Span, sumOf } from "../program.ts";
import { serve } from "../system.ts";
import { freePort } from "./postgres.ts";
import { openRestateServer } from "./restate-server.ts";

const calls = service({
  name: "calls",
  handlers: { one: async (_ctx: Context, x: number): Promise<number> => x + 1 },
});

const call = (ctx: Context, { kind }: Span, x: number) =>
  kind === "task" ? ctx.serviceClient<typeof calls>({ name: "calls" }).one(x) : ctx.run("one", () => x + 1);

const parents = service({
  name: "parents",
  handlers: {
    chain: async (ctx: Context, span: Span): Promise<number> => {
      let sum = 0;
      for (const x of inputsOf(span)) sum += await call(ctx, span, x);
      return sum;
    },
    fan: async (ctx: Context, span: Span): Promise<number> =>
      sumOf(await RestatePromise.all(inputsOf(span).map((x) => call(ctx, span, x)))),
  },
});

// A line for each call, which it prints by default, is not part of the work.
const logger: LoggerTransport = ({ level }, ...words) => {
  if (level === "warn" || level === "error") console.error(level, ...words);
};

await serve(async (dir) => {
  const server = await openRestateServer(dir);
  const port = await freePort();
  await serveServices({ services: [calls, parents], port, logger });
  await server.register(`http://127.0.0.1:${port}`);
  const client = connect({ url: server.ingressUrl }).serviceClient<typeof parents>({ name: "parents" });
  const manifest = join(import.meta.dirname, "node_modules/@restatedev/restate-sdk/package.json");
  return {
    program: { chain: async (span) => client.chain(span), fan: async (span) => client.fan(span) },
    words: {
      version: `${server.version}, SDK ${JSON.parse(readFileSync(manifest, "utf8")).version}`,
      acknowledges: "a call is answered when its result is in the server's replicated log, here of one node",
      syncs: `the log's RocksDB WAL, in batches; in force: ${server.settings.join(", ")}`,
      concurrency:
        "N requests at once to a parent service, each calling another service (or ctx.run) one after another, all served by one Node process; fan-out: RestatePromise.all over all calls of one parent",
    },
    close: () => server.close(),
  };
});
