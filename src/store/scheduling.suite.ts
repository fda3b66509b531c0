// What an engine asks: what to claim, what is due, what it holds, who waits, and which engines live.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../core/action.ts";
import {
  child,
  committed,
  insertAction,
  namesOf,
  type OpenStore,
  read,
  running,
  sampleRun,
  startRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import type { Change } from "./store.ts";

const waits = (action: Action): Action => ({ ...action, phase: "waiting_for_resources" });

export function schedulingSuite(database: string, open: OpenStore): void {
  test(`${database}: what is claimed first is deepest, then ready longest, of the runs asked for`, async (t) => {
    const store = await open(t);
    const at = (name: string, depth: number, readyAtMs: number, run = 7): Action =>
      child(name, { run, depth, readyAtMs });
    await startRun(store, sampleRun(), [
      at("d1-late", 1, 1_300),
      at("d1-early", 1, 1_200),
      at("d3", 3, 1_900),
      at("d3-future", 3, 9_000),
      at("d9-future", 9, 9_000),
      running(at("busy", 9, 1_000)),
    ]);
    await startRun(store, sampleRun({ id: 8 }), [at("e1", 1, 1_250, 8), at("e3", 3, 1_800, 8)]);
    await startRun(store, sampleRun({ id: 9 }), [at("foreign", 5, 1_000, 9)]);
    const order = ["e3", "d3", "d1-early", "e1", "d1-late", "a0", "a0"];
    assert.deepEqual(namesOf(await store.claimable([7, 8, 7], 2_000, 100)), order);
    assert.deepEqual(namesOf(await store.claimable([7, 8], 2_000, 3)), order.slice(0, 3));
    assert.deepEqual(namesOf(await store.claimable([8], 1_800, 100)), ["e3", "e1", "a0"]);
    assert.deepEqual(await store.claimable([], 2_000, 100), []);
  });

  test(`${database}: claims go on in order over many more than one page of equals`, async (t) => {
    const store = await open(t);
    const names = Array.from({ length: 700 }, (_, index) => `a${index + 1}`);
    await startRun(
      store,
      sampleRun(),
      names.map((name) => child(name)),
    );
    assert.deepEqual(namesOf(await store.claimable([7], 1_000, 1_000)), [...names, "a0"]);
  });

  test(`${database}: what is due is found when its time has come, and the next moment is known`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [
      { ...running(child("runs")), dueAtMs: 2_000 },
      child("queued", { readyAtMs: 3_000, dueAtMs: 5_000 }),
      child("deep", { depth: 4, readyAtMs: 2_500 }),
      waits(child("waits", { readyAtMs: 1_001, cacheKey: "k" })),
    ]);
    await startRun(store, sampleRun({ id: 8 }), [{ ...running(child("other", { run: 8 })), dueAtMs: 1_500 }]);
    assert.deepEqual(await store.due([7], 1_999, 9), []);
    assert.deepEqual(namesOf(await store.due([7], 2_000, 9)), ["runs"]);
    assert.deepEqual(namesOf(await store.due([7, 8], 9_000, 9)).toSorted(), ["other", "queued", "runs"]);
    assert.equal((await store.due([7, 8], 9_000, 2)).length, 2);
    assert.equal(await store.nextMomentMs([7, 8], 1_000), 1_500);
    assert.equal(await store.nextMomentMs([7], 1_000), 2_000);
    assert.equal(await store.nextMomentMs([7], 2_000), 2_500);
    assert.equal(await store.nextMomentMs([7], 2_500), 3_000);
    assert.equal(await store.nextMomentMs([7], 3_000), 5_000);
    assert.equal(await store.nextMomentMs([7, 8], 5_000), null);
    assert.equal(await store.nextMomentMs([], 0), null);
  });

  test(`${database}: an engine finds what it holds, and nothing of others`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [
      running(child("mine"), "e1"),
      running(child("theirs"), "e2"),
      child("nobodys"),
    ]);
    await startRun(store, sampleRun({ id: 8 }), [running(child("mine-too", { run: 8 }), "e1")]);
    assert.deepEqual(namesOf(await store.leased([7], "e1", 9)), ["mine"]);
    assert.deepEqual(namesOf(await store.leased([7, 8], "e1", 9)).toSorted(), ["mine", "mine-too"]);
    await store.commit([updateAction(succeeded(await read(store, "mine")))]);
    assert.deepEqual(await store.leased([7], "e1", 9), []);
  });

  test(`${database}: those that wait for a cache key are found in any run, oldest first`, async (t) => {
    const store = await open(t);
    const waiter = (name: string, cacheKey: string, createdAtMs: number, run = 7): Action =>
      waits(child(name, { run, cacheKey, createdAtMs }));
    await startRun(store, sampleRun(), [
      waiter("c", "k1", 1_300),
      waiter("a", "k1", 1_100),
      child("ready", { cacheKey: "k1" }),
    ]);
    await startRun(store, sampleRun({ id: 8 }), [waiter("b", "k2", 1_200, 8), waiter("d", "k3", 1_000, 8)]);
    assert.deepEqual(namesOf(await store.waiting(["k1", "k2"], 9)), ["a", "b", "c"]);
    assert.deepEqual(namesOf(await store.waiting(["k1"], 1)), ["a"]);
    assert.deepEqual(await store.waiting(["k9"], 9), []);
  });

  test(`${database}: children that have not ended, and sweeps, are found until they are gone`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [
      running(child("runs")),
      child("queued"),
      child("paused", { type: "condition", phase: "paused" }),
      succeeded(child("done")),
      child("grandchild", { parent: "runs", depth: 2 }),
    ]);
    assert.deepEqual(namesOf(await store.activeChildren({ run: 7, name: "a0" }, 9)).toSorted(), [
      "paused",
      "queued",
      "runs",
    ]);
    assert.equal((await store.activeChildren({ run: 7, name: "a0" }, 2)).length, 2);
    assert.deepEqual(await store.activeChildren({ run: 7, name: "nobody" }, 9), []);
    const sweep = { run: 7, name: "a0" };
    await store.commit([
      { type: "insertSweep", sweep },
      { type: "insertSweep", sweep },
    ]);
    assert.deepEqual(await store.sweeps([8, 7], 9), [sweep]);
    assert.deepEqual(await store.sweeps([8], 9), []);
    await store.commit([
      { type: "deleteSweep", sweep },
      { type: "deleteSweep", sweep },
    ]);
    assert.deepEqual(await store.sweeps([7], 9), []);
  });

  test(`${database}: only an action with children that have not ended is remembered to be swept`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [
      child("childless"),
      child("parent"),
      succeeded(child("done", { parent: "parent", depth: 2 })),
    ]);
    const sweepOf = (name: string): Change => ({ type: "insertSweep", sweep: { run: 7, name } });
    const all = ["childless", "parent", "nobody"].map(sweepOf);
    assert.deepEqual(await store.commit(all), committed);
    assert.deepEqual(await store.sweeps([7], 9), []);
    // What the same transaction has changed before counts, and what it changes later does not.
    const late = child("late", { parent: "parent", depth: 2 });
    await Promise.all([store.commit([insertAction(late)]), store.commit(all)]);
    assert.deepEqual(await store.sweeps([7], 9), [{ run: 7, name: "parent" }]);
    await store.commit([{ type: "deleteSweep", sweep: { run: 7, name: "parent" } }]);
    const ended = succeeded(await read(store, "late"));
    await store.commit([updateAction(ended), sweepOf("parent")]);
    assert.deepEqual(await store.sweeps([7], 9), []);
  });

  test(`${database}: a registered engine is live until it is forgotten, and its id is its own`, async (t) => {
    const store = await open(t);
    const engine = { id: "engine-1", pid: process.pid, host: "here", startedAtMs: 5 };
    await store.register(engine);
    assert.deepEqual(await store.engines(), [{ ...engine, isLive: true }]);
    await assert.rejects(store.register(engine), { code: "already_exists" });
    await assert.rejects(store.register({ ...engine, id: "../engine" }), { code: "invalid_argument" });
    await store.forget(["engine-1", "nobody"]);
    assert.deepEqual(await store.engines(), []);
    await store.register(engine);
    assert.equal((await store.engines()).length, 1);
  });
}
