// How a machine is used and shared: nothing is oversold, nobody starves, little is left idle. The trace is
// of 1,000 tasks as a data team's day has them: cores, GiB of memory, GPUs, seconds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Machine, Resources } from "../core/resources.ts";
import { type SimulatedRun, type Span, simulate, type Work } from "./simulated-machine.fixture.ts";

const gib = 2 ** 30;

const machine: Machine = {
  cpuMillis: 32_000,
  memoryBytes: 128 * gib,
  diskBytes: 1_000 * gib,
  gpus: Array.from({ length: 4 }, (_, index) => ({ index, model: "A100", memoryBytes: null })),
  tokens: {},
};

const needs = (cores: number, memoryGib = 0, gpus = 0): Resources => ({
  cpuMillis: cores * 1_000,
  memoryBytes: memoryGib === 0 ? null : memoryGib * gib,
  ...(gpus === 0 ? {} : { gpus: { count: gpus, model: null } }),
});

const cores = ({ resources }: Work): number => resources.cpuMillis / 1_000;
const memory = ({ resources }: Work): number => (resources.memoryBytes ?? 0) / gib;
const gpus = ({ resources }: Work): number => resources.gpus?.count ?? 0;

/** What attempts held together, at the moment when it was most. */
function most(spans: readonly Span[], amount: (work: Work) => number): number {
  const steps = spans.flatMap(({ work, fromS, toS }) => [
    { atS: fromS, change: amount(work) },
    { atS: toS, change: -amount(work) },
  ]);
  steps.sort((a, b) => a.atS - b.atS || a.change - b.change);
  let held = 0;
  let highest = 0;
  for (const { change } of steps) {
    held += change;
    highest = Math.max(highest, held);
  }
  return highest;
}

const works = (count: number, prefix: string, work: Omit<Work, "name">): readonly Work[] =>
  Array.from({ length: count }, (_, index) => ({ ...work, name: `${prefix}-${index}` }));

const only = (list: readonly Work[]): readonly SimulatedRun[] => [{ name: "day", works: list }];

test("a recorded day of 1,000 tasks of mixed sizes ends within 15 % of the best packing, and oversells nothing", async (t) => {
  const text = readFileSync(join(import.meta.dirname, "utilisation.trace.json"), "utf8");
  const trace = (JSON.parse(text) as [number, number, number, number][]).map(
    ([cpu, memoryGib, devices, seconds], index): Work => ({
      name: `job-${index}`,
      seconds,
      resources: needs(cpu, memoryGib, devices),
    }),
  );
  // No packing can be shorter than the work there is for the kind of resource that is scarcest.
  const area = (amount: (work: Work) => number, total: number): number =>
    trace.reduce((sum, work) => sum + amount(work) * work.seconds, 0) / total;
  const shortestS = Math.max(area(cores, 32), area(memory, 128), area(gpus, 4), ...trace.map(({ seconds }) => seconds));

  const { spans, lengthS } = await simulate(t, only(trace), { machine });
  assert.equal(spans.length, 1_000);
  assert.ok(most(spans, cores) <= 32 && most(spans, memory) <= 128 && most(spans, gpus) <= 4);
  t.diagnostic(`${Math.round(lengthS)} s, ${((lengthS / shortestS - 1) * 100).toFixed(1)} % over the shortest`);
  assert.ok(lengthS <= shortestS * 1.15, `${lengthS} s, when ${shortestS} s are the least that any packing takes`);
});

test("small work fills the gaps beside a large task that waits, and does not starve it", async (t) => {
  const list = [
    ...works(32, "early", { seconds: 20, resources: needs(1) }),
    ...works(1, "large", { seconds: 100, resources: needs(32) }),
    ...works(2_000, "small", { seconds: 20, resources: needs(1) }),
  ];
  const { spans } = await simulate(t, only(list), { machine });
  const large = spans.find(({ work }) => work.name === "large-0") as Span;
  // All of the small ones take 1,250 s: without a place kept for it, it would come last.
  assert.ok(large.fromS <= 60, `the large one started after ${large.fromS} s`);
  const beside = works(1, "gpu", { seconds: 100, resources: needs(1, 0, 4) });
  const gaps = await simulate(
    t,
    only([
      ...beside,
      ...works(1, "next", { seconds: 10, resources: needs(1, 0, 4) }),
      ...works(500, "small", { seconds: 5, resources: needs(1) }),
    ]),
    { machine },
  );
  const before = gaps.spans.filter(({ work, toS }) => work.name.startsWith("small") && toS <= 100);
  assert.equal(before.length, 500, "who needs no GPU does not wait for those who do");
});

test("projects share by their weights, whoever came first and however much they ask for", async (t) => {
  const work = { seconds: 10, resources: needs(1) };
  const { spans } = await simulate(
    t,
    [
      { name: "big", project: "greedy", works: works(3_000, "g", work) },
      { name: "small", project: "modest", works: works(300, "m", work) },
      { name: "favoured", project: "heavy", works: works(300, "h", work) },
    ],
    { machine, shares: { heavy: 2 } },
  );
  // 32 cores by 1 : 1 : 2.
  const at = (run: string, s: number): number =>
    spans.filter((span) => span.run === run && span.fromS <= s && s < span.toS).length;
  const shared = [at("big", 25), at("small", 25), at("favoured", 25)];
  assert.equal(
    shared.reduce((sum, cores) => sum + cores, 0),
    32,
  );
  for (const [index, wanted] of [8, 8, 16].entries())
    assert.ok(Math.abs((shared[index] as number) - wanted) <= 1, `${shared} cores, not 8, 8 and 16`);
  assert.deepEqual([at("big", 5_000 / 8), at("small", 5_000 / 8)], [32, 0], "what nobody else wants is there for all");
});

test("runs of one project take turns, unless one has priority", async (t) => {
  const work = { seconds: 10, resources: needs(1) };
  const runs = (priority: number): readonly SimulatedRun[] => [
    { name: "first", works: works(200, "a", work) },
    { name: "second", priority, works: works(200, "b", work) },
  ];
  const started = (spans: readonly Span[], run: string): number =>
    spans.filter((span) => span.run === run && span.fromS === 10).length;
  const fair = await simulate(t, runs(0), { machine });
  const [first, second] = [started(fair.spans, "first"), started(fair.spans, "second")];
  assert.ok(first + second === 32 && Math.abs(first - second) <= 2, `${first} and ${second} of 32 cores`);
  const urgent = await simulate(t, runs(5), { machine });
  assert.deepEqual([started(urgent.spans, "first"), started(urgent.spans, "second")], [0, 32]);
});

test("a call's own priority puts it before its siblings", async (t) => {
  const list = [
    ...works(100, "usual", { seconds: 10, resources: needs(1) }),
    ...works(5, "urgent", { seconds: 10, resources: needs(1), priority: 10 }),
  ];
  const { spans } = await simulate(t, only(list), { machine: { ...machine, cpuMillis: 1_000 } });
  const order = spans.map(({ work }) => work.name.split("-")[0]);
  assert.equal(order.lastIndexOf("urgent") <= 5, true, `urgent ones came at ${order.lastIndexOf("urgent")}`);
});

test("limits on what is active at once hold, per run, task and project", async (t) => {
  const work = { seconds: 10, resources: needs(1) };
  const limited = await simulate(
    t,
    [
      { name: "narrow", maxConcurrency: 3, works: works(30, "n", work) },
      { name: "wide", project: "capped", works: works(60, "w", work) },
      { name: "other", project: "capped", works: works(60, "o", { seconds: 10, resources: needs(2) }) },
    ],
    { machine, limits: { projects: { capped: 10 }, tasks: { "sim.w2000-0-0": 4 } } },
  );
  const of = (...names: string[]): readonly Span[] => limited.spans.filter(({ run }) => names.includes(run));
  assert.equal(
    most(of("narrow"), () => 1),
    3,
  );
  assert.equal(
    most(of("wide", "other"), () => 1),
    10,
  );
  assert.equal(
    most(of("other"), () => 1),
    4,
  );
});
