// Workers that are stopped (SIGSTOP) and perhaps continued: alive, and of no use.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bench, isAlive, pidOf } from "./pool-bench.fixture.ts";
import { processState } from "./process-state.ts";

/** Short: all tests wait for it. */
const stoppedLeaseMs = 120;

/** Stopped when this resolves; continued, if it still lives, when the test has ended. */
async function stop(t: TestContext, pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  t.after(() => {
    if (isAlive(pid)) process.kill(pid, "SIGCONT");
  });
  while ((await processState(pid))?.isStopped !== true);
}

test("a worker that stays stopped is lost: its task costs the system a retry, who waits in it nothing, and it never comes back", async (t) => {
  const { pool, control, launch, ends, until, marks, texts } = bench(t, { stoppedLeaseMs });
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1);
  const active = launch("gate", "open");
  pool.ensureLaunched([active]);
  await until(() => marks().length === 1);
  await stop(t, pid);
  const words = `The worker process ${pid} was stopped (SIGSTOP) for more than 0.12 s, so it was given up and killed.`;
  assert.deepEqual(await ends(active, parent), [`system WorkerLost: ${words}`, "interrupted"]);
  assert.ok(texts.includes(words));
  assert.equal(isAlive(pid), false, "nobody can continue it any more");
  const again = { ...active, attempt: 2 };
  pool.ensureLaunched([again]);
  await until(() => marks().length === 2);
  writeFileSync(join(active.projectDir, "open"), "");
  assert.match((await ends(again))[0] as string, /^through in/);
});

test("a worker with tasks that only wait is missed as well", async (t) => {
  const { pool, control, launch, ends, until } = bench(t, { stoppedLeaseMs });
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1);
  await stop(t, pid);
  assert.deepEqual(await ends(parent), ["interrupted"]);
  assert.equal(isAlive(pid), false);
});

test("a task that computes for longer than that, and answers nobody, is left alone", async (t) => {
  const { pool, launch, ends } = bench(t, { stoppedLeaseMs });
  const pid = await pidOf(pool);
  const busy = launch("spins for", String(stoppedLeaseMs * 5));
  pool.ensureLaunched([busy]);
  assert.deepEqual(await ends(busy), [String(stoppedLeaseMs * 5)]);
  assert.equal(await pidOf(pool), pid);
});

test("a worker that is continued in time goes on, however often", async (t) => {
  const { pool, launch, ends, until, marks } = bench(t, { stoppedLeaseMs: 60_000 });
  const pid = await pidOf(pool);
  const one = launch("gate", "open");
  pool.ensureLaunched([one]);
  await until(() => marks().length === 1);
  for (let time = 0; time < 3; time++) {
    await stop(t, pid);
    process.kill(pid, "SIGCONT");
  }
  writeFileSync(join(one.projectDir, "open"), "");
  assert.deepEqual(await ends(one), [`through in ${pid}`]);
});

test("what a worker reports after its attempt was given up is refused: another has done the work", async (t) => {
  const { pool, launch, ends, until, marks, outcomes } = bench(t, { workers: 2, stopGraceMs: 60_000 });
  const first = launch("gate", "open");
  pool.ensureLaunched([first]);
  const ran = (): readonly number[] => marks().map(Number).filter(Boolean);
  await until(() => ran().length === 1);
  const pid = ran()[0] as number;
  await stop(t, pid);
  // As the engine does when the attempt's time is over.
  pool.stop([first], "its time is over");
  const second = { ...first, attempt: 2 };
  pool.ensureLaunched([second]);
  await until(() => ran().length === 2);
  writeFileSync(join(first.projectDir, "open"), "");
  const [end] = await ends(second);
  const other = ran()[1] as number;
  assert.equal(end, `through in ${other}`);
  assert.notEqual(other, pid);
  process.kill(pid, "SIGCONT");
  // The first worker reports, and only then takes work again.
  pool.ensureLaunched([launch("gate", "later"), launch("gate", "later")]);
  await until(() => ran().length === 4);
  assert.deepEqual(new Set(ran().slice(2)), new Set([pid, other]));
  assert.deepEqual(
    outcomes.map(({ attempt }) => attempt),
    [2],
  );
});
