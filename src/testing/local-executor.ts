// Runs attempts of TypeScript tasks in this very process: for tests, where tasks may be mocked.
import type { BlobStore } from "../blob/blob.ts";
import {
  type AttemptId,
  type AttemptRef,
  type AttemptState,
  attemptId,
  type Launch,
  type LogLine,
  type Outcome,
  type TaskCalls,
} from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor, LogSink, Wanted } from "../executor/executor.ts";
import { actionError } from "../sdk/errors.ts";
import type { Tasks } from "../sdk/registry.ts";
import { runAttempt } from "../worker/attempt.ts";

export type LocalExecutorOptions = {
  readonly calls: TaskCalls;
  readonly blobs: BlobStore;
  readonly logs: LogSink;
  readonly nowMs: () => number;
  readonly tasks: () => Tasks;
  /** Full names of tasks that a function of the test stands in for; the tasks need not be TypeScript then. */
  readonly stoodIn: { has(task: string): boolean };
};

/** Attempts that are active at once; those that wait for calls do not count. */
const places = 16;

type Running = { readonly launch: Launch; readonly stopping: AbortController; isWaiting: boolean };

export class LocalExecutor implements Executor {
  readonly #options: LocalExecutorOptions;
  readonly #running = new Map<AttemptId, Running>();
  /** Places set aside for attempts that have not been launched yet. */
  readonly #reserved = new Set<AttemptId>();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => undefined;
  /** What attempts have asked of the engine and the blobs, and not been answered. */
  #askedCount = 0;

  constructor(options: LocalExecutorOptions) {
    this.#options = {
      ...options,
      calls: this.#counted(options.calls),
      blobs: this.#counted(options.blobs),
    };
  }

  /** Attempts only wait for what others do. An attempt that waits for a call and does more beside it counts as waiting. */
  get isIdle(): boolean {
    return this.activeCount() === 0 && this.#askedCount === 0;
  }

  accepts({ spec }: { readonly spec: TaskSpec }): boolean {
    return spec.target.type === "typescript" || this.#options.stoodIn.has(spec.name);
  }

  reserve(wanted: Wanted): WaitReason | null {
    if (this.#reserved.size + this.activeCount() >= places) return { type: "turn" };
    this.#reserved.add(attemptId(wanted));
    return null;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) this.#reserved.delete(attemptId(attempt));
  }

  /** Attempts that do something of their own right now. */
  activeCount(): number {
    return [...this.#running.values()].filter(({ isWaiting }) => !isWaiting).length;
  }

  ensureLaunched(launches: readonly Launch[]): void {
    this.release(launches);
    for (const launch of launches) if (!this.#running.has(attemptId(launch))) this.#start(launch);
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...this.#running.values()].map(({ launch: { run, action, attempt } }) => ({ run, action, attempt }));
  }

  stop(attempts: readonly AttemptRef[], reason: string): void {
    this.release(attempts);
    for (const attempt of attempts) {
      const id = attemptId(attempt);
      this.#running.get(id)?.stopping.abort(new DOMException(reason, "AbortError"));
      this.#running.delete(id);
    }
    this.#wake();
  }

  start(wake: () => void): void {
    this.#wake = wake;
  }

  close(): Promise<void> {
    this.stop(this.running(), "the test's engine was closed");
    return Promise.resolve();
  }

  /** The same object, with every promise it gives counted until it settles. */
  #counted<T extends object>(object: T): T {
    return new Proxy(object, {
      get: (target, property, receiver) => {
        const method: unknown = Reflect.get(target, property, receiver);
        if (typeof method !== "function") return method;
        return (...given: unknown[]): unknown => {
          const result: unknown = Reflect.apply(method, target, given);
          if (result instanceof Promise) this.#count(result);
          return result;
        };
      },
    });
  }

  #count(asked: Promise<unknown>): void {
    this.#askedCount++;
    const answered = (): void => {
      this.#askedCount--;
    };
    asked.then(answered, answered);
  }

  #start(launch: Launch): void {
    const id = attemptId(launch);
    const running: Running = { launch, stopping: new AbortController(), isWaiting: false };
    this.#running.set(id, running);
    const { calls, blobs, logs, nowMs, tasks } = this.#options;
    const host = {
      calls,
      blobs,
      nowMs,
      load: () => Promise.resolve(tasks()),
      onLoaded: () => undefined,
      atTurnEnd: setImmediate,
      log: (line: LogLine) => logs.append(launch, [line]),
      onState: (state: AttemptState) => {
        running.isWaiting = state === "waiting";
        this.#wake();
      },
    };
    runAttempt(launch, host, running.stopping)
      .catch(
        (thrown: unknown): Outcome => ({
          run: launch.run,
          action: launch.action,
          attempt: launch.attempt,
          result: { type: "failed", error: actionError(thrown) },
        }),
      )
      .then((outcome) => {
        if (this.#running.get(id) !== running) return;
        this.#running.delete(id);
        this.#outcomes.push(outcome);
        this.#wake();
      });
  }
}
