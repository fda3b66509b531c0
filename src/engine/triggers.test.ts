// Triggers from their deployment to their runs, over a real store.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fromPayload } from "../blob/payload.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import {
  at,
  every,
  type Ground,
  minuteMs,
  newTrigger,
  scope,
  spec,
  startMs,
  triggerGround,
} from "../testing/trigger-ground.fixture.ts";

const name = { task: spec.name, name: "nightly" };
const minutes = (...numbers: readonly number[]): readonly number[] => numbers.map(at);

async function opened(t: TestContext): Promise<Ground> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  return triggerGround({ store });
}

test("a tick starts a run with the trigger's inputs, its time as input and as the run's start, and its name", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ labels: { team: "birds" }, env: { A: "1" } }));
  await ground.lookAt(at(1) + 5);
  const [run] = await ground.runs();
  assert.ok(run !== undefined);
  assert.match(run.name, /^nightly-202601010001-/);
  assert.partialDeepStrictEqual(run, { task: spec.name, caller: "ada", labels: { team: "birds" }, phase: "queued" });
  assert.partialDeepStrictEqual(run.origin, {
    source: "schedule",
    trigger: { name: "nightly", revision: 1 },
    taskVersion: "v1",
    env: { A: "1" },
    runStartAtMs: at(1),
  });
  const [root] = await ground.store.actions([{ run: run.id, name: "a0" }]);
  assert.ok(root !== undefined);
  assert.deepEqual(await fromPayload(root.inputs, memoryBlobs()), {
    n: { type: "integer", value: "3" },
    when: { type: "datetime", value: "2026-01-01T00:01:00.000Z" },
  });
  assert.deepEqual((await ground.control.triggers.get(scope, name)).lastRun, {
    id: run.id,
    name: run.name,
    scheduledAtMs: at(1),
  });
  assert.equal((await ground.control.triggers.preview(scope, name, { count: 1 }))[0]?.atMs, at(2));
});

test("missed ticks are caught up with, however many they are", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger());
  await ground.lookAt(at(250));
  assert.deepEqual(
    await ground.ticks(),
    Array.from({ length: 250 }, (_, index) => at(index + 1)),
  );
});

test("two servers, and one whose clock is behind, start each tick once", async (t) => {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  const grounds = [triggerGround({ store }), triggerGround({ store }), triggerGround({ store })];
  await grounds[0]?.control.triggers.deploy(scope, newTrigger());
  for (let minute = 1; minute <= 10; minute++)
    await Promise.all(grounds.map((ground, index) => ground.lookAt(at(minute) - index * 30_000)));
  assert.deepEqual(await grounds[0]?.ticks(), minutes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
});

test("a trigger that was removed and deployed anew starts no tick a second time", async (t) => {
  const ground = await opened(t);
  const { triggers } = ground.control;
  await triggers.deploy(scope, newTrigger({ automation: every(1, "all", "queue") }));
  await ground.lookAt(at(1));
  await triggers.remove(scope, [name]);
  // As if the clock had been put back, the new one comes to the same tick again.
  const { store } = ground;
  const again = triggerGround({ store });
  await again.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", "queue") }));
  await again.lookAt(at(2));
  assert.deepEqual(await again.ticks(), minutes(1));
  const { lastRun, waiting, revision } = await triggers.get(scope, name);
  assert.equal(lastRun?.scheduledAtMs, at(1));
  assert.deepEqual(waiting, minutes(2));
  assert.equal(revision, 3);
});

test("skip leaves out the ticks at which the last run goes on", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", "skip") }));
  for (const minute of [1, 2, 3]) await ground.lookAt(at(minute));
  assert.deepEqual(await ground.ticks(), minutes(1));
  await ground.end((await ground.runs())[0]?.name ?? "");
  await ground.lookAt(at(4));
  assert.deepEqual(await ground.ticks(), minutes(1, 4));
  assert.equal((await ground.control.triggers.get(scope, name)).skipped, 2);
});

test("queue starts one after the other, each when the one before has ended", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", "queue") }));
  for (const minute of [1, 2, 3]) await ground.lookAt(at(minute));
  for (const count of [1, 2, 3]) {
    const runs = await ground.runs();
    assert.equal(runs.length, count);
    await ground.end(runs.at(-1)?.name ?? "", count === 1 ? "failed" : "succeeded");
    await ground.lookAt(at(3) + count * 5_000);
  }
  assert.deepEqual(await ground.ticks(), minutes(1, 2, 3));
});

test("replace aborts the last run in the commit that starts the next, with everything that it called", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", "replace") }));
  await ground.lookAt(at(1));
  await ground.lookAt(at(2));
  const [first, second] = await ground.runs();
  assert.deepEqual([first?.phase, second?.phase], ["aborted", "queued"]);
  assert.equal(first?.abortReason, 'Aborted by its trigger "nightly".');
});

test("who deactivates a trigger has no more ticks, and who activates it has none of those in between", async (t) => {
  const ground = await opened(t);
  const { triggers } = ground.control;
  await triggers.deploy(scope, newTrigger());
  await ground.lookAt(at(1));
  await triggers.setActive(scope, [name], false);
  await ground.lookAt(at(5));
  await triggers.setActive(scope, [name], true);
  await ground.lookAt(at(6));
  assert.deepEqual(await ground.ticks(), minutes(1, 6));
  const { items } = await triggers.history(scope, name, { limit: 10, token: null });
  assert.deepEqual(
    items.map(({ revision, action }) => [revision, action]),
    [
      [3, "activate"],
      [2, "deactivate"],
      [1, "deploy"],
    ],
  );
});

test("a trigger whose code is gone says so, is tried again, and keeps no other from its ticks", async (t) => {
  const ground = await opened(t);
  const { triggers } = ground.control;
  await triggers.deploy(scope, newTrigger());
  const [record] = await ground.store.records([
    { kind: "trigger", project: "p", domain: "d", name: spec.name, version: "nightly" },
  ]);
  assert.ok(record !== undefined);
  const text = record.text.replace(/"spec":"[0-9a-f]{64}"/, `"spec":"${"0".repeat(64)}"`);
  await ground.store.commit([{ type: "putRecord", record: { ...record, text } }]);
  await triggers.deploy(scope, newTrigger({ name: "other" }));
  await ground.lookAt(at(1));
  assert.deepEqual(await ground.ticks(), minutes(1));
  assert.match((await triggers.get(scope, name)).problem ?? "", /is gone; deploy it again/);
  assert.equal(ground.problems.length, 1);
  await triggers.deploy(scope, newTrigger({ description: "mended" }));
  await ground.lookAt(at(2));
  assert.equal((await triggers.get(scope, name)).problem, null);
  assert.deepEqual((await ground.runs()).filter(({ name: run }) => run.startsWith("nightly")).length, 2);
});

test("a started service starts each tick at its time, waits for the runs that others wait for, and stops", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", "queue") }));
  const { automation, clock } = ground;
  automation.start();
  t.after(() => automation.stop());
  const until = async (runs: number): Promise<void> => {
    while ((await ground.runs()).length < runs || !automation.isIdle) await new Promise((done) => setImmediate(done));
  };
  await until(0);
  clock.advanceTo(at(1));
  await until(1);
  clock.advanceTo(at(2));
  await until(1);
  // Nobody moves the clock: it hears of the end.
  await ground.end((await ground.runs())[0]?.name ?? "");
  await until(2);
  assert.deepEqual(await ground.ticks(), minutes(1, 2));
  await automation.stop();
  clock.advanceTo(at(10));
  assert.equal((await ground.runs()).length, 2);
});

test("a trigger is fired by hand, with other inputs, and its schedule goes on as before", async (t) => {
  const ground = await opened(t);
  await ground.control.triggers.deploy(scope, newTrigger({ automation: { type: "none" } }));
  const inputs = { n: { type: "integer", value: "9" } } as const;
  const { run } = await ground.control.triggers.fire(scope, name, { runName: "by-hand", inputs });
  assert.equal(run.name, "by-hand");
  assert.deepEqual(run.origin.trigger, { name: "nightly", revision: 1 });
  const [root] = await ground.store.actions([{ run: run.id, name: "a0" }]);
  assert.ok(root?.inputs.type === "inline");
  assert.deepEqual(JSON.parse(root.inputs.text), inputs);
  await ground.lookAt(startMs + 100 * minuteMs);
  assert.equal((await ground.runs()).length, 1);
});
