// How workers end, and what becomes of what they held.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { maxStartFailures } from "./crew.ts";
import { bench, fixture, isAlive, launchOf, machine, pidOf } from "./pool-bench.fixture.ts";

test("a worker killed by kill -9 costs the active attempt, and interrupts the waiting ones", async (t) => {
  const { pool, control, launch, ends, until, marks, free } = bench(t);
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1 && free() === 1);
  const active = launch("deaf");
  pool.ensureLaunched([active]);
  await until(() => marks().length === 1);
  process.kill(pid, "SIGKILL");
  assert.deepEqual(await ends(active, parent), [
    "system WorkerLost: The worker process was killed by SIGKILL (out of memory?).",
    "interrupted",
  ]);
  const next = launch("echo", "again");
  pool.ensureLaunched([next]);
  assert.deepEqual(await ends(next), ["again"]);
  assert.notEqual(await pidOf(pool), pid);
});

test("a worker that dies costs who had gone on from a trace, and interrupts those whose traces are on their way", async (t) => {
  const { pool, control, launch, ends, until, admit } = bench(t);
  for (let round = 0; round < 8; round++) {
    const one = launch("traces", "warm");
    pool.ensureLaunched([one]);
    await ends(one);
  }
  control.holdsTraces = true;
  const guilty = launch("traces", "a killed");
  const innocent = launch("traces", "b");
  assert.equal(admit([innocent, guilty]), 2);
  await until(() => control.traces.size === 2);
  control.traces.get("a")?.resolve();
  assert.deepEqual(await ends(guilty, innocent), [
    "system WorkerLost: The worker process was killed by SIGKILL (out of memory?).",
    "interrupted",
  ]);
});

test("a report that a worker wrote whole before it was killed counts; one of which half came is none", async (t) => {
  const { pool, launch, ends, outcomes } = bench(t);
  const whole = launch("reports and dies", "done");
  pool.ensureLaunched([whole]);
  assert.deepEqual(await ends(whole), ["done"]);
  const half = launch("dies reporting", "done");
  pool.ensureLaunched([half]);
  assert.match((await ends(half))[0] as string, /^system WorkerLost: .*SIGKILL/);
  const next = launch("echo", "again");
  pool.ensureLaunched([next]);
  assert.deepEqual(await ends(next), ["again"]);
  assert.equal(outcomes.length, 3);
});

test("a task that is not known to be quick is not sent behind one that is: the worker's end does not touch it", async (t) => {
  const { pool, launch, ends, admit } = bench(t);
  const pid = await pidOf(pool);
  for (let round = 0; round < 8; round++) {
    const one = launch("moody");
    pool.ensureLaunched([one]);
    await ends(one);
  }
  const quick = [launch("moody"), launch("moody")];
  const unknown = launch("echo", "untouched");
  assert.equal(admit([...quick]), 2);
  pool.ensureLaunched([unknown]);
  process.kill(pid, "SIGKILL");
  const [first, second, third] = await ends(...quick, unknown);
  assert.match(first as string, /WorkerLost/);
  assert.deepEqual([second, third], ["interrupted", "untouched"]);
});

test("a task that takes its process down at once is the one that fails", async (t) => {
  const { pool, launch, ends } = bench(t);
  const killed = launch("killed");
  const exits = launch("exits", "3");
  const dies = launch("calls and dies");
  const garbles = launch("breaks the stream");
  pool.ensureLaunched([killed, exits, dies, garbles]);
  const [first, second, third, fourth] = await ends(killed, exits, dies, garbles);
  assert.match(first as string, /^system WorkerLost: .*SIGKILL/);
  assert.match(second as string, /^user WorkerLost: The task's code called process\.exit\(3\) at .*pool\.fixture\.ts/);
  assert.match(third as string, /^system WorkerLost: .*SIGABRT/);
  assert.match(fourth as string, /^system WorkerLost: The worker process sent what cannot be read .*this is no JSON/);
});

test("a task that fills the heap fails with a code of its own", async (t) => {
  process.env.NODE_OPTIONS = "--max-old-space-size=40";
  t.after(() => delete process.env.NODE_OPTIONS);
  const { pool, launch, ends } = bench(t);
  const full = launch("fills the heap");
  pool.ensureLaunched([full]);
  const [text] = await ends(full);
  assert.match(text as string, /^system OutOfMemory: .*--max-old-space-size/);
});

test("an error that nobody caught ends the attempt that it belongs to, and no other", async (t) => {
  const { pool, control, launch, ends, until } = bench(t);
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1);
  const later = launch("throws later", "late");
  const aside = launch("rejects aside", "aside");
  pool.ensureLaunched([later, aside]);
  assert.deepEqual(await ends(later, aside), ["user RangeError: late", "user RangeError: aside"]);
  control.end("c1", "one");
  assert.deepEqual(await ends(parent), ["one"]);
  assert.equal(await pidOf(pool), pid);
});

test("a busy loop that is stopped takes its worker with it; others are interrupted, not charged", async (t) => {
  const { pool, control, launch, ends, outcomes, until, marks, free } = bench(t, { stopGraceMs: 50 });
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1 && free() === 1);
  const spinning = launch("spin");
  pool.ensureLaunched([spinning]);
  await until(() => marks().length === 1);
  pool.stop([spinning], "timed out");
  assert.deepEqual(await ends(parent), ["interrupted"]);
  assert.deepEqual(
    outcomes.map(({ action }) => action),
    [parent.action],
  );
  assert.equal(isAlive(pid), false);
});

test("workers that cannot start are given up after a few tries, with their own words", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = join(dir, "broken.ts");
  writeFileSync(program, `console.error("cannot work here");\nprocess.exit(9);\n`);
  const { pool, launch, ends } = bench(t, { program: new URL(`file://${program}`) });
  const one = launch("echo");
  pool.ensureLaunched([one]);
  const described = assert.rejects(pool.describe("b", "/"), { code: "unavailable", message: /cannot work here/ });
  const [text] = await ends(one);
  assert.match(text as string, new RegExp(`cannot be started \\(tried ${maxStartFailures} times\\).*code 9`));
  await described;
});

test("no process is left after close, not even of a busy loop", async (t) => {
  const { pool, launch, until, marks, free } = bench(t, { workers: 2 });
  const pid = await pidOf(pool);
  pool.ensureLaunched([launch("spin"), launch("hang")]);
  await until(() => marks().length === 2);
  await pool.close();
  assert.equal(isAlive(pid), false);
  assert.deepEqual(pool.running(), []);
  assert.equal(free(), 0);
  await assert.rejects(pool.describe("b", "/"), { code: "unavailable" });
});

test("no worker outlives a pool's process that is killed by kill -9", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = `
    import { Capacity } from ${JSON.stringify(new URL("./capacity.ts", import.meta.url).href)};
    import { workerPool } from ${JSON.stringify(new URL("./pool.ts", import.meta.url).href)};
    const capacity = new Capacity({ machine: ${JSON.stringify(machine)}, limits: {} });
    const pool = workerPool({ dataDir: "/", capacity, workers: 1, calls: {}, logs: { append() {} }, program: new URL(${JSON.stringify(fixture.href)}) });
    const { entry } = await pool.describe("b", "/");
    pool.ensureLaunched([${JSON.stringify(launchOf(dir, "spin", "", "a"))}]);
    console.log(entry.slice(3));
  `;
  const parent = spawn(process.execPath, ["--conditions=source", "--input-type=module", "--eval", program]);
  const pid = Number(String((await once(parent.stdout, "data"))[0]));
  assert.ok(isAlive(pid));
  parent.kill("SIGKILL");
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
});
