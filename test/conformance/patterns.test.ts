// Ways of writing tasks that people have in Flyte's SDK; all the runs go on at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("more memory for another try, the first of several, streams, traces that yield, objects within objects", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  assert.deepEqual(await server.program("patterns.py"), {
    objects: "({'depth': 1, 'name': 'x'}, b'\\x00\\xff', Right(y='z'), (3, 't'))",
    files_within: "item [Left(x=1)] Right(y='o')",
    downloads: "streamed['a', 'b']",
    partially: "[10, 11, 12, 13, 14]",
    more_memory: "again 40",
    traces: "[0, 1, 2] 6",
    first_of: "[2]",
    tabs: "told",
    frames_within: "3",
    report: true,
  });
});
