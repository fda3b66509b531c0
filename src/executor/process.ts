// Runs shell tasks: any command, a process of its own for each attempt. The contract with the command
// (for its authors: docs/shell-tasks.md):
//
// R1  It starts in an empty directory of its own, which is removed when the attempt has ended. The
//     directory of the project is in GODWIT_PROJECT_DIR.
// R2  A text runs as `sh -eu -c text`: the first command that fails ends it, and so does the use of a
//     variable that is not set. An input that was left out is set, to nothing, so that -u finds
//     mistakes and not options. A list of words runs as it is, without a shell, after {{inputs.x}} and
//     {{outputs.y}} were replaced.
// R3  Environment: the caller's, over it the environment's (`spec.env`), over it the task's, over it
//     one variable per input and per output, and GODWIT_RUN, _ACTION, _ATTEMPT, _SEED, _PROJECT_DIR.
// R4  An input is its text; list, map and object are JSON; file, directory and table are the path of a
//     read-only copy with its own name. An output is a path where nothing is yet; the command makes the
//     file or directory there. What it prints is log, never output.
// R5  It has succeeded if it exits with 0 and every output is there and of its type.
// R6  It gets the memory that its task asks for, all its processes together (memory-watch.ts), and sees
//     only the GPUs that it was given.
// R7  When it ends, so do all processes of its group (guard.ts). An attempt has ended when they have.
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { type ActionError, errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { assert, classOfCode, type ErrorCode, GodwitError, isGodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  attemptId,
  type Launch,
  type LogLine,
  type Outcome,
} from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Payload } from "../core/value.ts";
import type { Capacity } from "./capacity.ts";
import type { Executor, Kept, LogSink, Wanted } from "./executor.ts";
import { type GuardedProcess, type ProcessExit, spawnGuarded } from "./guard.ts";
import { MemoryWatch, type WatchedGroup } from "./memory-watch.ts";
import { oomError } from "./oom.ts";
import { gpuVariables } from "./own-process.ts";
import { drainMs } from "./pipes.ts";
import { PrintedLines } from "./printed-lines.ts";
import { makeDirectory, removeDirectory, removeLeft } from "./scratch.ts";
import { shellEnvironment } from "./shell-environment.ts";
import { filledIn, type ShellWords, shellInputs } from "./shell-inputs.ts";
import { type DescribeTable, outputPaths, shellOutputs } from "./shell-outputs.ts";

export type ProcessExecutorOptions = {
  readonly blobs: BlobStore;
  readonly logs: LogSink;
  /** For the time of log lines. */
  readonly clock?: Pick<Clock, "nowMs">;
  readonly capacity: Capacity;
  /** Attempts get their directories below it; it is created if need be. */
  readonly tmpDir: string;
  readonly describeTable: DescribeTable;
};

/** Its closing lines explain a failure. */
const tailLines = 20;
const tailLineChars = 500;
/** Of a command that is not there or not executable. */
const startMistakes: readonly ErrorCode[] = ["not_found", "permission_denied"];

/**
 * Without it a shell that is told to stop ends at once, and its child is killed before it could stop
 * by itself (guard.ts R5). With it the shell waits for the child first. On the first line, so that
 * the lines of the command keep their numbers.
 */
const stopTrap = "trap 'exit 143' TERM; ";

export const processExecutor = (options: ProcessExecutorOptions): Executor => new ProcessExecutor(options);

type Held = {
  readonly launch: Launch;
  process: GuardedProcess | null;
  /** If it has a limit of memory. */
  group: WatchedGroup | null;
  /** Nobody wants its outcome any more. */
  isStopping: boolean;
  done: Promise<void>;
};

class ProcessExecutor implements Executor {
  readonly #options: ProcessExecutorOptions;
  readonly #held = new Map<AttemptId, Held>();
  readonly #reserved = new Set<AttemptId>();
  readonly #watch = new MemoryWatch();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => {};
  #stopListening: () => void = () => {};
  #dir: Promise<string> | null = null;
  #cleaned: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "shell";
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    if (this.#isClosed) return { type: "turn" };
    const reason = this.#options.capacity.take(wanted, kept);
    if (reason === null) this.#reserved.add(attemptId(wanted));
    return reason;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const id of attempts.map(attemptId)) if (this.#reserved.delete(id)) this.#options.capacity.give(id);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#isClosed) return;
    const { capacity } = this.#options;
    const ended = new Set(this.#outcomes.map(attemptId));
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      if (this.#held.has(id) || ended.has(id)) continue;
      // What comes without a share waits for it.
      capacity.enter({ ...launch, maxConcurrency: null });
      const held: Held = { launch, process: null, group: null, isStopping: false, done: Promise.resolve() };
      this.#held.set(id, held);
      held.done = this.#run(held).then((result) => {
        this.#held.delete(id);
        capacity.give(id);
        const { run, action, attempt } = launch;
        const peak = held.group === null ? {} : { peakMemoryBytes: held.group.peakBytes };
        if (!held.isStopping) this.#outcomes.push({ run, action, attempt, result, ...peak });
        this.#wake();
      });
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...[...this.#held.values()].map(({ launch }) => launch), ...this.#outcomes].map(refOf);
  }

  stop(attempts: readonly AttemptRef[]): void {
    this.release(attempts);
    const stopped = new Set(attempts.map(attemptId));
    this.#outcomes = this.#outcomes.filter((outcome) => !stopped.has(attemptId(outcome)));
    for (const id of stopped) {
      const held = this.#held.get(id);
      if (held === undefined || held.isStopping) continue;
      held.isStopping = true;
      // If it still waits for its share: nobody has to wait for that.
      if (held.process === null) this.#options.capacity.give(id);
      held.process?.kill("SIGTERM", { to: "group" });
    }
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#cleaned = Promise.all([
      removeLeft(this.#options.tmpDir, ["shell", "bundle"]),
      removeLeft(tmpdir(), ["godwit-files"]),
    ]);
    this.#stopListening();
    this.#stopListening = this.#options.capacity.onRoom(wake);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.stop(this.running());
    await Promise.all([...this.#held.values()].map(({ done }) => done));
    await this.#cleaned;
    if (this.#dir !== null) await this.#dir.then(removeDirectory, () => {}); // Never made: nothing to remove.
  }

  /** Never rejects. */
  async #run(held: Held): Promise<Outcome["result"]> {
    let workspace: string | null = null;
    try {
      await this.#options.capacity.resume(attemptId(held.launch));
      if (held.isStopping) return { type: "interrupted" };
      this.#dir ??= makeDirectory(this.#options.tmpDir);
      this.#dir.catch(() => (this.#dir = null)); // The disk may have room again the next time.
      workspace = await mkdtemp(join(await this.#dir, "attempt-"));
      return await this.#runIn(workspace, held);
    } catch (error) {
      return { type: "failed", error: systemFailure(held.launch, error) };
    } finally {
      if (workspace !== null) await removeDirectory(workspace);
    }
  }

  async #runIn(workspace: string, held: Held): Promise<Outcome["result"]> {
    const { launch } = held;
    const { blobs } = this.#options;
    const { inputs: declared, outputs: promised } = launch.spec.interface;
    const outputs = outputPaths(promised, join(workspace, "outputs"));
    // Mistakes in the command or its values; all else is the machine's or Godwit's, and goes further up.
    const failed = (code: string, recoverable: boolean, error: unknown): Outcome["result"] => {
      const isStart = code === errorCodes.commandFailed;
      if (!isGodwitError(error)) throw error;
      if (error.code !== "invalid_argument" && !(isStart && startMistakes.includes(error.code))) throw error;
      return { type: "failed", error: userFailure(launch, code, error.message, recoverable) };
    };
    for (const part of ["work", "inputs", "outputs"]) await mkdir(join(workspace, part));

    let inputs: ShellWords;
    let started: Started;
    try {
      inputs = await shellInputs(declared, await fromPayload(launch.inputs, blobs), blobs, join(workspace, "inputs"));
      if (held.isStopping) return { type: "interrupted" };
      const both = promised.find(({ name }) => Object.hasOwn(inputs, name));
      if (both !== undefined)
        throw new GodwitError(
          "invalid_argument",
          `The input and the output "${both.name}" have one name, so one variable. Rename one of them.`,
        );
    } catch (error) {
      return failed(errorCodes.inputInvalid, false, error);
    }
    try {
      started = this.#start(launch, inputs, outputs, join(workspace, "work"));
      held.process = started.process;
      held.group = this.#watched(launch, started.process);
    } catch (error) {
      return failed(errorCodes.commandFailed, false, error);
    }
    const exit = await started.ended;
    held.group?.end();
    if (held.isStopping) return { type: "interrupted" };
    const { group } = held;
    if (group !== null && (group.isOver || (wasKilled(exit) && group.isAtLimit))) {
      const { limitBytes, peakBytes } = group;
      const by = group.isOver ? "limit" : "system";
      return { type: "failed", error: oomError({ limitBytes, peakBytes, by }, launch.spec) };
    }
    if (exit.code !== 0) {
      return {
        type: "failed",
        error: userFailure(launch, errorCodes.commandFailed, exitMessage(exit, started.tail()), true),
      };
    }
    try {
      const literals = await shellOutputs(promised, outputs, blobs, this.#options.describeTable);
      const stored: Payload = await toPayload(literals, blobs);
      return { type: "succeeded", outputs: stored };
    } catch (error) {
      return failed(errorCodes.outputInvalid, true, error);
    }
  }

  #watched({ resources: { memoryBytes } }: Launch, process: GuardedProcess): WatchedGroup | null {
    if (memoryBytes === null) return null;
    const onOver = (): void => process.kill("SIGKILL");
    const group = this.#watch.open({ pid: process.pid, limitBytes: memoryBytes, onOver });
    group.begin();
    return group;
  }

  #start(launch: Launch, inputs: ShellWords, outputs: ShellWords, cwd: string): Started {
    const { target } = launch.spec;
    assert(target.type === "shell", `the process executor was given a ${target.type} task`);
    const [command, ...args] =
      typeof target.command === "string"
        ? ["sh", "-eu", "-c", `${stopTrap}${target.command}`, launch.spec.shortName]
        : filledIn(target.command, inputs, outputs);
    if (command === undefined)
      throw new GodwitError("invalid_argument", "The command is an empty list; the program to run was expected.");
    const process = spawnGuarded(command, args, {
      cwd,
      env: shellEnvironment(launch, { ...inputs, ...outputs }, cwd, this.#gpus(launch)),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stdout = new Capture(process.stdout, (texts) => this.#log(launch, "stdout", texts));
    const stderr = new Capture(process.stderr, (texts) => this.#log(launch, "stderr", texts));
    const ended = process.exited.then(async (exit) => {
      await Promise.all([stdout.drained(), stderr.drained()]);
      return exit;
    });
    return { process, ended, tail: () => ({ stdout: stdout.tail, stderr: stderr.tail }) };
  }

  #gpus(launch: Launch): { readonly [name: string]: string } {
    const { capacity } = this.#options;
    return gpuVariables(capacity.machine, capacity.devices(attemptId(launch)));
  }

  #log(attempt: Launch, stream: LogLine["stream"], texts: readonly string[]): void {
    const atMs = this.#options.clock?.nowMs() ?? Date.now();
    this.#options.logs.append(
      refOf(attempt),
      texts.map((text) => ({ atMs, stream, text })),
    );
  }
}

type Tails = { readonly stdout: readonly string[]; readonly stderr: readonly string[] };
type Started = { readonly process: GuardedProcess; readonly ended: Promise<ProcessExit>; readonly tail: () => Tails };

/** Reads one stream of a command to its end, line by line. */
class Capture {
  tail: readonly string[] = [];
  readonly #stream: Readable;
  readonly #closed: Promise<void>;
  readonly #onLines: (lines: readonly string[]) => void;

  constructor(stream: Readable | null, onLines: (lines: readonly string[]) => void) {
    assert(stream !== null, "a captured stream is a pipe");
    this.#stream = stream;
    this.#onLines = onLines;
    const lines = new PrintedLines();
    stream.on("data", (chunk: Uint8Array) => this.#take(lines.push(chunk)));
    this.#closed = new Promise((resolve) => {
      stream.once("error", () => stream.destroy()); // The other end is gone: there is nothing more.
      stream.once("close", () => {
        this.#take(lines.end());
        resolve();
      });
    });
  }

  /** After the command has ended. */
  async drained(): Promise<void> {
    const late = setTimeout(() => this.#stream.destroy(), drainMs);
    await this.#closed;
    clearTimeout(late);
  }

  #take(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.tail = [...this.tail, ...lines].slice(-tailLines).map((line) => line.slice(0, tailLineChars));
    this.#onLines(lines);
  }
}

function exitMessage({ code, signal }: ProcessExit, { stdout, stderr }: Tails): string {
  const hint = signal === "SIGKILL" ? ", perhaps because memory ran out" : "";
  const what =
    signal === null ? `The command exited with code ${code}.` : `The command was killed by ${signal}${hint}.`;
  const [stream, tail] = stderr.length > 0 ? ["stderr", stderr] : ["stdout", stdout];
  if (tail.length === 0) return `${what} It printed nothing.`;
  return [`${what} It last wrote to ${stream}:`, ...tail.map((line) => `  ${line}`)].join("\n");
}

const userFailure = ({ spec }: Launch, code: string, message: string, recoverable: boolean): ActionError => ({
  code,
  message,
  kind: "user",
  recoverable,
  stack: null,
  location: spec.location,
  origin: null,
});

/** The code is the error's own, in the spelling of error classes: ResourceExhausted. */
function systemFailure({ spec }: Launch, error: unknown): ActionError {
  const code = isGodwitError(error) ? error.code : "internal";
  return {
    code: classOfCode(code),
    message: error instanceof Error ? error.message : String(error),
    kind: "system",
    recoverable: true,
    stack: isGodwitError(error) || !(error instanceof Error) ? null : (error.stack ?? null),
    location: spec.location,
    origin: null,
  };
}

/** A shell tells so of a command in it by a number. */
const wasKilled = ({ code, signal }: ProcessExit): boolean => signal === "SIGKILL" || code === 137;

const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });
