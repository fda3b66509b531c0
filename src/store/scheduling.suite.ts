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
  test(`${database}: what is claimed first in a lane is urgent, then deep, then ready for long`, async (t) => {
    const store = await open(t);
    const at = (name: string, depth: number, readyAtMs: number, fields: Partial<Action> = {}): Action =>
      child(name, { depth, readyAtMs, lane: 64, ...fields });
    await startRun(store, sampleRun(), [
      at("d1-late", 1, 1_300),
      at("d1-early", 1, 1_200),
      at("d1-early-too", 1, 1_200),
      at("low", 9, 1_000, { priority: -1 }),
      at("urgent-d1", 1, 1_400, { priority: 3 }),
      at("urgent-d2", 2, 1_500, { priority: 3 }),
      at("most-urgent-future", 5, 9_000, { priority: 4 }),
      at("d3", 3, 1_900),
      at("d3-future", 3, 9_000),
      at("d9-future", 9, 9_000),
      at("other-lane", 9, 1_000, { lane: 65 }),
      running(at("busy", 9, 1_000)),
    ]);
    await startRun(store, sampleRun({ id: 8 }), [at("other-run", 5, 1_000, { run: 8 })]);
    const order = ["urgent-d2", "urgent-d1", "d3", "d1-early", "d1-early-too", "d1-late", "low"];
    const lane = { run: 7, lane: 64 };
    assert.deepEqual(namesOf(await store.claimable(lane, 2_000, 100)), order);
    for (const limit of [0, 1, 3, 5, 7]) {
      assert.deepEqual(namesOf(await store.claimable(lane, 2_000, limit)), order.slice(0, limit));
    }
    assert.deepEqual(namesOf(await store.claimable(lane, 1_200, 100)), ["d1-early", "d1-early-too", "low"]);
    assert.deepEqual(namesOf(await store.claimable({ run: 7, lane: 65 }, 2_000, 100)), ["other-lane"]);
    assert.deepEqual(await store.claimable({ run: 7, lane: 66 }, 2_000, 100), []);
  });

  test(`${database}: the lanes of a run are those in which something is queued`, async (t) => {
    const store = await open(t);
    const far = Number.MAX_SAFE_INTEGER;
    await startRun(store, sampleRun(), [
      child("a1", { lane: 32 }),
      child("a2", { lane: 16 }),
      child("a3", { lane: 16, priority: 9, readyAtMs: 9_000 }),
      child("a4", { lane: far }),
      running(child("a5", { lane: 48 })),
    ]);
    const lanes = [0, 16, 32, far].map((lane) => ({ run: 7, lane }));
    assert.deepEqual(await store.lanes(7, 9), lanes);
    assert.deepEqual(await store.lanes(7, 2), lanes.slice(0, 2));
    assert.deepEqual(await store.lanes(8, 9), []);
    await store.commit([updateAction(running(await read(store, "a1")))]);
    const [moved] = await store.claimable({ run: 7, lane: far }, 1_000, 9);
    assert.ok(moved);
    await store.commit([updateAction({ ...moved, lane: 17, oomFailures: 1, priority: 2 })]);
    assert.deepEqual(
      (await store.lanes(7, 9)).map(({ lane }) => lane),
      [0, 16, 17],
    );
    assert.deepEqual(namesOf(await store.claimable({ run: 7, lane: 17 }, 1_000, 9)), ["a4"]);
    assert.deepEqual(await store.claimable({ run: 7, lane: far }, 1_000, 9), []);
  });

  test(`${database}: claims go on in order over many equals`, async (t) => {
    const store = await open(t);
    const names = Array.from({ length: 700 }, (_, index) => `a${index + 1}`);
    await startRun(
      store,
      sampleRun(),
      names.map((name) => child(name)),
    );
    assert.deepEqual(namesOf(await store.claimable({ run: 7, lane: 0 }, 1_000, 1_000)), [...names, "a0"]);
  });

  test(`${database}: what is due is found when its time has come, and the next moment is known`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [
      { ...running(child("runs")), dueAtMs: 2_000 },
      child("queued", { readyAtMs: 3_000, dueAtMs: 5_000 }),
      child("deep", { depth: 4, readyAtMs: 2_500 }),
      child("elsewhere", { lane: 80, priority: 1, readyAtMs: 2_600 }),
      child("less", { lane: 80, priority: -1, readyAtMs: 2_700 }),
      child("less-deep", { lane: 80, priority: -1, depth: 9, readyAtMs: 2_800 }),
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
    for (const moment of [2_500, 2_600, 2_700]) assert.equal(await store.nextMomentMs([7], moment), moment + 100);
    assert.equal(await store.nextMomentMs([7], 2_800), 3_000);
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
    assert.partialDeepStrictEqual(await store.commit(all), committed);
    assert.deepEqual(await store.sweeps([7], 9), []);
    // What the same transaction has changed before counts, and what it changes later does not.
    const late = child("late", { parent: "parent", depth: 2 });
    const heard: (readonly number[])[] = [];
    const stop = store.onChange((told) => heard.push([...(told?.sweeps ?? [])]));
    await Promise.all([store.commit([insertAction(late)]), store.commit(all)]);
    stop();
    assert.deepEqual(heard, [[7]], "and whoever listens is told");
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
    assert.deepEqual(await store.engines(), [{ ...engine, isLive: true, status: null }]);
    await assert.rejects(store.register(engine), { code: "already_exists" });
    await assert.rejects(store.register({ ...engine, id: "../engine" }), { code: "invalid_argument" });
    await store.forget(["engine-1", "nobody"]);
    assert.deepEqual(await store.engines(), []);
    await store.register(engine);
    assert.equal((await store.engines()).length, 1);
  });

  test(`${database}: engines never hold more together than there is, and what one gives back others get`, async (t) => {
    const store = await open(t);
    const totals = { memory: 100, "gpu:0": 1 };
    const engine = (id: string) => ({ id, pid: process.pid, host: "here", startedAtMs: 5 });
    await assert.rejects(store.allocate("e1", {}, totals), { code: "failed_precondition" });
    for (const id of ["e1", "e2", "e3"]) await store.register(engine(id));
    const granted = (others: object) => ({ granted: true, others });
    assert.deepEqual(await store.allocate("e1", { memory: 60, "gpu:0": 1 }, totals), granted({}));
    assert.deepEqual(await store.allocate("e2", { memory: 40 }, totals), granted({ memory: 60, "gpu:0": 1 }));
    const full = { granted: false, others: { memory: 100, "gpu:0": 1 } };
    assert.deepEqual(await store.allocate("e3", { memory: 1 }, totals), full);
    assert.deepEqual(await store.allocate("e3", { "gpu:0": 1 }, totals), full);
    assert.deepEqual(await store.allocate("e3", { "token:unknown": 1 }, totals), full);
    // Refused as a whole; what stood before stands.
    const refused = { granted: false, others: { memory: 40 } };
    assert.deepEqual(await store.allocate("e1", { memory: 61 }, totals), refused);
    assert.deepEqual(await store.allocate("e3", {}, totals), granted({ memory: 100, "gpu:0": 1 }));
    // What is given back is taken back, though others now say that there is less.
    assert.deepEqual(await store.allocate("e1", { memory: 50 }, { memory: 10 }), granted({ memory: 40 }));
    assert.deepEqual(await store.allocate("e3", { memory: 10, "gpu:0": 1 }, totals), granted({ memory: 90 }));
    await store.forget(["e2"]);
    assert.deepEqual(await store.allocate("e1", { memory: 90 }, totals), granted({ memory: 10, "gpu:0": 1 }));
  });

  test(`${database}: what an engine says of itself is read until it says something else`, async (t) => {
    const store = await open(t);
    await assert.rejects(store.publish("e1", "{}"), { code: "failed_precondition" });
    await store.register({ id: "e1", pid: process.pid, host: "here", startedAtMs: 5 });
    await store.publish("e1", '{"a":1}');
    await store.publish("e1", '{"a":2}');
    const [engine] = await store.engines();
    assert.equal(engine?.status, '{"a":2}');
  });
}
