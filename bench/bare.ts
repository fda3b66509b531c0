// The bare engine as a system: see bare-engine.ts for what it leaves out.
import { openBareEngine } from "./bare-engine.ts";
import { inputsOf, sumOf } from "./program.ts";
import { serve } from "./system.ts";

await serve(async (dir) => {
  const engine = openBareEngine(dir);
  return {
    program: {
      chain: async ({ from, count }) => {
        let sum = 0;
        for (let x = from; x < from + count; x++) sum += await engine.call(x);
        return sum;
      },
      fan: async (span) => sumOf(await Promise.all(inputsOf(span).map((x) => engine.call(x)))),
    },
    words: {
      version: `node:sqlite ${process.versions.sqlite ?? ""}`,
      acknowledges: "a call is answered when its output is committed and synced; its input was before it was sent",
      syncs:
        "SQLite, WAL, synchronous=FULL: one fdatasync a commit, two commits a call; calls of one moment share them",
      concurrency: "N loops in the process of the database, one worker process; parents are not recorded",
    },
    close: async () => engine.close(),
  };
});
