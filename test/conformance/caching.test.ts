// The cache, as tasks of Flyte's SDK ask for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("results are found again across runs, and are not where version, input or wish are others", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  assert.deepEqual(await server.program("caching.py"), {
    first: [
      [2, 2, 2, 1],
      ["automatic 1", "ignoring 1 1", "kept 1"],
    ],
    second: [[2, 2, 2, 1], []],
    overwritten: [
      [2, 2, 3, 1],
      ["automatic 1", "ignoring 1 1", "ignoring 1 2", "kept 1"],
    ],
    "other input": [
      [3, 3, 3, 2],
      ["automatic 2", "ignoring 2 1", "kept 2"],
    ],
    root: [6, ["kept 5"]],
    "root again": [6, []],
    "other version": [6, ["kept 5"]],
    "not asked": [6, ["kept 5"]],
    "in a project": [6, []],
    together: [[1, 1, 1], ["once 1"]],
    "short lived": [1, ["short lived 1"]],
    "short lived again": [1, ["short lived 1"]],
    "young enough": [1, []],
    "however old": [1, []],
    // 2: a hit.
    statuses: [
      "caching.automatic ActionPhase.SUCCEEDED 2",
      "caching.calls ActionPhase.SUCCEEDED 0",
      "caching.ignoring ActionPhase.SUCCEEDED 2",
      "caching.ignoring ActionPhase.SUCCEEDED 2",
      "caching.kept ActionPhase.SUCCEEDED 2",
    ],
  });
});
