// What the pool does with a machine that has little: shares of it, processes of their own, limits.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { attemptId, type Launch } from "../core/messages.ts";
import type { ConcurrencyLimits, Machine, Resources } from "../core/resources.ts";
import { Capacity } from "./capacity.ts";
import type { PoolOptions } from "./pool.ts";
import { type Bench, bench, isAlive, machine, pidOf } from "./pool-bench.fixture.ts";

const gibibyte = 2 ** 30;
const mebibyte = 2 ** 20;

type Has = Partial<Machine> & { readonly limits?: ConcurrencyLimits; readonly idleMs?: number };

function small(t: TestContext, { limits = {}, idleMs, ...has }: Has): Bench & { readonly capacity: Capacity } {
  const capacity = new Capacity({ machine: { ...machine, memoryBytes: gibibyte, ...has }, limits });
  const options: Partial<PoolOptions> = { capacity, workers: 8, ...(idleMs === undefined ? {} : { idleMs }) };
  return { ...bench(t, { ...options, maxProcesses: 8 }), capacity };
}

const asking = (launch: Launch, resources: Partial<Resources>): Launch => {
  const all = { ...launch.resources, ...resources };
  return { ...launch, resources: all, spec: { ...launch.spec, resources: all } };
};

/** As an engine does: launches what may be, again and again, until all have ended. */
async function runAll({ admit, outcomes, until }: Bench, launches: readonly Launch[]): Promise<void> {
  const waiting = [...launches];
  const wanted = outcomes.length + launches.length;
  await until(() => {
    // In another order each time, so that one that has to wait is no obstacle.
    waiting.push(...waiting.splice(0, 1));
    admit(waiting);
    return outcomes.length >= wanted;
  });
}

/** For each moment at which something began: who worked then. */
function* moments(marks: readonly string[]): Generator<readonly (readonly string[])[]> {
  const active = new Map<string, readonly string[]>();
  for (const line of marks) {
    const [what, action, ...rest] = line.split(" ") as [string, string, ...string[]];
    if (what === "begin") active.set(action, rest);
    else active.delete(action);
    yield [...active.values()];
  }
}

test("fractions of a core run side by side, as many as there are", async (t) => {
  const on = small(t, { cpuMillis: 2_000 });
  const waiting = Array.from({ length: 5 }, () => asking(on.launch("gate", "open"), { cpuMillis: 500 }));
  const launches = [...waiting];
  await on.until(() => {
    on.admit(waiting);
    return on.marks().length === 4;
  });
  assert.equal(waiting.length, 1);
  writeFileSync(join(on.dir, "open"), "");
  await runAll(on, waiting);
  assert.equal((await on.ends(...launches)).length, 5);
});

test("what is active at one moment never asks for more CPU than there is", async (t) => {
  const on = small(t, { cpuMillis: 2_000 });
  const shares = [500, 1_000, 500, 2_000, 500, 500, 1_500, 500];
  await runAll(
    on,
    shares.map((cpuMillis) => asking(on.launch("works", "30"), { cpuMillis })),
  );
  for (const active of moments(on.marks())) {
    const used = active.reduce((sum, [cpuMillis]) => sum + Number(cpuMillis), 0);
    assert.ok(used <= 2_000, `${used} at once`);
  }
});

test("a GPU is seen by one attempt at a time, and by none that did not ask for it", async (t) => {
  const gpus = [0, 1].map((index) => ({ index, model: "T4", memoryBytes: null }));
  const on = small(t, { gpus });
  const one = { gpus: { count: 1, model: "T4" } };
  const launches = Array.from({ length: 4 }, () => asking(on.launch("works", "30"), one));
  const both = asking(on.launch("works", "1"), { gpus: { count: 2, model: null } });
  const without = on.launch("works", "1");
  await runAll(on, [...launches, both, without]);
  for (const active of moments(on.marks())) {
    const devices = active.flatMap(([, list]) => (list ?? "").split(",").filter(Boolean));
    assert.equal(new Set(devices).size, devices.length, `shared: ${devices}`);
  }
  const seen = (await on.ends(...launches, both, without)).map((text) => text.split(" ")[1]);
  assert.ok(seen.slice(0, 4).every((devices) => devices === "0" || devices === "1"));
  assert.deepEqual(seen.slice(4), ["0,1", ""]);
});

test("who asks for memory has a process of its own, which the same task may have again", async (t) => {
  const on = small(t, {});
  const memoryBytes = 256 * mebibyte;
  const shared = on.launch("works", "1");
  await runAll(on, [shared]);
  const first = asking(on.launch("works", "1"), { memoryBytes });
  await runAll(on, [first]);
  const again = asking(on.launch("works", "1"), { memoryBytes });
  await runAll(on, [again]);
  const more = asking(on.launch("works", "1"), { memoryBytes: 2 * memoryBytes });
  await runAll(on, [more]);
  const [a, b, c, d] = (await on.ends(shared, first, again, more)).map((text) => text.split(" ")[0]);
  assert.equal(b, c);
  assert.equal(new Set([a, b, d]).size, 3);
  assert.deepEqual(on.capacity.held(), {});
});

test("a task over its memory ends as OOMKilled with the most it held, however it came to it", async (t) => {
  const on = small(t, {});
  const memoryBytes = 160 * mebibyte;
  const slowly = asking(on.launch("takes", "600"), { memoryBytes });
  const heap = asking(on.launch("fills the heap"), { memoryBytes });
  const within = asking(on.launch("takes", "30"), { memoryBytes });
  const launches = [slowly, heap, within];
  // Elsewhere nobody keeps the most that a process has held between two looks.
  if (process.platform === "linux") launches.push(asking(on.launch("takes at once", "400"), { memoryBytes }));
  await runAll(on, launches);
  const [slow, full, fine, fast = slow] = await on.ends(...launches);
  for (const text of [slow, full, fast]) {
    assert.match(String(text), /^user OOMKilled: The attempt ran out of its memory of 160Mi.* held \d+Mi.*onOom/);
  }
  assert.match(String(full), /JavaScript's heap was full/);
  assert.equal(fine, "3");
  assert.ok((on.outcomes.find(({ action }) => action === within.action)?.peakMemoryBytes ?? 0) > 30 * mebibyte);
  assert.deepEqual(on.capacity.held(), {});
});

test("on one core with the memory of one, parents nest: who waits is in nobody's way", async (t) => {
  const on = small(t, { cpuMillis: 1_000, memoryBytes: 256 * mebibyte, limits: { run: 1 } });
  const depth = 5;
  on.control.onCall = (name) => {
    const level = Number(name.slice(1));
    const task = level === depth ? on.launch("echo", "bottom", name) : on.launch("parent", `d${level + 1}`, name);
    const child = asking(task, { memoryBytes: 256 * mebibyte });
    void runAll(on, [child]).then(async () => on.control.end(name, `${(await on.ends(child))[0]}<`));
  };
  const root = asking(on.launch("parent", "d1"), { memoryBytes: 256 * mebibyte });
  await runAll(on, [root]);
  assert.deepEqual(await on.ends(root), [`bottom${"<".repeat(depth)}`]);
});

test("calls nested 60 deep on one core come back, in a few processes", async (t) => {
  const on = small(t, { cpuMillis: 1_000 });
  on.control.onCall = (name) => {
    const level = Number(name.slice(1));
    const child = level === 60 ? on.launch("echo", "bottom", name) : on.launch("parent", `d${level + 1}`, name);
    void runAll(on, [child]).then(async () => on.control.end(name, `${(await on.ends(child))[0]}<`));
  };
  const root = on.launch("parent", "d1");
  await runAll(on, [root]);
  assert.deepEqual(await on.ends(root), [`bottom${"<".repeat(60)}`]);
});

test("a parent goes on only when there is CPU for it again", async (t) => {
  const on = small(t, { cpuMillis: 1_000 });
  const parent = on.launch("parent", "c1");
  const waiting = [parent];
  await on.until(() => on.admit(waiting) > 0);
  await on.until(() => on.control.pending.size === 1);
  const busy = [on.launch("gate", "open")];
  await on.until(() => on.admit(busy) > 0);
  await on.until(() => on.marks().length === 1);
  on.control.end("c1", "one");
  // Whoever comes now comes after the parent.
  const late = [on.launch("works", "1")];
  await on.until(() => on.capacity.usage().cpu?.used === 1_000);
  assert.equal(on.admit(late), 0);
  // Its worker would have told of its end by now.
  for (let time = 0; time < 2; time++) await pidOf(on.pool);
  assert.deepEqual(on.outcomes, []);
  writeFileSync(join(on.dir, "open"), "");
  await on.ends(parent);
  assert.equal(on.outcomes.length, 2);
});

test("a task not known to be quick is kept out of workers in which others wait", async (t) => {
  const on = small(t, { cpuMillis: 4_000 });
  const pid = await pidOf(on.pool);
  const parents = [on.launch("parent", "c1")];
  await on.until(() => on.admit(parents) > 0);
  await on.until(() => on.control.pending.size === 1);
  const child = on.launch("works", "1");
  await runAll(on, [child]);
  assert.notEqual((await on.ends(child))[0], `${pid} none`);
  on.control.end("c1", "one");
  await on.until(() => on.outcomes.length === 2);
});

test("while a trace is recorded others that are quick run in its worker; it keeps its share, and a slow one waits", async (t) => {
  const on = small(t, { cpuMillis: 1_000 });
  for (let round = 0; round < 8; round++) await runAll(on, [on.launch("traces", "warm")]);
  on.control.holdsTraces = true;
  const many = Array.from({ length: 9 }, (_, index) => on.launch("traces", `first${index} second${index}`));
  const [parent] = many as [Launch, ...Launch[]];
  const waiting = [...many];
  assert.equal(on.admit(waiting), 9);
  await on.until(() => on.control.traces.size === 9);
  assert.deepEqual(on.capacity.usage().cpu, { used: 1_000, total: 1_000 });
  assert.ok(many.every((one) => on.capacity.isHeld(attemptId(one))));
  assert.equal(on.free("works"), 0, "one that may be slow would keep them from going on");
  on.control.traces.get("first0")?.resolve();
  await on.until(() => on.control.traces.has("second0"));
  on.control.traces.get("second0")?.resolve();
  const [pid] = await on.ends(parent);
  assert.equal(on.outcomes.length, 9, "eight before, and the first of nine");
  for (const order of ["first", "second"]) {
    await on.until(() => [...on.control.traces.keys()].filter((name) => name.startsWith(order)).length === 8);
    for (const { resolve } of on.control.traces.values()) resolve();
  }
  assert.deepEqual(
    await on.ends(...many),
    Array.from({ length: 9 }, () => pid),
  );
});

test("a task with memory of its own keeps it while its trace is recorded", async (t) => {
  const on = small(t, { memoryBytes: 100 * mebibyte });
  on.control.holdsTraces = true;
  const parents = [asking(on.launch("traces", "one"), { memoryBytes: 100 * mebibyte })];
  const [parent] = parents as [Launch];
  await on.until(() => on.admit(parents) > 0);
  await on.until(() => on.control.traces.size === 1);
  assert.equal(on.admit([asking(on.launch("echo"), { memoryBytes: mebibyte })]), 0);
  on.control.traces.get("one")?.resolve();
  await on.ends(parent);
});

test("a worker that has nothing to do ends after a while; one in which somebody waits does not", async (t) => {
  const on = small(t, { cpuMillis: 4_000, idleMs: 50 });
  const parents = [on.launch("parent", "c1")];
  const parent = parents[0] as Launch;
  await on.until(() => on.admit(parents) > 0);
  await on.until(() => on.control.pending.size === 1);
  const works = on.launch("works", "1");
  await runAll(on, [works]);
  const pid = Number((await on.ends(works))[0]?.split(" ")[0]);
  await on.until(() => !isAlive(pid));
  on.control.end("c1", "one");
  assert.deepEqual(await on.ends(parent), ["one"]);
  const again = on.launch("echo", "again");
  await runAll(on, [again]);
  assert.deepEqual(await on.ends(again), ["again"]);
});

test("an attempt that computes, and says nothing, for longer than a worker may idle is left to its work", async (t) => {
  const on = small(t, { cpuMillis: 1_000, idleMs: 500 });
  // It has idled by then, and nothing more is heard of it before the attempt's end.
  await pidOf(on.pool);
  const spins = on.launch("spins for", "2500");
  const waiting = [spins];
  await on.until(() => on.admit(waiting) > 0);
  assert.deepEqual(await on.ends(spins), ["2500"]);
});
