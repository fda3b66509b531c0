// The books of what there is: never more is given out than that, and nobody waits for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AttemptRef, attemptId } from "../core/messages.ts";
import type { ConcurrencyLimits, Machine, Resources, WaitReason } from "../core/resources.ts";
import { Capacity } from "./capacity.ts";
import type { Kept, Wanted } from "./executor.ts";
import { Seat } from "./seat.ts";

const a100 = (index: number) => ({ index, model: "NVIDIA A100-SXM4-40GB", memoryBytes: null });
const t4 = (index: number) => ({ index, model: "Tesla T4", memoryBytes: null });

const machine: Machine = {
  cpuMillis: 4_000,
  memoryBytes: 1_000,
  diskBytes: 1_000,
  gpus: [t4(0), a100(1), a100(2)],
  tokens: { licence: 2 },
};

const open = (limits: ConcurrencyLimits = {}, has: Partial<Machine> = {}): Capacity =>
  new Capacity({ machine: { ...machine, ...has }, limits });

let actions = 0;
function wants(resources: Partial<Resources>, more: Partial<Wanted> & { readonly task?: string } = {}): Wanted {
  const all: Resources = { cpuMillis: 0, memoryBytes: null, ...resources };
  const { task = "env.task", ...rest } = more;
  return {
    run: 1,
    action: `n${++actions}`,
    attempt: 1,
    project: "default",
    spec: { name: task, environment: "env", resources: all } as Wanted["spec"],
    resources: all,
    maxConcurrency: null,
    ...rest,
  };
}

const kept = (resources: Partial<Resources>): Kept => ({
  resources: { cpuMillis: 0, memoryBytes: null, ...resources },
  action: "large",
});

/** Where the attempt still waits to resume after all that can happen by itself has happened. */
async function isWaiting(resumed: Promise<void>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([resumed, new Promise((resolve) => setImmediate(resolve, pending))])) === pending;
}

test("each kind of resource is given out up to what there is, and who is refused is told what is missing", () => {
  const cases: readonly [Partial<Resources>, number, Partial<WaitReason>][] = [
    [{ cpuMillis: 1_500 }, 2, { resource: "cpu", asked: 1_500, free: 1_000, total: 4_000 }],
    [{ memoryBytes: 300 }, 3, { resource: "memory", asked: 300, free: 100, total: 1_000 }],
    [{ diskBytes: 1_000 }, 1, { resource: "disk", free: 0 }],
    [{ tokens: { licence: 1 } }, 2, { resource: "token:licence", asked: 1, free: 0, total: 2 }],
    [{ tokens: { seat: 1 } }, 0, { resource: "token:seat", asked: 1, free: 0, total: 0 }],
    [{ gpus: { count: 1, model: null } }, 3, { resource: "gpu", asked: 1, free: 0, total: 3 }],
    [{ gpus: { count: 2, model: "a100" } }, 1, { resource: "gpu:a100", asked: 2, free: 0, total: 2 }],
    [{ gpus: { count: 1, model: "A10" } }, 0, { resource: "gpu:A10", total: 0 }],
    [{ cpuMillis: 5_000 }, 0, { resource: "cpu", asked: 5_000, free: 4_000, total: 4_000 }],
  ] as never;
  for (const [resources, fitting, reason] of cases) {
    const capacity = open();
    for (let n = 0; n < fitting; n++) assert.equal(capacity.take(wants(resources), null), null);
    const refused = capacity.take(wants(resources), null);
    assert.deepEqual({ ...refused, ...reason }, refused, JSON.stringify(resources));
    assert.equal(refused?.type, "resource");
  }
});

test("what an attempt holds is not set aside for it again, by another who means to start it", () => {
  const capacity = open();
  const wanted = wants({ cpuMillis: 1_000, memoryBytes: 100 });
  assert.equal(capacity.take(wanted, null), null);
  const before = capacity.usage();
  assert.deepEqual(capacity.take(wanted, null), { type: "turn" });
  capacity.pause(attemptId(wanted));
  assert.deepEqual(capacity.take(wanted, null), { type: "turn" }, "nor while it is paused");
  capacity.resume(attemptId(wanted));
  assert.deepEqual(capacity.usage(), before);
  capacity.give(attemptId(wanted));
  assert.equal(capacity.take(wanted, null), null);
});

test("until the driver has told of the GPUs, who asks for one waits for its turn and others do not", async () => {
  const capacity = open({}, { gpus: [] });
  const told = Promise.withResolvers<Machine["gpus"]>();
  capacity.expectGpus(told.promise);
  const wanted = wants({ gpus: { count: 1, model: "T4" } });
  assert.deepEqual(capacity.take(wanted, null), { type: "turn" });
  assert.equal(capacity.take(wants({ cpuMillis: 1_000 }), null), null);
  const hasRoom = new Promise<void>((resolve) => capacity.onRoom(resolve));
  told.resolve(machine.gpus);
  await hasRoom;
  assert.equal(capacity.take(wanted, null), null);
  assert.deepEqual(capacity.devices(attemptId(wanted)), [0]);
});

test("a GPU is chosen by its model, is its attempt's own until that has ended, and others are kept for who needs them", async () => {
  const capacity = open();
  const model = wants({ gpus: { count: 1, model: "nvidia a100" } });
  assert.equal(capacity.take(model, null), null);
  assert.deepEqual(capacity.devices(attemptId(model)), [1]);
  const any = wants({ gpus: { count: 1, model: null } });
  assert.equal(capacity.take(any, kept({ gpus: { count: 1, model: "A100" } })), null);
  assert.deepEqual(capacity.devices(attemptId(any)), [0]);
  const refused = capacity.take(
    wants({ gpus: { count: 1, model: null } }),
    kept({ gpus: { count: 1, model: "A100" } }),
  );
  assert.deepEqual(refused, { type: "reserved", resource: "gpu:A100", action: "large" });
  // While it waits for its calls another has the device; it goes on with the very same one.
  capacity.pause(attemptId(model));
  const other = wants({ gpus: { count: 2, model: "A100" } });
  assert.equal(capacity.take(other, null), null);
  const resumed = capacity.resume(attemptId(model));
  assert.ok(await isWaiting(resumed));
  capacity.give(attemptId(other));
  await resumed;
  assert.deepEqual(capacity.held(), { "gpu:0": 1, "gpu:1": 1 });
});

test("limits on what may be active at once hold, and tell which of them is full", () => {
  const capacity = open({ run: 5, projects: { p: 1 }, environments: { env: 4 }, tasks: { "env.rare": 1 } });
  const refusal = (wanted: Wanted): string => {
    const reason = capacity.take(wanted, null);
    return reason?.type === "limit" ? `${reason.of} ${reason.name} ${reason.limit}` : String(reason?.type ?? null);
  };
  assert.equal(refusal(wants({}, { project: "p", task: "env.rare" })), "null");
  assert.equal(refusal(wants({}, { task: "env.rare" })), "task env.rare 1");
  assert.equal(refusal(wants({}, { project: "p" })), "project p 1");
  assert.equal(refusal(wants({}, { maxConcurrency: 1 })), "run 1 1");
  for (let n = 0; n < 3; n++) assert.equal(refusal(wants({}, { run: 2 })), "null");
  assert.equal(refusal(wants({}, { run: 3 })), "environment env 4");
  const limited = { ...wants({}), spec: { ...wants({}).spec, environment: "other", concurrency: 1 } };
  assert.equal(refusal(limited), "null");
  assert.equal(refusal({ ...limited, action: "next" }), "task env.task 1");
  capacity.pause(attemptId(limited));
  assert.equal(refusal({ ...limited, action: "next" }), "null", "who only waits for calls takes no place");
});

test("what is kept for a large one is left alone; what it does not ask for is for all", () => {
  const capacity = open();
  assert.equal(capacity.take(wants({ cpuMillis: 1_000, memoryBytes: 500 }), null), null);
  const large = kept({ cpuMillis: 2_000, memoryBytes: 400 });
  assert.deepEqual(capacity.take(wants({ memoryBytes: 200 }), large), {
    type: "reserved",
    resource: "memory",
    action: "large",
  });
  assert.equal(capacity.take(wants({ cpuMillis: 1_000, memoryBytes: 100 }), large), null, "the gap is filled");
  assert.equal(capacity.take(wants({ cpuMillis: 1 }), large)?.type, "reserved");
  assert.equal(capacity.take(wants({ diskBytes: 1_000 }), large), null);
  const never = kept({ cpuMillis: 9_000 });
  assert.equal(capacity.take(wants({ cpuMillis: 2_000 }), never), null, "what can never be given is not waited for");
});

test("attempts that share a worker need the CPU of the largest of them, and nobody can stay there for ever", () => {
  const capacity = open();
  const seat = new Seat();
  const first = wants({ cpuMillis: 2_000 });
  assert.equal(capacity.take(first, null, seat), null);
  const second = wants({ cpuMillis: 1_000 });
  assert.equal(capacity.take(second, null, seat), null);
  assert.equal(capacity.usage().cpu?.used, 2_000);
  assert.equal(capacity.take(wants({ cpuMillis: 1_000 }), kept({ cpuMillis: 3_000 }), seat)?.type, "reserved");
  capacity.give(attemptId(first));
  assert.equal(capacity.usage().cpu?.used, 1_000);
  assert.equal(capacity.take(wants({ cpuMillis: 3_000 }), null), null);
  assert.equal(capacity.sit(attemptId(second), new Seat()), true);
  assert.equal(capacity.take(wants({ cpuMillis: 1_000 }), null)?.type, "resource");
});

test("a paused parent with all of the machine is no obstacle to what it waits for, at any depth", async () => {
  const capacity = open({ run: 1 });
  const whole = { cpuMillis: 4_000, memoryBytes: 1_000, tokens: { licence: 2 }, gpus: { count: 3, model: null } };
  const chain = Array.from({ length: 50 }, () => wants(whole));
  for (const parent of chain) {
    assert.equal(capacity.take(parent, null), null);
    capacity.pause(attemptId(parent), 900);
  }
  for (const parent of chain.reverse()) {
    await capacity.resume(attemptId(parent));
    capacity.give(attemptId(parent));
  }
  assert.deepEqual(capacity.held(), {});
});

test("memory that a paused process still has is left alone, unless nobody could go on otherwise", async () => {
  const capacity = open();
  const parent = wants({ memoryBytes: 600 });
  assert.equal(capacity.take(parent, null), null);
  capacity.pause(attemptId(parent), 500);
  const child = wants({ memoryBytes: 800 });
  assert.equal(capacity.take(child, null), null, "it is what everybody waits for");
  assert.equal(capacity.take(wants({ memoryBytes: 100 }), null)?.type, "resource");
  capacity.give(attemptId(child));
  assert.equal(capacity.take(wants({ memoryBytes: 400 }), null), null);
  assert.equal(capacity.take(wants({ memoryBytes: 101 }), null)?.type, "resource");
  await capacity.resume(attemptId(parent));
});

test("one that resumes is asked for beside other processes, and waits while they hold it", async () => {
  const capacity = open();
  const parent = wants({ memoryBytes: 600 });
  capacity.take(parent, null);
  capacity.pause(attemptId(parent));
  const answers = [false, true];
  const declared: unknown[] = [];
  capacity.confirm = async () => {
    declared.push(capacity.held());
    return answers.shift() ?? false;
  };
  const resumed = capacity.resume(attemptId(parent));
  assert.ok(await isWaiting(resumed));
  assert.deepEqual([declared, capacity.held()], [[{ memory: 600 }], {}]);
  capacity.setOthers({ memory: 500 });
  assert.ok(await isWaiting(resumed), "there is no room, so nobody is asked");
  assert.equal(declared.length, 1);
  capacity.setOthers({ memory: 100 });
  await resumed;
  assert.deepEqual(capacity.held(), { memory: 600 });
});

type Step =
  | { readonly type: "take"; readonly resources: Resources; readonly seat: number; readonly kept: Resources | null }
  | { readonly type: "pause" | "resume" | "give"; readonly which: number }
  | { readonly type: "others"; readonly memory: number; readonly gpu: number };

const resourcesArbitrary: fc.Arbitrary<Resources> = fc.record(
  {
    cpuMillis: fc.integer({ min: 0, max: 4_000 }),
    memoryBytes: fc.option(fc.integer({ min: 1, max: 1_000 })),
    diskBytes: fc.integer({ min: 0, max: 1_000 }),
    gpus: fc.record({ count: fc.integer({ min: 0, max: 2 }), model: fc.constantFrom(null, "A100") }),
    tokens: fc.constantFrom({}, { licence: 1 }, { licence: 2 }),
  },
  { requiredKeys: ["cpuMillis", "memoryBytes"] },
);

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant("take" as const),
    resources: resourcesArbitrary,
    seat: fc.nat(4),
    kept: fc.option(resourcesArbitrary, { freq: 4 }),
  }),
  fc.record({ type: fc.constantFrom("pause" as const, "resume" as const, "give" as const), which: fc.nat(20) }),
  fc.record({ type: fc.constant("others" as const), memory: fc.nat(500), gpu: fc.nat(2) }),
);

/** What the books ought to hold, by adding up. */
class Model {
  readonly capacity = open({ environments: { env: 6 } });
  readonly seats = Array.from({ length: 4 }, () => new Seat());
  readonly known: { readonly wanted: Wanted; readonly seat: number; isPaused: boolean; waits: boolean }[] = [];

  run(step: Step): void {
    if (step.type === "take") this.#take(step);
    else if (step.type === "others") this.capacity.setOthers({ memory: step.memory, [`gpu:${step.gpu}`]: 1 });
    else if (this.known.length > 0) this.#change(step.type, step.which % this.known.length);
  }

  #take({ resources, seat, kept: reserve }: Extract<Step, { readonly type: "take" }>): void {
    const wanted = wants(resources);
    const before = this.capacity.usage();
    const keep = reserve === null ? null : { resources: reserve, action: "large" };
    if (this.capacity.take(wanted, keep, this.seats[seat] ?? new Seat()) !== null) return;
    this.known.push({ wanted, seat, isPaused: false, waits: false });
    if (reserve === null || resources.memoryBytes === null || (reserve.memoryBytes ?? 0) === 0) return;
    const isPossible = reserve.cpuMillis <= 4_000 && (reserve.gpus?.count ?? 0) <= 2;
    const free = (before.memory?.total ?? 0) - (before.memory?.used ?? 0);
    if (isPossible) assert.ok(free - resources.memoryBytes >= (reserve.memoryBytes ?? 0), "what was kept is left");
  }

  #change(type: "pause" | "resume" | "give", which: number): void {
    const one = this.known[which] as (typeof this.known)[number];
    const id = attemptId(one.wanted);
    if (type === "give") {
      this.capacity.give(id);
      this.known.splice(which, 1);
    } else if (type === "pause") {
      if (one.isPaused) return;
      one.isPaused = true;
      this.capacity.pause(id, one.wanted.resources.memoryBytes ?? 0);
    } else if (one.isPaused && !one.waits) {
      one.waits = true;
      void this.capacity.resume(id).then(() => {
        one.waits = false;
        one.isPaused = false;
      });
    }
  }

  check(): void {
    const held = this.known.filter(({ wanted }) => this.capacity.isHeld(attemptId(wanted)));
    const cpu = new Map<unknown, number>();
    for (const { wanted, seat } of held) {
      const key = this.seats[seat] ?? wanted;
      cpu.set(key, Math.max(cpu.get(key) ?? 0, wanted.resources.cpuMillis));
    }
    const sum = (values: Iterable<number>): number => [...values].reduce((all, value) => all + value, 0);
    assert.equal(this.capacity.usage().cpu?.used, sum(cpu.values()));
    assert.ok(sum(cpu.values()) <= 4_000);
    assert.ok(sum(held.map(({ wanted }) => wanted.resources.memoryBytes ?? 0)) <= 1_000);
    assert.ok(sum(held.map(({ wanted }) => wanted.resources.diskBytes ?? 0)) <= 1_000);
    assert.ok(sum(held.map(({ wanted }) => wanted.resources.tokens?.licence ?? 0)) <= 2);
    assert.ok(held.length <= 6);
    const devices = held.flatMap(({ wanted }) => this.capacity.devices(attemptId(wanted)));
    assert.equal(new Set(devices).size, devices.length, "a device belongs to one");
    for (const { wanted } of held)
      assert.equal(this.capacity.devices(attemptId(wanted)).length, wanted.resources.gpus?.count ?? 0);
  }
}

test("whatever is taken, paused, resumed and given back: never too much, nobody starves, all comes back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 60 }), async (steps) => {
      const model = new Model();
      for (const step of steps) {
        model.run(step);
        await Promise.resolve();
        model.check();
      }
      // When those that hold come to their ends, all that wait to go on do, though others would take more.
      model.capacity.setOthers({});
      for (let round = 0; model.known.length > 0; round++) {
        assert.ok(round < 1_000, "somebody waits for ever");
        const active = model.known.filter(({ isPaused }) => !isPaused);
        const asleep = model.known.filter(({ isPaused, waits }) => isPaused && !waits);
        for (const { wanted } of active.length > 0 ? active : asleep) {
          model.run({ type: "give", which: model.known.findIndex((one) => one.wanted === wanted) });
          model.run({ type: "take", resources: { cpuMillis: 1, memoryBytes: 1 }, seat: 9, kept: null });
          model.known.splice(0, model.known.length, ...model.known.filter((one) => keep(one.wanted, model.capacity)));
        }
        await Promise.resolve();
        model.check();
      }
      assert.deepEqual(model.capacity.held(), {});
      assert.equal(model.capacity.usage().cpu?.used, 0);
    }),
    { numRuns: 300 },
  );
});

/** New ones go again at once: they are only there to be in the way. */
function keep(wanted: AttemptRef & Pick<Wanted, "resources">, capacity: Capacity): boolean {
  const isNew = wanted.resources.cpuMillis === 1 && wanted.resources.memoryBytes === 1;
  if (isNew) capacity.give(attemptId(wanted));
  return !isNew;
}

test("who was refused is told when there is room", async () => {
  const capacity = open();
  let told = 0;
  capacity.onRoom(() => told++);
  const one = wants({ cpuMillis: 4_000 });
  capacity.take(one, null);
  await Promise.resolve();
  assert.equal(told, 0);
  capacity.give(attemptId(one));
  capacity.setOthers({ memory: 100 });
  await Promise.resolve();
  assert.equal(told, 1);
  capacity.setOthers({ memory: 100 });
  await Promise.resolve();
  assert.equal(told, 1, "nothing became free");
  capacity.setOthers({ memory: 99 });
  await Promise.resolve();
  assert.equal(told, 2);
});
