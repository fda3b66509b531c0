// Questions about user code that only a worker can answer, since only loading the code tells.
import { GodwitError } from "../core/error.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { Crew } from "./crew.ts";
import type { Question, WorkerProcess, WorkerReply } from "./worker-process.ts";

/** For a user's module with much to do when it is loaded. */
const defaultTimeoutMs = 60_000;

/** Asked at once; more are refused. */
const maxQuestions = 1_000;

export class Questions {
  readonly #onWaiting: () => void;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<PromiseWithResolvers<WorkerProcess>>();
  #refusal: GodwitError | null = null;

  /** `onWaiting` is called when a question waits for `assign`. */
  constructor(onWaiting: () => void, timeoutMs = defaultTimeoutMs) {
    this.#onWaiting = onWaiting;
    this.#timeoutMs = timeoutMs;
  }

  async describe(bundle: string, projectDir: string): Promise<Manifest> {
    const reply = await this.#ask({ type: "describe", bundle, projectDir }, "describing its tasks");
    if (reply.type !== "described") throw new GodwitError("internal", "A worker answered another question.");
    return reply.manifest;
  }

  async check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]> {
    const question = { type: "check", bundle, projectDir, task, inputs } as const;
    const reply = await this.#ask(question, `checking the inputs of ${task}`);
    if (reply.type !== "checked") throw new GodwitError("internal", "A worker answered another question.");
    return reply.issues;
  }

  /** They go to the worker that is least busy; one that is busy may be so for long. */
  assign(crew: Crew): void {
    if (this.#waiting.size === 0) return;
    const workers = crew.shared();
    const [worker] = workers.filter(({ state }) => state === "ready").sort((a, b) => a.load - b.load);
    if (worker === undefined || worker.load > 0) {
      // They wait for one that starts, so that a start that fails is tried again for them.
      const isOneStarting = workers.some(({ state, load }) => state === "starting" && load === 0);
      if (isOneStarting || crew.startShared() !== null || worker === undefined) return;
    }
    for (const question of this.#waiting) question.resolve(worker);
    this.#waiting.clear();
  }

  /** Those that wait for a worker. */
  refuse(error: GodwitError): void {
    for (const question of this.#waiting) question.reject(error);
    this.#waiting.clear();
  }

  close(error: GodwitError): void {
    this.#refusal = error;
    this.refuse(error);
  }

  async #ask(question: Question, what: string): Promise<WorkerReply> {
    if (this.#refusal !== null) throw this.#refusal;
    if (this.#waiting.size >= maxQuestions) throw new GodwitError("resource_exhausted", "Too many questions at once.");
    const found = Promise.withResolvers<WorkerProcess>();
    this.#waiting.add(found);
    this.#onWaiting();
    const worker = await found.promise;
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = this.#late(worker, what);
      reject(error);
      // Attempts that compute there have nothing to do with it, and may be what keeps it from answering.
      if (worker.held.size === 0) worker.kill(error.message);
    }, this.#timeoutMs);
    try {
      return await Promise.race([worker.ask(question), timedOut]);
    } finally {
      clearTimeout(timer);
    }
  }

  #late(worker: WorkerProcess, what: string): GodwitError {
    const time = `${this.#timeoutMs / 1_000} seconds`;
    return worker.held.size > 0
      ? new GodwitError("unavailable", `All workers compute, and none came to ${what} within ${time}. Try again later.`)
      : new GodwitError(
          "deadline_exceeded",
          `Loading the code and ${what} took more than ${time}. Move slow work from the top level of your modules into tasks.`,
        );
  }
}
