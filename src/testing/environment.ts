// The engine of "godwit/testing": the real core, store, control and engine over an in-memory database,
// with attempts in this process.
//
// R1  While a run's end or a condition is awaited and nothing is active, time jumps to the next moment that somebody
//     waits for. So retries and timeouts take no real time, and a run that can never end says so.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import { type Control, openControl, type Scope } from "../control/control.ts";
import { type Action, isSuccess, isTerminal, type Phase } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { LogLine } from "../core/messages.ts";
import { rootName } from "../core/names.ts";
import type { Duration } from "../core/quantities.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import { Engine } from "../engine/engine.ts";
import { Capacity } from "../executor/capacity.ts";
import { processExecutor } from "../executor/process.ts";
import { describeParquet } from "../idl/idl.ts";
import type { Context } from "../sdk/context.ts";
import type { Definition } from "../sdk/definition.ts";
import { TaskError } from "../sdk/errors.ts";
import { type Tasks, unbundledTasks } from "../sdk/registry.ts";
import type { InferInput, InferOutput, Schema } from "../sdk/schema.ts";
import type { Task } from "../sdk/task.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { FakeClock } from "./clock.ts";
import { LocalExecutor } from "./local-executor.ts";
import { onTestMachine, testMachine } from "./machine.ts";
import { memoryBlobs } from "./memory-blob.ts";

export type TestGodwitOptions = {
  /** Unix milliseconds at which the clock stands first. */
  readonly startMs?: number;
};

export type TestRun<Out> = {
  readonly name: string;
  /** The outputs; rejects with the TaskError of the root. Time jumps as needed (R1). */
  outputs(): Promise<Out>;
  /** Every action of the run, in order of creation. */
  actions(): Promise<readonly Action[]>;
  /** Resolves when a condition of this name waits. Time jumps as needed (R1). */
  waitsFor(condition: string): Promise<void>;
  signal(condition: string, value: unknown): Promise<void>;
  abort(reason?: string): Promise<void>;
  /** Lines that actions have logged, by action name or by the task's own name; default the root. Shell tasks: what they printed. */
  log(action?: string): Promise<readonly string[]>;
};

export type TestGodwit = {
  readonly clock: FakeClock;
  readonly control: Control;
  /** Starts a run. `recover`: reuse what succeeded in that run. */
  run<I extends Schema | undefined, O extends Schema | undefined>(
    task: Task<I, O>,
    ...args: I extends Schema
      ? [input: InferInput<I>, options?: StartOptions]
      : [input?: undefined, options?: StartOptions]
  ): Promise<TestRun<O extends Schema ? InferOutput<O> : undefined>>;
  /** From now on, calls of the task run this instead, those of a shell task too. Inputs and outputs are still checked. */
  mock<I extends Schema | undefined, O extends Schema | undefined>(
    task: Task<I, O>,
    replacement: (
      input: I extends Schema ? InferOutput<I> : undefined,
      context: Context,
    ) => (O extends Schema ? InferInput<O> : unknown) | Promise<O extends Schema ? InferInput<O> : unknown>,
  ): void;
  /** Moves the clock; callbacks that are due fire at once. */
  advance(duration: Duration): void;
  close(): Promise<void>;
};

export type StartOptions = { readonly name?: string; readonly recover?: string; readonly overwriteCache?: boolean };

const scope: Scope = { project: "default", domain: "development", caller: "test" };

export const testGodwit = async (options: TestGodwitOptions = {}): Promise<TestGodwit> =>
  testGodwitOn({
    clock: new FakeClock(options.startMs),
    store: await openSqliteStore({ path: ":memory:" }),
    blobs: memoryBlobs(),
  });

/** What outlives an engine, so that a crash sweep can start another on it. */
export type TestGround = { readonly clock: FakeClock; readonly store: Store; readonly blobs: BlobStore };

export async function testGodwitOn({ clock, store, blobs }: TestGround): Promise<TestGodwit> {
  const lines: LoggedLine[] = [];
  const logs = {
    append: ({ run, action }: { readonly run: number; readonly action: string }, more: readonly LogLine[]) => {
      lines.push(...more.map(({ text }) => ({ run, action, text })));
    },
    read: async function* (): AsyncIterable<LogLine> {},
  };
  const mocks = new Map<string, Definition["run"]>();
  const tasks = (): Tasks => mocked(unbundledTasks(), mocks);
  let engine: Engine | null = null;
  const control = openControl({
    store,
    blobs,
    logs,
    nowMs: () => clock.nowMs(),
    randomBytes,
    onAbort: () => engine?.reconcile(),
    starter: () => engine?.starter ?? null,
  });
  const tmpDir = await mkdtemp(join(tmpdir(), "godwit-test-"));
  const local = new LocalExecutor({ calls: control, blobs, logs, nowMs: () => clock.nowMs(), tasks, stoodIn: mocks });
  const capacity = new Capacity({ machine: testMachine, limits: {} });
  const shell = onTestMachine(processExecutor({ blobs, logs, capacity, tmpDir, describeTable: describeParquet }));
  const id = `test-${randomBytes(4).toString("hex")}`;
  await store.register({ id, pid: process.pid, host: "test", startedAtMs: clock.nowMs() });
  engine = new Engine({ id, store, blobs, executors: [local, shell], capacity, clock });
  const isIdle = (): boolean => local.isIdle && shell.running().length === 0;
  const parts: Parts = { clock, control, store, engine, lines, isIdle, blobs };

  return {
    clock,
    control,
    run: async (task, ...args) => {
      const [input, start = {}] = args as [unknown?, StartOptions?];
      return startRun(parts, task as Task, input, start) as never;
    },
    mock: (task, replacement) => {
      mocks.set(task.fullName, replacement as Definition["run"]);
    },
    advance: (duration) => clock.advance(duration),
    close: async () => {
      await engine?.close();
      await store.close();
      await rm(tmpDir, { recursive: true, force: true });
    },
  };
}

type LoggedLine = { readonly run: number; readonly action: string; readonly text: string };

type Parts = {
  readonly clock: FakeClock;
  readonly control: Control;
  readonly store: Store;
  readonly engine: Engine;
  readonly blobs: BlobStore;
  readonly lines: readonly LoggedLine[];
  readonly isIdle: () => boolean;
};

function mocked(tasks: Tasks, mocks: ReadonlyMap<string, Definition["run"]>): Tasks {
  return new Map(
    [...tasks].map(([name, definition]) => [
      name,
      mocks.has(name) ? { ...definition, run: mocks.get(name) ?? null } : definition,
    ]),
  );
}

/**
 * The code in a test's process does not change under it, so cached tasks have a key. It can grow by tasks
 * that a test defines on its way: then it is another bundle.
 */
function manifest(): Manifest {
  const tasks = [...unbundledTasks().values()].map(
    (definition): TaskSpec => ({
      ...definition.spec(),
      code: { type: "known", modules: {}, packages: {} },
    }),
  );
  return { bundle: `test-${tasks.length}`, entry: "test", tasks };
}

async function startRun(parts: Parts, task: Task, input: unknown, start: StartOptions): Promise<TestRun<unknown>> {
  const { control, blobs } = parts;
  const inputs = await task.definition.input.encode(input ?? {}, blobs);
  const { run } = await control.createRun(scope, {
    name: start.name ?? null,
    manifest: manifest(),
    task: task.fullName,
    inputs,
    source: { file: "test", projectDir: process.cwd() },
    overwriteCache: start.overwriteCache ?? false,
    recovers: start.recover ?? null,
  });
  const served = parts.engine.serve(run.id);
  served.catch(() => undefined);
  const actions = (): Promise<readonly Action[]> => allActions(control, run.name);
  return {
    name: run.name,
    actions,
    outputs: async () => {
      await ended(parts, run.name, served);
      const [root] = await parts.store.actions([{ run: run.id, name: rootName }]);
      if (root?.outputs != null && isSuccess(root.phase))
        return task.definition.output.decode(await fromPayload(root.outputs, blobs), blobs);
      if (root?.error == null) throw new GodwitError("internal", `The run ${run.name} ended without an error.`);
      throw new TaskError({ task: task.fullName, action: rootName, attempt: root.attempt }, root.error);
    },
    waitsFor: (condition) =>
      until(parts, run.name, async () =>
        (await actions()).some(
          ({ type, label, phase }) => type === "condition" && label === condition && phase === "paused",
        ),
      ),
    signal: async (condition, value) => {
      await control.signal(scope, run.name, condition, value);
    },
    abort: async (reason = "aborted by the test") => {
      await control.abortRun(scope, run.name, reason);
    },
    log: async (wanted = rootName) => {
      const named = (await actions()).filter(({ name, label }) => name === wanted || label === wanted);
      const names = new Set(named.map(({ name }) => name));
      return parts.lines.filter((line) => line.run === run.id && names.has(line.action)).map(({ text }) => text);
    },
  };
}

async function allActions(control: Control, run: string): Promise<readonly Action[]> {
  const all: Action[] = [];
  let token: string | null = null;
  do {
    const page = await control.listActions(scope, run, { limit: 1_000, token });
    all.push(...page.items);
    token = page.token;
  } while (token !== null);
  return all;
}

async function ended(parts: Parts, name: string, served: Promise<unknown>): Promise<void> {
  let isEnded = false;
  served.then(
    () => (isEnded = true),
    () => (isEnded = true),
  );
  while (!isEnded) {
    await quiet(parts);
    const run = await goOn(parts, name);
    if (isTerminal(run.phase)) break;
    if (run.isStuck) {
      throw new GodwitError(
        "failed_precondition",
        `The run ${name} waits for a signal, which nobody will send while its outputs are awaited. Signal it first.`,
      );
    }
  }
  await served;
}

async function until(parts: Parts, name: string, holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const isQuiet = await quiet(parts, looksEachTurns);
    if (await holds()) return;
    if (!isQuiet) continue;
    const run = await goOn(parts, name);
    if ((isTerminal(run.phase) || run.isStuck) && !(await holds()))
      throw new GodwitError("failed_precondition", `The run ${name} ${stateText(run.phase)} without that.`);
  }
}

const stateText = (phase: Phase): string => (isTerminal(phase) ? `ended as ${phase}` : "waits for another signal");

/** R1, after a quiet. Stuck: only a signal helps. */
async function goOn(parts: Parts, name: string): Promise<{ readonly phase: Phase; readonly isStuck: boolean }> {
  const run = await parts.control.getRun(scope, name);
  if (isTerminal(run.phase)) return { phase: run.phase, isStuck: false };
  const alarmMs = parts.clock.nextAlarmMs();
  if (alarmMs !== null) parts.clock.advanceTo(alarmMs);
  return { phase: run.phase, isStuck: alarmMs === null && (run.counts.paused ?? 0) > 0 };
}

const oneTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What one part hands to another without a promise that is counted is on its way for fewer turns. */
const quietTurns = 10;
/** Something else may be at work for ever. */
const looksEachTurns = 50;

/** Until nothing happens by itself any more, so that only time or a signal can change something; false after `maxTurns`. */
async function quiet({ engine, isIdle }: Parts, maxTurns = Number.POSITIVE_INFINITY): Promise<boolean> {
  let quietFor = 0;
  for (let turns = 0; quietFor < quietTurns && turns < maxTurns; turns++) {
    await oneTurn();
    quietFor = engine.isIdle && isIdle() ? quietFor + 1 : 0;
  }
  return quietFor === quietTurns;
}
