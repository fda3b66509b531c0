// A machine on which attempts take just as long as they say, in a clock that is moved by hand: the real
// engine, store, control and capacity, with an executor that starts nothing. The root makes all the
// calls that it is given and ends when they have ended.
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type Control, openControl, type Scope } from "../control/control.ts";
import { noTimeouts } from "../core/action.ts";
import type { AttemptRef, Call, Launch, Outcome } from "../core/messages.ts";
import { attemptId, maxCallsPerRequest } from "../core/messages.ts";
import type { ConcurrencyLimits, Machine, Resources, Shares, WaitReason } from "../core/resources.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import { emptyPayload } from "../core/value.ts";
import { Capacity } from "../executor/capacity.ts";
import type { Executor, Kept, Wanted } from "../executor/executor.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { FakeClock } from "../testing/clock.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { Engine } from "./engine.ts";

export type Work = {
  readonly name: string;
  readonly seconds: number;
  readonly resources: Resources;
  readonly priority?: number;
};

/** One attempt, from its launch to its end, in seconds from the start. */
export type Span = { readonly work: Work; readonly run: string; readonly fromS: number; readonly toS: number };

export type SimulatedRun = {
  readonly name: string;
  readonly project?: string;
  readonly priority?: number;
  readonly maxConcurrency?: number;
  readonly works: readonly Work[];
};

const startMs = Date.UTC(2026, 0, 1);

const specOf = (name: string, resources: Resources, more: Partial<TaskSpec> = {}): TaskSpec => ({
  name: `sim.${name}`,
  shortName: name,
  environment: "sim",
  description: null,
  location: null,
  interface: { inputs: [], outputs: [] },
  target: { type: "typescript" },
  resources,
  retries: defaultRetries,
  timeouts: noTimeouts,
  cache: { type: "off" },
  env: {},
  code: { type: "known", modules: {}, packages: {} },
  ...more,
});

const root = specOf("root", { cpuMillis: 1, memoryBytes: null });

export type Simulation = {
  /** Every attempt that was started, in that order; the roots' are left out. */
  readonly spans: readonly Span[];
  /** From the first start to the last end, in seconds. */
  readonly lengthS: number;
  readonly reasons: ReadonlyMap<string, WaitReason>;
};

/** Starts all runs at once and follows them to their ends. */
export async function simulate(
  t: TestContext,
  runs: readonly SimulatedRun[],
  options: { readonly machine: Machine; readonly limits?: ConcurrencyLimits; readonly shares?: Shares },
): Promise<Simulation> {
  const clock = new FakeClock(startMs);
  const store = await openSqliteStore({ path: ":memory:" });
  const blobs = memoryBlobs();
  let engine: Engine | null = null;
  const control = openControl({
    store,
    blobs,
    logs: { read: async function* () {} },
    nowMs: () => clock.nowMs(),
    randomBytes,
    onAbort: () => undefined,
    starter: () => engine?.starter ?? null,
  });
  const capacity = new Capacity({ machine: options.machine, limits: options.limits ?? {} });
  const executor = new SimulatedExecutor(clock, control, capacity);
  await store.register({ id: "sim", pid: process.pid, host: "test", startedAtMs: startMs });
  const shares = options.shares ?? {};
  engine = new Engine({ id: "sim", store, blobs, executors: [executor], capacity, shares, clock });
  t.after(async () => {
    await engine.close();
    await store.close();
  });
  const served = await Promise.all(
    runs.map(async ({ name, project = "default", works, priority, maxConcurrency }) => {
      const manifest = manifestOf(name, works);
      const scope: Scope = { project, domain: "development", caller: "test" };
      const { run } = await control.createRun(scope, {
        name,
        manifest,
        task: root.name,
        inputs: {},
        source: { file: "/sim.ts", projectDir: "/" },
        overwriteCache: false,
        recovers: null,
        ...(priority === undefined ? {} : { priority }),
        ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
      });
      executor.expect(run.id, works);
      return run.id;
    }),
  );
  let left = served.length;
  for (const run of served) {
    engine.serve(run).then(
      () => (left -= 1),
      () => (left -= 1),
    );
  }
  while (left > 0) {
    await settled(() => engine.isIdle && executor.isIdle);
    if (left === 0) break;
    const nextMs = clock.nextAlarmMs();
    if (nextMs === null) throw new Error("nothing runs and nothing will");
    clock.advanceTo(nextMs);
  }
  const { spans } = executor;
  const lengthS = Math.max(...spans.map(({ toS }) => toS)) - Math.min(...spans.map(({ fromS }) => fromS));
  return { spans, lengthS, reasons: executor.reasons };
}

/** Turns of the event loop, until nothing more will happen by itself. */
async function settled(isIdle: () => boolean): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    quiet = isIdle() ? quiet + 1 : 0;
  }
}

const taskOf = (work: Work): string =>
  `w${work.resources.cpuMillis}-${work.resources.memoryBytes ?? 0}-${work.resources.gpus?.count ?? 0}`;

function manifestOf(name: string, works: readonly Work[]): Manifest {
  const tasks = new Map(works.map((work) => [taskOf(work), specOf(taskOf(work), work.resources)]));
  return { bundle: `bundle-${name}`, entry: "sim.ts", tasks: [root, ...tasks.values()] };
}

class SimulatedExecutor implements Executor {
  readonly spans: Span[] = [];
  readonly reasons = new Map<string, WaitReason>();
  readonly #clock: FakeClock;
  readonly #control: Control;
  readonly #capacity: Capacity;
  readonly #works = new Map<number, ReadonlyMap<string, Work>>();
  readonly #running = new Map<string, AttemptRef>();
  #outcomes: Outcome[] = [];
  #asked = 0;
  #wake: () => void = () => undefined;

  constructor(clock: FakeClock, control: Control, capacity: Capacity) {
    this.#clock = clock;
    this.#control = control;
    this.#capacity = capacity;
  }

  expect(run: number, works: readonly Work[]): void {
    this.#works.set(run, new Map(works.map((work) => [work.name, work])));
  }

  get isIdle(): boolean {
    return this.#asked === 0 && this.#outcomes.length === 0;
  }

  accepts(): boolean {
    return true;
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    const reason = this.#capacity.take(wanted, kept);
    if (reason !== null) this.reasons.set(wanted.action, reason);
    return reason;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) this.#capacity.give(attemptId(attempt));
  }

  ensureLaunched(launches: readonly Launch[]): void {
    for (const launch of launches) {
      const { run, action, attempt } = launch;
      this.#running.set(attemptId(launch), { run, action, attempt });
      if (launch.spec.name === root.name) this.#callAll(launch);
      else this.#work(launch);
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...this.#running.values()];
  }

  stop(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) this.#forget(attempt);
  }

  start(wake: () => void): void {
    this.#wake = wake;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #work(launch: Launch): void {
    const work = this.#works.get(launch.run)?.get(launch.action) as Work;
    const fromMs = this.#clock.nowMs();
    const toMs = fromMs + work.seconds * 1_000;
    this.spans.push({ work, run: launch.runName, fromS: (fromMs - startMs) / 1_000, toS: (toMs - startMs) / 1_000 });
    this.#clock.at(toMs, () => this.#end(launch));
  }

  #callAll(launch: Launch): void {
    const works = [...(this.#works.get(launch.run) as ReadonlyMap<string, Work>).values()];
    const calls = works.map(
      (work): Call => ({
        type: "task",
        name: work.name,
        isNamed: true,
        task: `sim.${taskOf(work)}`,
        overrides: work.priority === undefined ? {} : { priority: work.priority },
        group: null,
        identity: "0".repeat(64),
        inputs: emptyPayload,
        inputsHash: "0".repeat(64),
        inputHashes: {},
      }),
    );
    this.#capacity.pause(attemptId(launch));
    this.#asked += 1;
    const all = async (): Promise<void> => {
      const ended = this.#control.follow(launch, new AbortController().signal)[Symbol.asyncIterator]();
      const first = ended.next();
      for (let at = 0; at < calls.length; at += maxCallsPerRequest)
        await this.#control.call(launch, calls.slice(at, at + maxCallsPerRequest));
      this.#asked -= 1;
      let left = calls.length;
      for (let next = await first; !next.done; next = await ended.next()) {
        left -= next.value.length;
        if (left === 0) break;
      }
      this.#end(launch);
    };
    void all();
  }

  #end({ run, action, attempt }: AttemptRef): void {
    if (!this.#running.has(attemptId({ run, action, attempt }))) return;
    this.#forget({ run, action, attempt });
    this.#outcomes.push({ run, action, attempt, result: { type: "succeeded", outputs: emptyPayload } });
    this.#wake();
  }

  #forget(attempt: AttemptRef): void {
    this.#running.delete(attemptId(attempt));
    this.#capacity.give(attemptId(attempt));
  }
}
