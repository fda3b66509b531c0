// The drawn tree, line by line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRetries } from "../core/retry.ts";
import { action, failed, running, succeeded } from "./actions.fixture.ts";
import { RunTree } from "./run-tree.ts";
import { noPaint } from "./terminal.ts";
import { visibleWidth } from "./text.ts";
import { noNotes, type TreeNotes, treeLines } from "./tree-lines.ts";

const view = (change: { width?: number; height?: number; notes?: TreeNotes } = {}) => ({
  run: "nightly",
  width: 100,
  height: 30,
  nowMs: 3_000,
  isMoving: true,
  paint: noPaint,
  notes: noNotes,
  ...change,
});

function small(): RunTree {
  const tree = new RunTree();
  tree.apply(action("a0", null, { label: "main", ...running }));
  tree.apply(action("aaaaaaaa", "a0", { label: "clean", ...succeeded }));
  tree.apply(action("bbbbbbbb", "a0", { label: "split", ...succeeded, cacheStatus: "hit" }));
  tree.apply(action("cccccccc", "a0", failed));
  tree.apply(action("dddddddd", "aaaaaaaa", { label: "read", ...succeeded, phase: "recovered" }));
  return tree;
}

test("a tree shows who called whom, how long it took, and what was reused", () => {
  assert.deepEqual(treeLines(small(), view()), [
    "⠋ main  3.0s",
    "├─ ✓ clean aaaaaaaa  1.2s",
    "│  └─ ↻ read dddddddd  recovered",
    "├─ ✓ split bbbbbbbb  cached",
    "└─ ✗ train cccccccc  500ms  TypeError: x is not a function",
  ]);
});

test("a retry says which it is and how many there may be", () => {
  const tree = new RunTree();
  tree.apply(action("a0", null, { ...failed, phase: "queued", endedAtMs: null, userFailures: 2, readyAtMs: 5_000 }));
  const retries = new Map([["train", { ...defaultRetries, user: 3 }]]);
  assert.match(treeLines(tree, view({ notes: { ...noNotes, retries } }))[0] ?? "", /retry 2\/3 in 2\.0s {2}TypeError/);
});

test("what is queued says what it waits for, and one member of a group says so for all", () => {
  const tree = new RunTree();
  tree.apply(action("a0", null, { label: "main", ...running }));
  tree.apply(action("big", "a0", { label: "big" }));
  tree.apply(action("small", "a0", { label: "small" }));
  for (let index = 0; index < 20; index++) tree.apply(action(`many${index}`, "a0", { label: "many" }));
  const waits = new Map([
    ["big", "waits for 2 GPUs (1 of 4 free)"],
    ["many3", "waits for task limit: 2 of demo.many run"],
  ]);
  assert.deepEqual(treeLines(tree, view({ notes: { ...noNotes, waits } })).slice(1), [
    "├─ · big big  waits for 2 GPUs (1 of 4 free)",
    "├─ · small small  queued",
    "└─ · many ×20  20 queued  waits for task limit: 2 of demo.many run",
  ]);
});

test("a condition shows what it asks and the command that answers it", () => {
  const tree = new RunTree();
  tree.apply(action("a0", null, { type: "condition", label: "approve", phase: "paused" }));
  const prompts = new Map([["a0", { text: "Ship it? (boolean)", example: "true" }]]);
  const [asks, answer] = treeLines(tree, view({ notes: { ...noNotes, prompts } }));
  assert.match(asks ?? "", /◆ approve {2}Ship it\? \(boolean\)$/);
  assert.equal(answer, "  → godwit signal nightly approve true");
});

test("many calls of one task are one line, with those that failed or run below it", () => {
  const tree = new RunTree();
  tree.apply(action("a0", null, { label: "main", ...running }));
  for (let index = 0; index < 10_000; index++) {
    const outcome = index < 2 ? failed : index < 9_990 ? succeeded : running;
    tree.apply(action(`c${index}`, "a0", outcome));
  }
  const lines = treeLines(tree, view());
  assert.equal(lines[1], "└─ ⠋ train ×10,000  9,988 succeeded, 10 running, 2 failed");
  assert.equal(lines.filter((line) => line.includes("✗")).length, 2);
  assert.ok(lines.length <= 8);
});

test("nothing is wider or higher than the terminal, whatever has to go", () => {
  const tree = small();
  for (let index = 0; index < 60; index++)
    tree.apply(action(`n${index}`, "a0", { label: `step number ${index}`, ...running }));
  for (const height of [4, 10, 40]) {
    const lines = treeLines(tree, view({ width: 30, height }));
    assert.ok(lines.length <= height, `${lines.length} lines of ${height}`);
    assert.ok(lines.every((line) => visibleWidth(line) <= 30));
  }
});

test("what has ended makes room for what runs", () => {
  const tree = new RunTree();
  tree.apply(action("a0", null, { label: "main", ...running }));
  tree.apply(action("done", "a0", { label: "clean", ...succeeded }));
  for (let index = 0; index < 10; index++) tree.apply(action(`d${index}`, "done", succeeded));
  tree.apply(action("now", "a0", { label: "report", ...running }));
  const lines = treeLines(tree, view({ height: 5 }));
  assert.deepEqual(
    lines.map((line) => line.replace(/ {2}.*/, "")),
    ["⠋ main", "├─ ✓ clean done", "└─ ⠋ report now"],
  );
});
