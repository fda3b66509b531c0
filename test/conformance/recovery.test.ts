// Attempts that are tried again, runs that are done again, and runs that go on where another has failed.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../project.ts";
import { flyteServer } from "./server.ts";

test("what has succeeded is not done twice: by an attempt after another, or by a run that recovers one", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const { relation, ...seen } = (await server.program("recovery.py")) as Record<string, unknown>;
  const failed = ["fragile 7", "leaf 2", "leaf 3", "measured 2"];
  assert.deepEqual(seen, {
    // What it did before it was killed counts, but for what failed, or returned nothing: that SDK does it again.
    traced: [
      "ActionPhase.SUCCEEDED",
      [3, 7],
      ["caught no 6", "caught no 6", "leaf 6", "measured 6", "refused 6", "refused 6", "silent 6", "silent 6"],
    ],
    kinds: [
      "task ActionPhase.SUCCEEDED",
      "task ActionPhase.SUCCEEDED",
      "trace ActionPhase.FAILED",
      "trace ActionPhase.SUCCEEDED",
      "trace ActionPhase.SUCCEEDED",
    ],
    failed: ["ActionPhase.FAILED", failed],
    rerun: ["ActionPhase.FAILED", failed],
    recovered: ["ActionPhase.SUCCEEDED", 71, ["fragile 7", "measured 2"]],
    phases: [
      "fragile ActionPhase.SUCCEEDED",
      "leaf ActionPhase.RECOVERED",
      "leaf ActionPhase.RECOVERED",
      "pipeline ActionPhase.SUCCEEDED",
      "trace ActionPhase.SUCCEEDED",
    ],
    forced: ["ActionPhase.SUCCEEDED", ["fragile", "leaf", "measured"]],
    chained: ["ActionPhase.SUCCEEDED", ["measured 2"]],
    changed: ["ActionPhase.SUCCEEDED", 91, ["fragile", "leaf", "leaf", "measured"]],
  });
  assert.match(String(relation), /RELATION_TYPE_RECOVER/);
});

test("a run outlives its server: a client that waits for it sees it succeed, and nothing was done twice", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const journal = join(server.dir, "interrupted");
  const program = server.program("interrupted.py");
  const isSlow = (): boolean => existsSync(journal) && readFileSync(journal, "utf8").includes("slow");
  await until(isSlow, "the slow task has begun", 120_000);
  await server.replace();
  writeFileSync(`${journal}.open`, "");
  assert.deepEqual(await program, {
    phase: "ActionPhase.SUCCEEDED",
    output: 3,
    journal: ["step", "quick", "slow", "slow"],
    attempts: { "interrupted.whole": 2, null: 1, "interrupted.quick": 1, "interrupted.slow": 2 },
  });
});
