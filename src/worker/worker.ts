// A worker process: takes launches from its pool over one pipe, runs them, and tells over the other
// what they ask, print and come to. It ends when the pool lets go of the pipe.
//
// R1  An error that nobody caught ends the attempt in whose asynchronous context it was thrown, or the
//     only active one; not the others. If neither is known, the process cannot be trusted and ends.
// R2  A process that ends itself says so first, with all that has not been told yet.
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import type { ActionError } from "../core/action.ts";
import { isGodwitError } from "../core/error.ts";
import {
  type AttemptRef,
  attemptId,
  type Launch,
  type LogLine,
  type Outcome,
  refOf,
  type TaskCalls,
} from "../core/messages.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { Stopping } from "../sdk/session.ts";
import { Attempts, type Course } from "./attempts.ts";
import { Connection } from "./connection.ts";
import { Output } from "./output.ts";
import {
  type FromWorker,
  fromPoolFd,
  type MeasuredOutcome,
  type ShortOutcome,
  type ToWorker,
  toPoolFd,
} from "./protocol.ts";
import { LaunchReader } from "./shorthand.ts";
import { BlockingWriter, readLines } from "./stream.ts";

/** What an attempt gets from its worker. */
export type Host = {
  readonly calls: TaskCalls;
  readonly onState: Course["onState"];
  readonly onLoaded: Course["onLoaded"];
  /** Calls back at the end of this turn of the event loop, just before what was said in it is written. */
  readonly atTurnEnd: (work: () => void) => void;
  log(line: LogLine): void;
  nowMs(): number;
};

/** What is run, once it is known where the data lies. */
export type Program = {
  runAttempt(launch: Launch, host: Host, stopping: Stopping): Promise<Outcome>;
  describe(bundle: string, projectDir: string): Promise<Manifest>;
  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]>;
};

export type WorkerOptions = {
  /** Called once. */
  readonly open: (dataDir: string) => Promise<Program>;
  /** The attempt whose code is running, by its asynchronous context. */
  readonly currentAttempt: () => AttemptRef | null;
  readonly errorOf: (thrown: unknown) => ActionError;
};

/** Takes over this process. */
export function startWorker(options: WorkerOptions): void {
  new Worker(options).start();
}

class Worker {
  readonly #options: WorkerOptions;
  readonly #exit = process.exit.bind(process);
  readonly #writer = new BlockingWriter<FromWorker>(toPoolFd);
  readonly #connection = new Connection((message) => this.#writer.send(message));
  readonly #welcome = Promise.withResolvers<Program>();
  #program: Program | null = null;
  readonly #attempts: Attempts;
  readonly #output: Output;
  readonly #launches = new LaunchReader();
  readonly #turnEnds: (() => void)[] = [];

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#attempts = new Attempts({
      run: (launch, course, stopping) => this.#run(launch, course, stopping),
      errorOf: options.errorOf,
      onEnd: (attempt) => this.#output.end(attempt),
      onReport: () => this.#writer.schedule(),
    });
    this.#output = new Output({
      owner: () => {
        const attempt = options.currentAttempt();
        if (attempt === null) return this.#attempts.soleActive();
        return this.#attempts.isRunning(attempt) ? attempt : null;
      },
      nowMs: Date.now,
      onLines: (isMuch) => (isMuch ? this.#writer.flush() : this.#writer.schedule()),
    });
  }

  start(): void {
    this.#output.capture(process.stdout, "stdout");
    this.#output.capture(process.stderr, "stderr");
    this.#writer.beforeFlush = () => this.#report();
    process.exit = (code) => {
      this.#leave(this.#blamed(), `The task's code called process.exit(${code ?? ""})${callSite()}.`);
      return this.#exit(code);
    };
    // For code that imports `exit` by its name.
    syncBuiltinESMExports();
    process.on("uncaughtException", (thrown) => this.#fail(thrown));
    process.on("unhandledRejection", (thrown) => this.#fail(thrown));
    this.#listen();
    this.#writer.send({ type: "hello", pid: process.pid });
    // An attempt may take the process down before this turn ends.
    this.#writer.flush();
  }

  #listen(): void {
    const pipe = new Socket({ fd: fromPoolFd, readable: true, writable: false });
    const onTooLong = (): void => {
      this.#leave(null, "The pool sent a line that is too long.");
      this.#exit(1);
    };
    readLines(pipe, (line) => this.#receive(JSON.parse(line) as ToWorker), onTooLong);
    // The pool is gone or done with this process: there is nobody left to tell anything.
    pipe.on("close", () => this.#exit(0));
    pipe.on("error", () => this.#exit(1));
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case "welcome":
        this.#welcome.resolve(this.#options.open(message.dataDir));
        return;
      case "launch":
        this.#attempts.launch(this.#launches.read(message.launches));
        return;
      case "stop":
        this.#attempts.stop(message.attempts, message.reason);
        return;
      case "recall":
        this.#attempts.recall(message.attempts);
        return;
      case "describe":
      case "check":
        this.#answer(message)
          .then((answer) => this.#writer.send(answer))
          .catch((error: unknown) => this.#writer.send(unable(message.request, error)));
        return;
      default:
        this.#connection.receive(message);
    }
  }

  #run(launch: Launch, { onState, onLoaded }: Course, stopping: Stopping): Promise<Outcome> {
    const host: Host = {
      calls: this.#connection,
      onState,
      onLoaded,
      atTurnEnd: this.#atTurnEnd,
      log: (line) => this.#output.log(launch, line),
      nowMs: Date.now,
    };
    if (this.#program !== null) return this.#program.runAttempt(launch, host, stopping);
    return this.#welcome.promise.then((program) => {
      this.#program = program;
      return program.runAttempt(launch, host, stopping);
    });
  }

  async #answer(question: Extract<ToWorker, { readonly type: "describe" | "check" }>): Promise<FromWorker> {
    const program = await this.#welcome.promise;
    const { request, bundle, projectDir } = question;
    if (question.type === "describe") {
      return { type: "described", request, manifest: await program.describe(bundle, projectDir) };
    }
    const issues = await program.check(bundle, projectDir, question.task, question.inputs);
    return { type: "checked", request, issues };
  }

  readonly #atTurnEnd = (work: () => void): void => {
    this.#turnEnds.push(work);
    this.#writer.schedule();
  };

  #report(): void {
    for (const work of this.#turnEnds.splice(0)) work();
    const { states, outcomes } = this.#attempts.takeReport();
    // An attempt's lines come before its outcome (protocol.ts R2).
    for (const { attempt, lines } of this.#output.take()) {
      this.#writer.send({ type: "logs", attempt: attempt && refOf(attempt), lines });
    }
    if (states.length > 0) this.#writer.send({ type: "states", attempts: states });
    if (outcomes.length > 0) this.#writer.send({ type: "outcomes", outcomes: outcomes.map(shortOutcome) });
  }

  #blamed(): AttemptRef | null {
    return this.#options.currentAttempt() ?? this.#attempts.soleActive();
  }

  /** R1. */
  #fail(thrown: unknown): void {
    const attempt = this.#blamed();
    if (attempt !== null && this.#attempts.fail(attempt, this.#options.errorOf(thrown))) return;
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    // What a stopped attempt left behind rejects because it was stopped: nobody has to hear of it.
    if (attempt !== null && isGodwitError(thrown) && thrown.code === "aborted") return;
    if (attempt !== null) {
      // Late, of an attempt that has ended: its outcome stands, and others have no part in it.
      this.#output.print(null, "stderr", `Not caught, after attempt ${attemptId(attempt)} had ended: ${text}\n`);
      return;
    }
    const { code, message, location } = this.#options.errorOf(thrown);
    const what =
      location === null ? text : `${code}: ${message}, thrown at ${location.file}:${location.line}:${location.column}`;
    this.#leave(null, `An error that belongs to no task ended the worker process: ${what}`);
    this.#exit(1);
  }

  /** R2. */
  #leave(attempt: AttemptRef | null, message: string): void {
    this.#output.endAll();
    this.#writer.flush();
    this.#writer.send({ type: "leaving", attempt: attempt && refOf(attempt), message });
    this.#writer.flush();
  }
}

/** To a millionth of a second: more digits take longer to write than the rest. */
const shortOutcome = ({ outcome, stretchMs }: MeasuredOutcome): ShortOutcome => ({
  attempt: attemptId(outcome),
  stretchMs: Math.round(stretchMs * 1_000) / 1_000,
  result: outcome.result,
});

function unable(request: number, error: unknown): FromWorker {
  if (isGodwitError(error)) return { type: "unable", request, code: error.code, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { type: "unable", request, code: "failed_precondition", message };
}

/** Where the code is that called what called this, if the stack tells. */
function callSite(): string {
  const frame = new Error().stack?.split("\n")[3]?.trim();
  return frame === undefined || frame.includes("node:internal") ? "" : ` ${frame}`;
}
