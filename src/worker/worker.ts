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
  type TaskCalls,
} from "../core/messages.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import { Attempts } from "./attempts.ts";
import { Connection } from "./connection.ts";
import { Output } from "./output.ts";
import { type FromWorker, fromPoolFd, type ToWorker, toPoolFd } from "./protocol.ts";
import { BlockingWriter, readLines } from "./stream.ts";

/** What an attempt gets from its worker. */
export type Host = {
  readonly calls: TaskCalls;
  onWaiting(isWaiting: boolean): void;
  log(line: LogLine): void;
  nowMs(): number;
};

/** What is run, once it is known where the data lies. */
export type Program = {
  runAttempt(launch: Launch, host: Host, signal: AbortSignal): Promise<Outcome>;
  describe(bundle: string, projectDir: string): Promise<Manifest>;
  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]>;
};

export type WorkerOptions = {
  readonly open: (dataDir: string) => Program;
  /** The attempt whose code is running, by its asynchronous context. */
  readonly currentAttempt: () => AttemptRef | null;
  readonly errorOf: (thrown: unknown) => ActionError;
};

export function startWorker(options: WorkerOptions): void {
  const exit = process.exit.bind(process);
  const writer = new BlockingWriter<FromWorker>(toPoolFd);
  const send = (message: FromWorker): void => writer.send(message);
  const connection = new Connection(send);
  let program: Program | null = null;

  const attempts = new Attempts({
    run: (launch, onWaiting, signal) => {
      const log = (line: LogLine): void => output.log(launch, line);
      return opened(program).runAttempt(launch, { calls: connection, onWaiting, log, nowMs: Date.now }, signal);
    },
    errorOf: options.errorOf,
    onEnd: (attempt) => output.end(attempt),
    onReport: () => writer.schedule(),
  });
  const output = new Output({
    owner: () => {
      const attempt = options.currentAttempt();
      if (attempt === null) return attempts.soleActive();
      return attempts.isRunning(attempt) ? attempt : null;
    },
    nowMs: Date.now,
    onLines: (isMuch) => (isMuch ? writer.flush() : writer.schedule()),
  });
  output.capture(process.stdout, "stdout");
  output.capture(process.stderr, "stderr");
  writer.beforeFlush = () => {
    const { states, outcomes } = attempts.takeReport();
    // An attempt's lines come before its outcome (protocol.ts R2).
    for (const { attempt, lines } of output.take()) send({ type: "logs", attempt: attempt && refOf(attempt), lines });
    if (states.length > 0) send({ type: "states", attempts: states });
    if (outcomes.length > 0) send({ type: "outcomes", outcomes });
  };

  // R2.
  const leave = (attempt: AttemptRef | null, message: string): void => {
    output.endAll();
    send({ type: "leaving", attempt: attempt && refOf(attempt), message });
    writer.flush();
  };
  const blamed = (): AttemptRef | null => options.currentAttempt() ?? attempts.soleActive();
  process.exit = (code) => {
    leave(blamed(), `The task's code called process.exit(${code ?? ""})${callSite()}.`);
    return exit(code);
  };
  // For code that imports `exit` by its name.
  syncBuiltinESMExports();

  // R1.
  const fail = (thrown: unknown): void => {
    const attempt = blamed();
    if (attempt !== null && attempts.fail(attempt, options.errorOf(thrown))) return;
    // A late error of an attempt that has ended: its outcome stands, and others have no part in it.
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    if (attempt !== null) {
      output.print(null, "stderr", `Nobody caught, after attempt ${attemptId(attempt)} had ended: ${text}\n`);
      return;
    }
    leave(null, `An error that belongs to no task ended the worker process: ${text}`);
    exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  const receive = (message: ToWorker): void => {
    switch (message.type) {
      case "welcome":
        program = options.open(message.dataDir);
        break;
      case "launch":
        attempts.launch(message.launches);
        break;
      case "stop":
        attempts.stop(message.attempts, message.reason);
        break;
      case "recall":
        attempts.recall(message.attempts);
        break;
      case "describe":
        opened(program)
          .describe(message.bundle, message.projectDir)
          .then((manifest) => send({ type: "described", request: message.request, manifest }))
          .catch((error: unknown) => send(unable(message.request, error)));
        break;
      case "check":
        opened(program)
          .check(message.bundle, message.projectDir, message.task, message.inputs)
          .then((issues) => send({ type: "checked", request: message.request, issues }))
          .catch((error: unknown) => send(unable(message.request, error)));
        break;
      default:
        connection.receive(message);
    }
  };
  const pipe = new Socket({ fd: fromPoolFd, readable: true, writable: false });
  readLines(
    pipe,
    (line) => receive(JSON.parse(line) as ToWorker),
    () => {
      leave(null, "The pool sent a line that is too long.");
      exit(1);
    },
  );
  // The pool is gone or done with this process: there is nobody left to tell anything.
  pipe.on("close", () => exit(0));
  pipe.on("error", () => exit(1));
  send({ type: "hello", pid: process.pid });
}

function opened(program: Program | null): Program {
  if (program === null) throw new Error("The pool did not say where its data is.");
  return program;
}

const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });

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
