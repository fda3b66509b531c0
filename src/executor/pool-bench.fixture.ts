// A pool with real worker processes (pool.fixture.ts) and a small control in memory, for its tests.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  attemptId,
  type CallAnswer,
  type CallState,
  type Launch,
  type Outcome,
  type TaskCalls,
} from "../core/messages.ts";
import type { Machine } from "../core/resources.ts";
import { Capacity } from "./capacity.ts";
import { type PoolOptions, type WorkerPool, workerPool } from "./pool.ts";

export const fixture = new URL("./pool.fixture.ts", import.meta.url);

/** Runs the tasks that attempts call, in the same pool: what engine and control do, in memory. */
export class SmallControl implements TaskCalls {
  readonly attached: string[] = [];
  /** Calls that are never run. */
  readonly pending = new Set<string>();
  readonly #followers = new Map<string, { push: (states: readonly CallState[]) => void }>();
  readonly #callers = new Map<string, AttemptRef>();
  readonly order: string[] = [];
  onCall: (name: string) => void = () => undefined;
  /** Traces that are not recorded yet, while `holdsTraces`. */
  readonly traces = new Map<string, PromiseWithResolvers<void>>();
  holdsTraces = false;

  async call(caller: AttemptRef, calls: Parameters<TaskCalls["call"]>[1]): Promise<readonly CallAnswer[]> {
    this.order.push("call");
    if (calls.some(({ type }) => type === "trace")) return Promise.all(calls.map(({ name }) => this.#record(name)));
    return calls.map(({ name }) => {
      if (name.startsWith("known")) return stateOf(name, name);
      if (name.startsWith("refuse")) throw new GodwitError("resource_exhausted", "too many calls");
      this.#callers.set(name, caller);
      this.pending.add(name);
      this.onCall(name);
      return { name, phase: "queued", attempt: 0, outputs: null, error: null };
    });
  }

  async #record(name: string): Promise<CallState> {
    if (this.holdsTraces) {
      const recorded = Promise.withResolvers<void>();
      this.traces.set(name, recorded);
      await recorded.promise;
      this.traces.delete(name);
    }
    return stateOf(name, "");
  }

  async *follow(caller: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    this.order.push("follow");
    let batches: (readonly CallState[])[] = [];
    let wake = Promise.withResolvers<void>();
    const push = (states: readonly CallState[]): void => {
      batches.push(states);
      wake.resolve();
    };
    this.#followers.set(attemptId(caller), { push });
    signal.addEventListener("abort", () => wake.resolve());
    while (!signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers();
      yield* batches.splice(0);
    }
    this.#followers.delete(attemptId(caller));
    batches = [];
    this.order.push("unfollow");
  }

  async attach(_: AttemptRef, attach: Parameters<TaskCalls["attach"]>[1]): Promise<void> {
    this.attached.push(attach.type);
  }

  async abortCalls(): Promise<void> {}

  end(name: string, text: string): void {
    const caller = this.#callers.get(name);
    if (caller === undefined) return;
    this.pending.delete(name);
    this.#followers.get(attemptId(caller))?.push([stateOf(name, text)]);
  }
}

const stateOf = (name: string, text: string): CallState => ({
  name,
  phase: "succeeded",
  attempt: 1,
  outputs: { type: "inline", text },
  error: null,
});

export type Bench = {
  readonly pool: WorkerPool;
  readonly control: SmallControl;
  readonly dir: string;
  readonly texts: string[];
  readonly printed: Map<string, string[]>;
  /** Outcomes as they come, in their order. */
  readonly outcomes: Outcome[];
  launch(task: string, input?: string, action?: string): Launch;
  /** The text or the error of these actions, when all of them have ended. */
  ends(...launches: readonly Launch[]): Promise<readonly string[]>;
  until(condition: () => boolean): Promise<void>;
  /** Launches as many of these as may be, as an engine does, and takes them out of the list. */
  admit(waiting: Launch[]): number;
  /** How many more attempts of the task could be reserved now, up to 1,000. */
  free(task?: string): number;
  marks(): readonly string[];
};

export const machine: Machine = {
  cpuMillis: 16_000,
  memoryBytes: 2 ** 30,
  diskBytes: 2 ** 30,
  gpus: [],
  tokens: {},
};

/** One worker, unless told otherwise. */
export function bench(t: TestContext, options: Partial<PoolOptions> = {}): Bench {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  const control = new SmallControl();
  const texts: string[] = [];
  const printed = new Map<string, string[]>();
  const outcomes: Outcome[] = [];
  const byId = new Map<AttemptId, Outcome>();
  let changed = Promise.withResolvers<void>();
  const notify = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const pool = workerPool({
    dataDir: dir,
    capacity: new Capacity({ machine, limits: {} }),
    workers: 1,
    maxProcesses: options.workers ?? 1,
    calls: control,
    logs: {
      append: ({ action }, lines) => {
        const known = printed.get(action) ?? [];
        known.push(...lines.map(({ stream, text }) => `${stream} ${text}`));
        printed.set(action, known);
      },
    },
    onText: (text) => {
      texts.push(text);
      notify();
    },
    program: fixture,
    ...options,
  });
  pool.start(() => {
    for (const outcome of pool.takeOutcomes(10_000)) {
      outcomes.push(outcome);
      byId.set(attemptId(outcome), outcome);
    }
    notify();
  });
  const until = async (condition: () => boolean): Promise<void> => {
    // What happens in a worker is not announced here: look again soon, too.
    while (!condition()) {
      await Promise.race([changed.promise, new Promise((resolve) => setTimeout(resolve, 5))]);
      // The condition may wake whoever waits for it.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  t.after(async () => {
    await pool.close();
    rmSync(dir, { recursive: true });
  });
  let actions = 0;
  return {
    pool,
    control,
    dir,
    texts,
    printed,
    outcomes,
    until,
    launch: (task, input = "", action = `n${++actions}`) => launchOf(dir, task, input, action),
    ends: async (...launches) => {
      const ids = launches.map(attemptId);
      await until(() => ids.every((id) => byId.has(id)));
      return ids.map((id) => textOf(byId.get(id) as Outcome));
    },
    admit: (waiting) => {
      let count = 0;
      for (const next of waiting) {
        if (pool.reserve({ ...next, maxConcurrency: null }, null) !== null) break;
        count += 1;
      }
      pool.ensureLaunched(waiting.splice(0, count));
      return count;
    },
    free: (task = "echo") => {
      const taken: Launch[] = [];
      for (let next = 0; next < 1_000; next++) {
        const wanted = launchOf(dir, task, "", `probe${next}`);
        if (pool.reserve({ ...wanted, maxConcurrency: null }, null) !== null) break;
        taken.push(wanted);
      }
      pool.release(taken);
      return taken.length;
    },
    marks: () => {
      try {
        return readFileSync(join(dir, "marks"), "utf8").trim().split("\n");
      } catch {
        return [];
      }
    },
  };
}

export function launchOf(dir: string, task: string, input: string, action: string): Launch {
  return {
    run: 1,
    runName: "r",
    project: "default",
    domain: "development",
    action,
    attempt: 1,
    depth: 0,
    isRecovery: false,
    bundle: "b",
    projectDir: dir,
    spec: { name: task, environment: "env", target: { type: "typescript" } } as Launch["spec"],
    resources: { cpuMillis: 1000, memoryBytes: null },
    inputs: { type: "inline", text: input },
    seed: 1,
    checkpoint: null,
  };
}

export function textOf({ result }: Outcome): string {
  if (result.type === "succeeded") return result.outputs.type === "inline" ? result.outputs.text : "blob";
  if (result.type === "failed") return `${result.error.kind} ${result.error.code}: ${result.error.message}`;
  return result.type;
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

export const pidOf = async (pool: WorkerPool): Promise<number> =>
  Number((await pool.describe("b", "/")).entry.slice(3));
