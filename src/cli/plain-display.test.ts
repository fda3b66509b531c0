// What pipes and CI get to see.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { Action } from "../core/action.ts";
import { action, failed, running, succeeded } from "./actions.fixture.ts";
import { PlainDisplay } from "./plain-display.ts";
import { RunTree } from "./run-tree.ts";
import { noNotes } from "./tree-lines.ts";

function shown(actions: readonly Action[]): readonly string[] {
  const screen = new PassThrough();
  const tree = new RunTree();
  const display = new PlainDisplay(screen, { run: "nightly", tree, notes: () => noNotes, nowMs: () => 0 });
  for (const each of actions) {
    const change = tree.apply(each);
    if (change !== null) display.change(change);
  }
  display.end();
  const text = String(screen.read() ?? "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^ *0ms {2}/, ""));
}

const root = action("a0", null, { label: "main", ...running });

test("a line for each start and end, and none for what only waits its turn", () => {
  const lines = shown([
    root,
    action("cccccccc", "a0"),
    action("cccccccc", "a0", running),
    action("cccccccc", "a0", succeeded),
  ]);
  assert.deepEqual(lines, ["⟳ main started", "⟳ train cccccccc started", "✓ train cccccccc succeeded in 1.2s"]);
});

test("a cached result, a failure and a retry say so", () => {
  const retried = { ...failed, phase: "queued", endedAtMs: null } as const;
  const lines = shown([
    root,
    action("hit", "a0", { ...succeeded, cacheStatus: "hit" }),
    action("bad", "a0", running),
    action("bad", "a0", retried),
    action("bad", "a0", { ...running, attempt: 2 }),
    action("bad", "a0", { ...failed, attempt: 2 }),
  ]);
  assert.deepEqual(lines.slice(1), [
    "✓ train hit cached",
    "⟳ train bad started",
    "· train bad failed, retry 1 follows: TypeError: x is not a function",
    "⟳ train bad started, attempt 2",
    "✗ train bad failed after 500ms: TypeError: x is not a function",
  ]);
});

test("an attempt that ran out of memory is told, with what follows", () => {
  const more = { ...failed, phase: "queued", endedAtMs: null, oomFailures: 1, userFailures: 0 } as const;
  const lines = shown([root, action("big", "a0", running), action("big", "a0", more)]);
  assert.match(lines.at(-1) ?? "", /^· train big tries again with more memory: /);
});

test("a condition says how to answer it", () => {
  const lines = shown([root, action("cond", "a0", { type: "condition", label: "approve", phase: "paused" })]);
  assert.equal(lines[1], "◆ approve cond waits for a signal. Answer with: godwit signal nightly approve VALUE");
});

test("100,000 calls give a few lines and a summary, and no failure is crowded out", () => {
  const many = Array.from({ length: 100_000 }, (_, index) => [
    action(`c${index}`, "a0", running),
    action(`c${index}`, "a0", index === 99_999 ? failed : succeeded),
  ]).flat();
  const lines = shown([root, ...many]);
  assert.ok(lines.length < 60, `${lines.length} lines`);
  assert.ok(lines.some((line) => line.startsWith("✗ train c99999 failed")));
  assert.equal(lines.at(-1), "  train ×100,000: 99,999 succeeded, 1 failed");
});

test("groups of one label under many parents are summed up in one line", () => {
  const parents = Array.from({ length: 30 }, (_, index) => `p${index}`);
  const lines = shown([
    root,
    ...parents.map((name) => action(name, "a0", { label: "outer", ...running })),
    ...parents.flatMap((name) =>
      Array.from({ length: 40 }, (_, index) => action(`${name}-${index}`, name, { ...running, depth: 2 })),
    ),
  ]);
  const sums = lines.filter((line) => line.includes("×"));
  assert.deepEqual(sums, ["  outer ×30: 30 running", "  train ×1,200: 1,200 running"]);
});
