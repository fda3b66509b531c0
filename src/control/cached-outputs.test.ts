// The cache for clients that execute something themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleEntry, sampleRun, startRun } from "../store/sample-rows.suite.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { controlOver, openedControl, saying, scope } from "./records.fixture.ts";

const elsewhere = { ...scope, project: "flytesnacks" };

test("what was put is found in its project and domain, and goes when it is deleted", async (t) => {
  const { cachedOutputs } = (await openedControl(t)).control;
  await assert.rejects(cachedOutputs.get(scope, "k"), saying("not_found", '"k"'));
  await cachedOutputs.put(scope, "k", "one", null);
  assert.partialDeepStrictEqual(await cachedOutputs.get(scope, "k"), { type: "put", value: "one" });
  await assert.rejects(cachedOutputs.get(elsewhere, "k"), saying("not_found"));
  await cachedOutputs.delete(scope, "k");
  await assert.rejects(cachedOutputs.delete(scope, "k"), saying("not_found"));
});

test("what is there is overwritten only on request, and only when it is old enough", async (t) => {
  const { cachedOutputs } = (await openedControl(t)).control;
  await cachedOutputs.put(scope, "k", "one", null);
  await assert.rejects(cachedOutputs.put(scope, "k", "two", null), saying("already_exists", '"k"'));
  await assert.rejects(cachedOutputs.put(scope, "k", "two", { olderThanMs: 60_000 }), saying("already_exists"));
  await cachedOutputs.put(scope, "k", "two", {});
  await cachedOutputs.put(scope, "k", "three", { olderThanMs: 1 });
  assert.partialDeepStrictEqual(await cachedOutputs.get(scope, "k"), { value: "three" });
  await assert.rejects(cachedOutputs.put(scope, "k", "x".repeat(300_000), {}), saying("invalid_argument", "URI"));
});

test("what an action has left is found by its key, in its project alone", async (t) => {
  const { control, store } = await openedControl(t);
  const entry = sampleEntry({ key: "ab".repeat(32) });
  await store.commit([{ type: "putCacheEntry", entry }]);
  assert.deepEqual(await control.cachedOutputs.get(scope, entry.key), { type: "computed", entry });
  await assert.rejects(control.cachedOutputs.get(elsewhere, entry.key), saying("not_found"));
  await assert.rejects(control.cachedOutputs.delete(elsewhere, entry.key), saying("not_found"));
  await control.cachedOutputs.delete(scope, entry.key);
  assert.deepEqual(await store.cacheEntries([entry.key]), []);
});

test("one owner holds a key at a time, until it lets go or is not heard of for three heartbeats", async (t) => {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  let nowMs = 1_000;
  const { cachedOutputs } = controlOver(store, () => nowMs);
  const reserve = (owner: string, key = "k") => cachedOutputs.reserve(scope, { key, owner, heartbeatMs: 2_000 });
  const held = await Promise.all([reserve("a"), reserve("b"), reserve("c")]);
  const owners = new Set(held.map(({ owner }) => owner));
  assert.equal(owners.size, 1);
  const [owner] = owners as Iterable<string> as [string];
  assert.deepEqual(held[0], { key: "k", owner, heartbeatMs: 2_000, expiresAtMs: 7_000 });
  nowMs = 6_999;
  assert.equal((await reserve("d")).owner, owner);
  assert.equal((await reserve(owner)).expiresAtMs, 12_999);
  nowMs = 12_999;
  assert.equal((await reserve("d")).owner, "d");
  await cachedOutputs.release(scope, { key: "k", owner });
  assert.equal((await reserve("e")).owner, "d");
  await cachedOutputs.release(scope, { key: "k", owner: "d" });
  assert.equal((await reserve("e")).owner, "e");
  // Those of whoever has gone do not stay.
  nowMs = 100_000;
  await reserve("f", "another");
  assert.deepEqual(
    (await store.listRecords({ kind: "heldKey", order: "name" }, 9)).items.map(({ name }) => name),
    ["another"],
  );
});

test("a key that an action works on is held by it", async (t) => {
  const { control, store } = await openedControl(t);
  await startRun(store, sampleRun());
  await store.commit([{ type: "reserve", reservation: { key: "k", run: 7, action: "a0" } }]);
  const { owner } = await control.cachedOutputs.reserve(scope, { key: "k", owner: "me", heartbeatMs: 0 });
  assert.equal(owner, "run 7, action a0");
});
