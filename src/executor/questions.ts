// Questions about user code that only a worker can answer, since only loading the code tells.
import { GodwitError } from "../core/error.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { Question, WorkerProcess, WorkerReply } from "./worker-process.ts";

/** For a user's module with much to do when it is loaded. */
const askTimeoutMs = 60_000;

/** Asked at once; more are refused. */
const maxQuestions = 1_000;

export class Questions {
  readonly #onWaiting: () => void;
  readonly #waiting = new Set<PromiseWithResolvers<WorkerProcess>>();
  #refusal: GodwitError | null = null;

  /** `onWaiting` is called when a question waits for `answerIn`. */
  constructor(onWaiting: () => void) {
    this.#onWaiting = onWaiting;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
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

  answerIn(worker: WorkerProcess): void {
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
    const late = new GodwitError(
      "deadline_exceeded",
      `Loading the code and ${what} took more than ${askTimeoutMs / 1_000} seconds. Move slow work from the top level of your modules into tasks.`,
    );
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(late);
      worker.kill(late.message);
    }, askTimeoutMs);
    try {
      return await Promise.race([worker.ask(question), timedOut]);
    } finally {
      clearTimeout(timer);
    }
  }
}
