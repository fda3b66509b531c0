// Why a run failed, as the person sees it who has to mend it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { plainOrigin, type Run } from "../core/run.ts";
import { action, failed } from "./actions.fixture.ts";
import { failureLines, userFrames } from "./failure-text.ts";
import { noPaint } from "./terminal.ts";

const run = (projectDir: string, createdAtMs: number): Run => ({
  id: 1,
  project: "default",
  domain: "development",
  name: "nightly",
  task: "penguins.train",
  bundle: "x",
  source: { file: join(projectDir, "pipeline.ts"), projectDir },
  phase: "failed",
  createdAtMs,
  updatedAtMs: createdAtMs,
  endedAtMs: createdAtMs,
  caller: "me",
  owner: null,
  abortReason: null,
  recovers: null,
  overwriteCache: false,
  priority: 0,
  maxConcurrency: null,
  labels: {},
  origin: plainOrigin(createdAtMs),
  revision: 1,
});

function lines(createdAtMs: number): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), "godwit-cli-"));
  try {
    writeFileSync(join(directory, "pipeline.ts"), "const a = 1;\nconst b = a.c.d;\nexport {};\n");
    const error = {
      ...failed.error,
      location: { file: "pipeline.ts", line: 2, column: 13 },
      stack: `TypeError: x\n    at fit (${directory}/model.ts:3:2)\n    at train (${directory}/pipeline.ts:2:13)\n    at node:internal/process:1:1`,
    };
    return failureLines(
      run(directory, createdAtMs),
      { error, action: action("cccccccc", "a0", failed), callers: ["main", "sweep"] },
      { cwd: directory, width: 100, paint: noPaint },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("the task, the action, the attempt, the place, the line itself and the user's own frames are told", () => {
  assert.deepEqual(lines(Date.now() + 60_000), [
    "error: train failed: TypeError: x is not a function",
    "  task train, action cccccccc, attempt 1, run nightly",
    "  called by main › sweep",
    "  at pipeline.ts:2:13",
    "",
    "    1 │ const a = 1;",
    "  > 2 │ const b = a.c.d;",
    "      │             ^",
    "    3 │ export {};",
    "    4 │",
    "",
    "    at fit (model.ts:3:2)",
    "    at train (pipeline.ts:2:13)",
    "  next: godwit logs nightly cccccccc",
    "        godwit rerun nightly --recover   (after mending it: keeps what has succeeded)",
  ]);
});

test("a file that was edited after the run is not quoted", () => {
  assert.ok(!lines(0).some((line) => line.includes("│")));
});

test("frames of Node, of packages and of Godwit itself are left out", () => {
  const own = import.meta.filename.replace(/src.*/, "src/worker/attempt.ts");
  const stack = `E: x\n at f (/p/a.ts:1:1)\n at g (/p/node_modules/zod/i.js:1:1)\n at h (node:fs:1:1)\n at k (${own}:1:1)`;
  assert.deepEqual(userFrames(stack), ["at f (/p/a.ts:1:1)"]);
});
