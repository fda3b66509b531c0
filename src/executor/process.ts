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
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { assert, type ErrorCode, GodwitError, isGodwitError } from "../core/error.ts";
import { attemptId, type Launch, type Outcome, refOf } from "../core/messages.ts";
import type { Payload } from "../core/value.ts";
import type { Capacity } from "./capacity.ts";
import { Captures } from "./capture.ts";
import type { Executor, LogSink } from "./executor.ts";
import { type GuardedProcess, spawnGuarded } from "./guard.ts";
import { type LoneAttempt, loneExecutor } from "./lone-attempts.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { gpuVariables } from "./own-process.ts";
import { exitMessage, memoryFailure, userFailure, watchedGroup } from "./process-end.ts";
import { removeLeft, Workspaces } from "./scratch.ts";
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

/** Of a command that is not there or not executable. */
const startMistakes: readonly ErrorCode[] = ["not_found", "permission_denied"];

/**
 * Without it a shell that is told to stop ends at once, and its child is killed before it could stop
 * by itself (guard.ts R5). With it the shell waits for the child first. On the first line, so that
 * the lines of the command keep their numbers.
 */
const stopTrap = "trap 'exit 143' TERM; ";

export function processExecutor(options: ProcessExecutorOptions): Executor {
  const workspaces = new Workspaces(options.tmpDir);
  const shell = new Shell(options);
  return loneExecutor(options.capacity, {
    accepts: ({ target }) => target.type === "shell",
    begin: () => Promise.all([removeLeft(options.tmpDir, ["shell", "bundle"]), removeLeft(tmpdir(), ["godwit-files"])]),
    run: (attempt) => workspaces.with((workspace) => shell.run(workspace, attempt)),
    end: () => workspaces.close(),
  });
}

class Shell {
  readonly #options: ProcessExecutorOptions;
  readonly #watch = new MemoryWatch();

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
  }

  async run(workspace: string, attempt: LoneAttempt): Promise<Outcome["result"]> {
    const { launch } = attempt;
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
    let process: GuardedProcess;
    try {
      inputs = await shellInputs(declared, await fromPayload(launch.inputs, blobs), blobs, join(workspace, "inputs"));
      if (attempt.isStopping) return { type: "interrupted" };
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
      process = this.#start(launch, inputs, outputs, join(workspace, "work"));
      attempt.process = process;
      attempt.group = watchedGroup(this.#watch, launch, process);
    } catch (error) {
      return failed(errorCodes.commandFailed, false, error);
    }
    const captures = new Captures(process, { ...this.#options, attempt: refOf(launch) });
    const exit = await process.exited;
    await captures.drained();
    attempt.group?.end();
    if (attempt.isStopping) return { type: "interrupted" };
    const outOfMemory = memoryFailure(attempt.group, exit, launch);
    if (outOfMemory !== null) return outOfMemory;
    if (exit.code !== 0) {
      const message = exitMessage("The command", exit, captures.tails);
      return { type: "failed", error: userFailure(launch, errorCodes.commandFailed, message, true) };
    }
    try {
      const literals = await shellOutputs(promised, outputs, blobs, this.#options.describeTable);
      const stored: Payload = await toPayload(literals, blobs);
      return { type: "succeeded", outputs: stored };
    } catch (error) {
      return failed(errorCodes.outputInvalid, true, error);
    }
  }

  #start(launch: Launch, inputs: ShellWords, outputs: ShellWords, cwd: string): GuardedProcess {
    const { target } = launch.spec;
    assert(target.type === "shell", `the process executor was given a ${target.type} task`);
    const [command, ...args] =
      typeof target.command === "string"
        ? ["sh", "-eu", "-c", `${stopTrap}${target.command}`, launch.spec.shortName]
        : filledIn(target.command, inputs, outputs);
    if (command === undefined)
      throw new GodwitError("invalid_argument", "The command is an empty list; the program to run was expected.");
    return spawnGuarded(command, args, {
      cwd,
      env: shellEnvironment(launch, { ...inputs, ...outputs }, cwd, this.#gpus(launch)),
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  #gpus(launch: Launch): { readonly [name: string]: string } {
    const { capacity } = this.#options;
    return gpuVariables(capacity.machine, capacity.devices(attemptId(launch)));
  }
}
