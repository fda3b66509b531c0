// What a watcher keeps, and that it stays little.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase } from "../core/action.ts";
import { action, failed, running, succeeded } from "./actions.fixture.ts";
import { maxNodes, RunTree } from "./run-tree.ts";

const root = action("a0", null, { label: "main", ...running });

function group(tree: RunTree, label: string) {
  const found = tree.root?.groups.get(label);
  assert.ok(found);
  return found;
}
const counts = (tree: RunTree, label = "train") =>
  Object.fromEntries([...group(tree, label).counts].filter(([, count]) => count > 0)) as { [phase in Phase]?: number };

test("children stand under their parent, also when they are told first", () => {
  const tree = new RunTree();
  tree.apply(action("b", "a", running));
  tree.apply(action("a", "a0", { label: "prepare", ...running }));
  tree.apply(root);
  assert.deepEqual([...(tree.root?.groups.keys() ?? [])], ["prepare"]);
  assert.ok(tree.node("a")?.groups.get("train")?.members.has("b"));
});

test("of 100,000 calls that come and go, the counts are exact and only what runs or failed is kept", () => {
  const tree = new RunTree();
  tree.apply(root);
  for (let index = 0; index < 100_000; index++) {
    const name = `c${index}`;
    tree.apply(action(name, "a0"));
    tree.apply(action(name, "a0", running));
    if (index % 10_000 === 0) tree.apply(action(name, "a0", failed));
    else if (index < 99_990)
      tree.apply(action(name, "a0", { ...succeeded, cacheStatus: index % 2 === 0 ? "hit" : "miss" }));
  }
  assert.deepEqual(counts(tree), { succeeded: 99_980, running: 10, failed: 10 });
  assert.equal(group(tree, "train").total, 100_000);
  assert.equal(tree.cached, 49_985);
  // The root, ten that run, and five of the ten that failed.
  assert.equal(tree.size, 16);
});

test("no more than the bound is remembered when a million calls are queued at once", () => {
  const tree = new RunTree();
  tree.apply(root);
  for (let index = 0; index < maxNodes + 5_000; index++) tree.apply(action(`c${index}`, "a0"));
  assert.equal(tree.size, maxNodes);
  tree.apply(action(`c${maxNodes + 10}`, "a0", succeeded));
  assert.equal(counts(tree).succeeded, 1);
});

test("a deep tree of small groups does not pile up either", () => {
  const tree = new RunTree();
  tree.apply(root);
  for (let outer = 0; outer < 12; outer++) {
    tree.apply(action(`o${outer}`, "a0", running));
    for (let inner = 0; inner < 12; inner++) {
      tree.apply(action(`o${outer}i${inner}`, `o${outer}`, running));
      for (let leaf = 0; leaf < 40; leaf++) {
        // Labels of their own: no group folds.
        tree.apply(action(`o${outer}i${inner}l${leaf}`, `o${outer}i${inner}`, { label: `l${leaf}`, ...succeeded }));
      }
      tree.apply(action(`o${outer}i${inner}`, `o${outer}`, succeeded));
    }
    tree.apply(action(`o${outer}`, "a0", succeeded));
  }
  assert.ok(tree.size < 3_000, `${tree.size} nodes are kept`);
});

test("a cached result is counted once, however often it is told", () => {
  const tree = new RunTree();
  tree.apply(root);
  tree.apply(action("c", "a0", { ...succeeded, cacheStatus: "hit" }));
  tree.apply(action("c", "a0", { ...succeeded, cacheStatus: "hit" }));
  assert.equal(tree.cached, 1);
});
