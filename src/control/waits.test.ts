// Why an action does not go on, from what lies in the store: its row, who serves its run, and what that one says.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Action } from "../core/action.ts";
import { type EngineStatus, engineStatusOf } from "../core/engine-status.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import type { Wait } from "../core/wait.ts";
import { child, running, sampleAction, sampleRun, succeeded } from "../store/sample-rows.suite.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import type { Scope } from "./answers.ts";
import { partsOf } from "./parts.ts";
import { engines, waitReasons } from "./waits.ts";

const scope: Scope = { project: "default", domain: "development", caller: "ada" };
const nowMs = 10_000;
const engine = { id: "e1", pid: process.pid, host: "here", startedAtMs: 1 };
const shortOfGpus: WaitReason = { type: "resource", resource: "gpu", asked: 2, free: 1, total: 4 };

const status = (waits: EngineStatus["waits"]): EngineStatus => ({
  atMs: nowMs,
  machine: { cpuMillis: 2_000, memoryBytes: 1, diskBytes: 1, gpus: [], tokens: {} },
  used: { cpu: 1_000 },
  waits,
});

async function opened(t: TestContext) {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  return partsOf({
    store,
    blobs: memoryBlobs(),
    logs: { read: () => assert.fail("nobody asked for logs") },
    nowMs: () => nowMs,
    randomBytes: (count) => new Uint8Array(count),
    onAbort: () => {},
    starter: () => null,
  });
}

async function insert(store: Store, run: Partial<Run>, actions: readonly Action[]): Promise<void> {
  const result = await store.commit([
    { type: "insertRun", run: sampleRun({ phase: "running", ...run }) },
    ...actions.map((action) => ({ type: "insertAction", action }) as const),
  ]);
  assert.equal(result.type, "committed");
}

const root = running(sampleAction({ name: "a0" }));

async function waitsOf(t: TestContext, actions: readonly Action[], said: EngineStatus | null = status([])) {
  const parts = await opened(t);
  await parts.store.register(engine);
  if (said !== null) await parts.store.publish(engine.id, JSON.stringify(said));
  await insert(parts.store, { owner: engine.id }, [root, ...actions]);
  return Object.fromEntries(await waitReasons(parts, scope, "run-7", [root, ...actions]));
}

test("what is queued waits for what the engine of its run says of its lane, and else for its turn", async (t) => {
  const said = status([
    { run: 7, lane: 16, reason: shortOfGpus },
    { run: 8, lane: 32, reason: shortOfGpus },
  ]);
  const waits = await waitsOf(t, [child("big", { lane: 16 }), child("small", { lane: 32 })], said);
  assert.deepEqual(waits, { big: shortOfGpus, small: { type: "turn" } });
});

test("an engine that has said nothing yet, or nothing that can be read, lets its actions wait for their turn", async (t) => {
  assert.deepEqual(await waitsOf(t, [child("x", { lane: 16 })], null), { x: { type: "turn" } });
  for (const text of [null, "", "null", "{}", '{"waits":1}']) assert.equal(engineStatusOf(text), null, String(text));
});

test("after a failure it waits for the time of its next attempt", async (t) => {
  const waits = await waitsOf(t, [child("later", { attempt: 1, readyAtMs: nowMs + 5_000 })]);
  assert.deepEqual(waits, { later: { type: "retry", atMs: nowMs + 5_000 } });
});

test("who waits for identical work is told whose, in whichever run that is", async (t) => {
  const parts = await opened(t);
  await parts.store.register(engine);
  const waiting = (name: string, key: string) => child(name, { phase: "waiting_for_resources", cacheKey: key });
  await insert(parts.store, { owner: engine.id }, [root, waiting("mine", "k1"), waiting("theirs", "k2")]);
  await insert(parts.store, { id: 8, name: "other" }, []);
  await parts.store.commit([
    { type: "reserve", reservation: { key: "k1", run: 7, action: "first" } },
    { type: "reserve", reservation: { key: "k2", run: 8, action: "second" } },
  ]);
  const waits = await waitReasons(parts, scope, "run-7", [{ name: "mine" }, { name: "theirs" }]);
  assert.deepEqual(Object.fromEntries(waits), {
    mine: { type: "duplicate", run: "run-7", action: "first" },
    theirs: { type: "duplicate", run: "other", action: "second" },
  });
});

test("a condition waits for its signal, whether somebody serves the run or not", async (t) => {
  const asked = { name: "approve", valueType: "boolean", prompt: null, timeoutMs: null };
  const parts = await opened(t);
  const condition = child("c", { type: "condition", label: "approve", phase: "paused", spec: "asked" });
  await insert(parts.store, {}, [root, condition]);
  await parts.store.commit([{ type: "putDocument", digest: "asked", text: JSON.stringify(asked) }]);
  const waits = await waitReasons(parts, scope, "run-7", [condition]);
  assert.deepEqual(waits.get("c"), { type: "signal", run: "run-7", label: "approve", example: "true" });
});

test("nothing of a run goes on that no live engine serves", async (t) => {
  const unserved: Wait = { type: "engine", run: "run-7" };
  const parts = await opened(t);
  await insert(parts.store, { owner: "long gone" }, [root, child("x")]);
  const waits = await waitReasons(parts, scope, "run-7", [{ name: "a0" }, { name: "x" }]);
  assert.deepEqual(Object.fromEntries(waits), { a0: unserved, x: unserved });
});

test("what runs or has ended waits for nothing", async (t) => {
  const ended = succeeded(running(child("done")));
  assert.deepEqual(await waitsOf(t, [ended, running(child("busy"))]), {});
});

test("engines are told with what they say of themselves and the runs they serve", async (t) => {
  const parts = await opened(t);
  await parts.store.register(engine);
  await parts.store.publish(engine.id, JSON.stringify(status([])));
  await insert(parts.store, { owner: engine.id }, [root]);
  await insert(parts.store, { id: 8, name: "other" }, []);
  assert.deepEqual(await engines(parts, scope), [{ ...engine, isLive: true, status: status([]), runs: ["run-7"] }]);
});
