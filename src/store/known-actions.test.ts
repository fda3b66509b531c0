// What the store remembers of rows never shows: answers are those of rows that are read each time.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Action } from "../core/action.ts";
import { sha256Hex } from "../core/hash.ts";
import { Connection } from "./connection.ts";
import { type KnownAction, KnownActions, maxKnownActions } from "./known-actions.ts";
import {
  child,
  committed,
  insertAction,
  namesOf,
  read,
  running,
  sampleRun,
  startRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** Opens stores on one file, as several processes would. */
function opener(t: TestContext): () => Promise<Store> {
  const directory = mkdtempSync(join(tmpdir(), "godwit-known-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return async () => {
    const store = await openSqliteStore({ path: join(directory, "godwit.db") });
    t.after(() => store.close());
    return store;
  };
}

test("what another process has changed meanwhile is compared as it is now", async (t) => {
  const open = opener(t);
  const [here, there] = [await open(), await open()];
  await startRun(here, sampleRun(), [child("a1"), child("a2"), child("a3")]);
  const queued = await read(here, "a1");
  assert.partialDeepStrictEqual(await there.commit([updateAction(running(queued, "there"))]), committed);
  assert.deepEqual(await here.commit([updateAction(running(queued, "here"))]), { type: "conflict", at: 0 });
  const expected = { type: "expectAction", key: { run: 7, name: "a1" }, phase: "running", attempt: 1 } as const;
  assert.partialDeepStrictEqual(await here.commit([expected]), committed);
  const ended = succeeded(await read(here, "a1"));
  assert.partialDeepStrictEqual(await here.commit([updateAction(ended)]), committed);
  assert.deepEqual(await there.counts(7), { queued: 3, succeeded: 1 });
});

test("an action that is there is not inserted again by a store that has never seen it", async (t) => {
  const open = opener(t);
  await startRun(await open(), sampleRun(), [child("a1")]);
  const store = await open();
  const results = await Promise.all([
    store.commit([insertAction(child("a2"))]),
    store.commit([insertAction(child("a3")), insertAction(child("a1"))]),
    store.commit([insertAction(child("a3")), insertAction(child("a1")), insertAction(child("a1"))]),
    store.commit([insertAction(child("a4")), insertAction(child("a4"))]),
    store.commit([insertAction(child("a5"))]),
  ]);
  assert.partialDeepStrictEqual(results, [
    { type: "committed" },
    { type: "exists", at: 1 },
    { type: "exists", at: 1 },
    { type: "exists", at: 1 },
    { type: "committed" },
  ]);
  assert.deepEqual(namesOf(await store.listActions({ run: 7, parent: "a0" }, 9)), ["a1", "a2", "a5"]);
  assert.deepEqual(await store.counts(7), { queued: 4 });
  assert.deepEqual(await store.verify(), []);
});

test("a transaction that failed is not remembered", async (t) => {
  const store = await opener(t)();
  await startRun(store, sampleRun(), [child("a1")]);
  const queued = await read(store, "a1");
  const impossible = { ...running(queued), owner: "engine", phase: "paused" } as const;
  await assert.rejects(store.commit([insertAction(child("a2")), updateAction(impossible)]), { code: "internal" });
  assert.partialDeepStrictEqual(await store.commit([insertAction(child("a2"))]), committed);
  assert.partialDeepStrictEqual(await store.commit([updateAction(running(queued))]), committed);
});

/** Each differs from a queued action in one column, or in those that can only change together. */
const others: readonly Partial<Action>[] = [
  { attempt: 1 },
  { userFailures: 1 },
  { systemFailures: 1 },
  { interruptions: 1 },
  { oomFailures: 1 },
  { priority: 3 },
  { lane: 4 },
  { phase: "running", owner: "engine" },
  { readyAtMs: 2_000 },
  { dueAtMs: 3_000 },
  { createdAtMs: 999 },
  { startedAtMs: 1_500 },
  { attemptStartedAtMs: 1_500 },
  { phase: "succeeded", endedAtMs: 1_600, outputs: { type: "blob", digest: sha256Hex("out") } },
  { inputs: { type: "inline", text: '{"other":1}' } },
  {
    error: { code: "E", message: "m", kind: "user", recoverable: true, stack: null, location: null, origin: null },
  },
  { cacheKey: sha256Hex("key") },
  { cacheStatus: "miss" },
  { reusedFrom: "run-1/a1" },
];

test("an update that says what it was decided on writes all that differs", async (t) => {
  const store = await opener(t)();
  await startRun(store, sampleRun());
  for (const [at, one] of others.entries()) {
    for (const [beside, two] of others.entries()) {
      const name = `a${at}-${beside}`;
      await store.commit([insertAction(child(name))]);
      const from = await read(store, name);
      const next = { ...from, ...one, ...two };
      if (next.endedAtMs !== null && (next.owner !== null || next.dueAtMs !== null)) continue;
      await store.commit([{ type: "updateAction", action: next, from }]);
      const found = await read(store, name);
      assert.deepEqual(found, { ...next, revision: found.revision });
    }
  }
});

test("what is known is bounded, and what was known first stays", (t) => {
  const connection = new Connection({ path: ":memory:" });
  t.after(() => connection.close());
  const known = new KnownActions(connection);
  known.begin();
  for (let id = 1; id <= maxKnownActions + 2; id++) known.add(knownAction(id));
  assert.ok(known.get({ run: 7, name: `a${maxKnownActions + 2}` }), "its own transaction knows it");
  known.trim();
  const isKnown = (id: number): boolean => known.get({ run: 7, name: `a${id}` }) !== undefined;
  assert.deepEqual([1, maxKnownActions, maxKnownActions + 1].map(isKnown), [true, true, false]);
  known.begin();
  const first = known.get({ run: 7, name: "a1" }) as KnownAction;
  known.ended(first);
  known.trim();
  assert.equal(isKnown(1), false);
});

const knownAction = (id: number): KnownAction => ({
  key: { run: 7, name: `a${id}` },
  id,
  parentId: null,
  phase: "queued",
  attempt: 0,
  createdAtMs: 1,
  endedAtMs: null,
  revision: id,
  mayHaveChildren: false,
  change: null,
});
