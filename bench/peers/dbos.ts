// DBOS Transact as a system: one process with the library, as its documents have it, and a Postgres of its
// own. A task is a child workflow, a step is a step.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DBOS } from "@dbos-inc/dbos-sdk";
import { inputsOf, type Span, sumOf } from "../program.ts";
import { serve } from "../system.ts";
import { openPostgres } from "./postgres.ts";

const one = DBOS.registerWorkflow(async (x: number): Promise<number> => x + 1, { name: "one" });

// A registered workflow that is called in a workflow is a child workflow. So it is with `startWorkflow` and
// `getResult`, and with a queue; those were tried, and are slower, by a quarter and by a half.
const call = ({ kind }: Span, x: number): Promise<number> =>
  kind === "task" ? one(x) : DBOS.runStep(async () => x + 1, { name: "one" });

const chain = DBOS.registerWorkflow(
  async (span: Span): Promise<number> => {
    let sum = 0;
    for (const x of inputsOf(span)) sum += await call(span, x);
    return sum;
  },
  { name: "chain" },
);

const fan = DBOS.registerWorkflow(
  async (span: Span): Promise<number> => sumOf(await Promise.all(inputsOf(span).map((x) => call(span, x)))),
  { name: "fan" },
);

await serve(async (dir) => {
  const postgres = await openPostgres(dir);
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: postgres.url, logLevel: "warn" });
  await DBOS.launch();
  const manifest = join(import.meta.dirname, "node_modules/@dbos-inc/dbos-sdk/package.json");
  return {
    program: { chain: (span) => chain(span), fan: (span) => fan(span) },
    words: {
      version: `${JSON.parse(readFileSync(manifest, "utf8")).version} on Postgres ${postgres.version}`,
      acknowledges: "a call is answered when its output is committed in Postgres; its input was before it began",
      syncs: `Postgres's WAL at each commit, with group commit; in force: ${postgres.settings.join(", ")}`,
      concurrency:
        "N parent workflows at once, each calling child workflows (or steps) one after another, in one Node process with DBOS's own pool of connections; fan-out: Promise.all over all calls of one parent",
    },
    close: async () => {
      await DBOS.shutdown();
      await postgres.close();
    },
  };
});
