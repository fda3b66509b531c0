// Backfills from their preview to their end, over a real store.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openSqliteStore } from "../store/sqlite.ts";
import { at, every, type Ground, newTrigger, scope, spec, triggerGround } from "../testing/trigger-ground.fixture.ts";

const name = { task: spec.name, name: "nightly" };
const plan = { fromMs: at(1), beforeMs: at(6), parallelism: 2, repeats: false };

async function opened(t: TestContext): Promise<Ground> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  const ground = triggerGround({ store });
  await ground.control.triggers.deploy(scope, newTrigger({ isActive: false }));
  return ground;
}

/** Ends one run after the other until nothing goes on. The most that went on at once. */
async function untilItEnds(ground: Ground, id: string): Promise<number> {
  let most = 0;
  for (let looks = 0; looks < 100; looks++) {
    await ground.lookAt(at(100) + looks * 5_000);
    const active = (await ground.runs()).filter(({ endedAtMs }) => endedAtMs === null);
    most = Math.max(most, active.length);
    const [oldest] = active;
    if (oldest !== undefined) await ground.end(oldest.name);
    if ((await ground.control.backfills.get(scope, id)).endedAtMs !== null) return most;
  }
  assert.fail("it does not end");
}

test("a preview says which runs there would be, and how many in all", async (t) => {
  const { control } = await opened(t);
  const preview = await control.backfills.preview(scope, name, { ...plan, count: 2 });
  assert.equal(preview.total, 5);
  assert.deepEqual(
    preview.first.map(({ atMs, exists }) => [atMs, exists]),
    [
      [at(1), false],
      [at(2), false],
    ],
  );
});

test("every tick of the period gets its run, with its own time, and no more go on than may", async (t) => {
  const ground = await opened(t);
  const { backfill } = await ground.control.backfills.create(scope, name, { ...plan, id: "january" });
  assert.equal(backfill.counts.planned, 5);
  assert.equal(await untilItEnds(ground, "january"), 2);
  assert.deepEqual(await ground.ticks(), [1, 2, 3, 4, 5].map(at));
  const ended = await ground.control.backfills.get(scope, "january");
  assert.equal(ended.phase, "done");
  assert.deepEqual(ended.counts, { planned: 5, started: 5, existing: 0, succeeded: 5, failed: 0 });
});

test("the same command again is the same backfill, and another under its name is refused", async (t) => {
  const { control } = await opened(t);
  const first = await control.backfills.create(scope, name, { ...plan, id: "january" });
  const again = await control.backfills.create(scope, name, { ...plan, id: "january" });
  assert.deepEqual([first.created, again.created], [true, false]);
  await assert.rejects(control.backfills.create(scope, name, { ...plan, beforeMs: at(7), id: "january" }), {
    code: "already_exists",
  });
});

test("a tick that has its run gets no other, unless the backfill repeats", async (t) => {
  const ground = await opened(t);
  const { backfills } = ground.control;
  await backfills.create(scope, name, { ...plan, id: "one" });
  await untilItEnds(ground, "one");
  await backfills.create(scope, name, { ...plan, id: "two" });
  await untilItEnds(ground, "two");
  assert.equal((await ground.runs()).length, 5);
  assert.equal((await backfills.get(scope, "two")).counts.existing, 5);
  await backfills.create(scope, name, { ...plan, id: "three", repeats: true });
  await untilItEnds(ground, "three");
  assert.equal((await ground.runs()).length, 10);
});

test("it does what its trigger was when it was asked for, and not what is deployed meanwhile", async (t) => {
  const ground = await opened(t);
  await ground.control.backfills.create(scope, name, { ...plan, id: "january" });
  const other = { automation: every(2), inputs: { n: { type: "integer", value: "9" } } as const };
  await ground.control.triggers.deploy(scope, newTrigger({ isActive: false, ...other }));
  await untilItEnds(ground, "january");
  const runs = await ground.runs();
  assert.equal(runs.length, 5);
  assert.ok(runs.every(({ origin }) => origin.trigger?.revision === 1));
});

test("a run that fails is counted, and holds nothing up", async (t) => {
  const ground = await opened(t);
  await ground.control.backfills.create(scope, name, { ...plan, parallelism: 1, id: "january" });
  await ground.lookAt(at(100));
  await ground.end((await ground.runs())[0]?.name ?? "", "failed");
  await untilItEnds(ground, "january");
  const { counts } = await ground.control.backfills.get(scope, "january");
  assert.deepEqual([counts.succeeded, counts.failed], [4, 1]);
});

test("one that is aborted starts nothing more and ends what goes on", async (t) => {
  const ground = await opened(t);
  await ground.control.backfills.create(scope, name, { ...plan, id: "january" });
  await ground.lookAt(at(100));
  assert.equal((await ground.control.backfills.abort(scope, "january")).phase, "aborting");
  await ground.lookAt(at(100) + 1);
  await ground.lookAt(at(101));
  const runs = await ground.runs();
  assert.deepEqual(
    runs.map(({ phase }) => phase),
    ["aborted", "aborted"],
  );
  assert.equal((await ground.control.backfills.get(scope, "january")).phase, "aborted");
  assert.equal((await ground.control.backfills.abort(scope, "january")).phase, "aborted");
});

test("what cannot be filled back is refused, in words that say why", async (t) => {
  const { control } = await opened(t);
  const refused = (more: Partial<typeof plan>, message: RegExp) =>
    assert.rejects(control.backfills.create(scope, name, { ...plan, ...more, id: null }), (error: unknown) => {
      assert.equal((error as { code?: string }).code, "invalid_argument");
      return message.test((error as Error).message);
    });
  await refused({ beforeMs: at(1) }, /ends after it begins/);
  await refused({ fromMs: at(1) + 1, beforeMs: at(2) }, /no tick in this period/);
  await refused({ beforeMs: at(20_000) }, /more than 10000 ticks/);
  await refused({ parallelism: 0 }, /1 to 100 at a time/);
  await refused({ parallelism: 101 }, /1 to 100 at a time/);
  await refused({ fromMs: Number.NaN }, /ends after it begins/);
  await control.triggers.deploy(scope, newTrigger({ name: "by-hand", automation: { type: "none" } }));
  await assert.rejects(
    control.backfills.create(scope, { ...name, name: "by-hand" }, { ...plan, id: null }),
    /Only a trigger with a schedule/,
  );
  await assert.rejects(control.backfills.get(scope, "none"), { code: "not_found" });
});

test("a rate without a start is counted backwards, so that its past is in step with its future", async (t) => {
  const ground = await opened(t);
  const automation = { ...every(10), schedule: { type: "rate", everyMinutes: 10, startAtMs: null } } as const;
  await ground.control.triggers.deploy(scope, newTrigger({ name: "rate", automation }));
  const preview = await ground.control.backfills.preview(
    scope,
    { ...name, name: "rate" },
    { ...plan, fromMs: at(-30), beforeMs: at(1), count: 10 },
  );
  assert.deepEqual(
    preview.first.map(({ atMs }) => atMs),
    [at(-30), at(-20), at(-10), at(0)],
  );
});
