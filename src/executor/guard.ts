// Starts a command so that it cannot outlive this process, however this process dies.
//
// The command runs as the head of a process group of its own. Beside it, in the same group, a tiny
// shell (the guard) reads from a pipe that nobody writes to and whose other end only this process
// holds. When this process is gone, by `kill -9` as well, the pipe ends and the guard kills the group.
//
// R1  The guard is there before the command is: at no moment can the command be left alone.
// R2  The shell that starts the guard becomes the command (`exec`), so the pid, the exit code and the
//     signal that are reported are the command's own.
// R3  The guard is nobody's child (it is forked twice): a command that waits for all its children
//     must not wait for the guard.
// R4  The guard holds the group's number in use until this process has let go of it. So killing the
//     group can never hit a stranger that was given the number anew.
// R5  What the command leaves behind in its group is killed when the command has ended.
//
// A process that makes itself a session of its own (a daemon) leaves the group and is not held.
import { type ChildProcess, type StdioPipe, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { GodwitError } from "../core/error.ts";
import { stopGraceMs } from "./executor.ts";
import { groupEnded } from "./group-end.ts";

export type GuardedStdio = StdioPipe | "ignore" | "inherit" | number;

export type SpawnOptions = {
  readonly cwd: string;
  /** The whole environment. The command is looked up in its PATH. */
  readonly env: { readonly [name: string]: string | undefined };
  /** File descriptors 0, 1, 2 and, if there are more, those from 3 on; at most `maxStdio`. */
  readonly stdio: readonly GuardedStdio[];
};

/** The shell can name descriptors of one digit only, and the guard's pipe takes one. */
export const maxStdio = 9;

/** `signal` is null if the command ended by itself, `code` if it was killed. */
export type ProcessExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type KillOptions = {
  /** Default: the command alone. The rest of the group goes when it has ended (R5). */
  readonly to?: "command" | "group";
  /** After this the whole group is killed. Default: `stopGraceMs`. */
  readonly graceMs?: number;
};

export type GuardedProcess = {
  /** Of the command and of its group. -1 if it could not be started; then `exited` rejects. */
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Our ends of all that was asked for as a pipe, by the command's descriptor. */
  readonly stdio: readonly (Readable | Writable | null)[];
  /** When the command has ended and its group is gone. What it printed may still have to be read. */
  readonly exited: Promise<ProcessExit>;
  /** Does nothing once the command has ended. SIGKILL always goes to the whole group. */
  kill(signal: NodeJS.Signals, options?: KillOptions): void;
};

/**
 * Throws `not_found` or `permission_denied` if the command or the directory cannot be used,
 * `invalid_argument` if arguments and environment are too large for the system.
 */
export function spawnGuarded(command: string, args: readonly string[], options: SpawnOptions): GuardedProcess {
  if (options.stdio.length < 3 || options.stdio.length > maxStdio) {
    throw new GodwitError(
      "invalid_argument",
      `A process gets from 3 to ${maxStdio} descriptors, not ${options.stdio.length}.`,
    );
  }
  checkDirectory(options.cwd, command);
  const path = findCommand(command, options);
  const { env, oddNames } = splitNames(options.env);
  // A shell drops variables whose names it could not write; env(1) hands them on.
  const whole = oddNames.length === 0 ? [path, ...args] : ["/usr/bin/env", ...oddNames, path, ...args];
  const guardFd = options.stdio.length;
  try {
    const child = spawn("/bin/sh", ["-c", guardScript(guardFd), "godwit-guard", ...whole], {
      cwd: options.cwd,
      env,
      stdio: [...options.stdio, "pipe"],
      detached: true,
    });
    return guarded(child, command, guardFd);
  } catch (error) {
    throw startError(command, error);
  }
}

/**
 * The guard closes all it was given but its pipe: otherwise readers of the command's output would
 * wait for the guard as well. It ignores what a command may send to its own group.
 */
function guardScript(guardFd: number): string {
  const closed = Array.from({ length: guardFd - 3 }, (_, index) => `${index + 3}<&-`).join(" ");
  return [
    `( trap "" HUP INT QUIT PIPE ALRM TERM USR1 USR2 TSTP TTIN TTOU`,
    `( exec <&${guardFd} ${guardFd}<&- >/dev/null 2>&1 ${closed}`,
    "while read -r _; do :; done",
    "kill -KILL 0 ) & )",
    `exec "$@" ${guardFd}<&-`,
  ].join("\n");
}

function guarded(child: ChildProcess, command: string, guardFd: number): GuardedProcess {
  const pipe = child.stdio[guardFd] as Readable;
  let hasEnded = false;
  let forced: NodeJS.Timeout | undefined;
  const killGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined || hasEnded) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      // ESRCH: nobody is left. EPERM: macOS says so of a group of which only the dead are left.
      if (!hasCode(error, "ESRCH", "EPERM")) throw error;
    }
  };
  const exited = new Promise<ProcessExit>((resolveExit, reject) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return; // A signal could not be delivered; the exit is still to come.
      pipe.destroy();
      reject(startError(command, error));
    });
    child.once("exit", (code, signal) => {
      clearTimeout(forced);
      killGroup("SIGKILL"); // R5
      hasEnded = true;
      // The guard was in the group: when its end of the pipe is gone, all of them have been killed.
      const done = (): void => void groupEnded(child.pid as number).then(() => resolveExit({ code, signal }));
      if (pipe.destroyed) done();
      else pipe.once("close", done).resume();
    });
  });
  pipe.on("error", () => pipe.destroy()); // Reset instead of closed: it is the end all the same.
  pipe.resume();
  exited.catch(() => {}); // Whoever needs the reason awaits it; nobody has to.
  return {
    pid: child.pid ?? -1,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    stdio: child.stdio.slice(0, guardFd).map((stream) => stream ?? null),
    exited,
    kill(signal, { to = "command", graceMs = stopGraceMs } = {}) {
      if (hasEnded || child.exitCode !== null || child.signalCode !== null) return;
      if (signal === "SIGKILL") return killGroup("SIGKILL");
      if (to === "group") killGroup(signal);
      else child.kill(signal);
      forced ??= setTimeout(() => killGroup("SIGKILL"), graceMs);
    },
  };
}

function checkDirectory(cwd: string, command: string): void {
  const stat = statSync(cwd, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return;
  throw new GodwitError(
    "not_found",
    `Cannot start ${JSON.stringify(command)}: its working directory ${cwd} is not there.`,
  );
}

/** The absolute path of the program, as `execvp` would find it. */
function findCommand(command: string, { cwd, env }: SpawnOptions): string {
  const searched = env.PATH ?? "/usr/local/bin:/usr/bin:/bin";
  const candidates = command.includes("/")
    ? [resolve(cwd, command)]
    : searched.split(delimiter).map((folder) => resolve(cwd, folder, command));
  const files = command === "" ? [] : candidates.filter(isFile);
  const found = files.find(isExecutable);
  if (found !== undefined) return found;
  if (files[0] !== undefined) {
    throw new GodwitError(
      "permission_denied",
      `Cannot start ${files[0]}: the file is not executable. Try: chmod +x ${files[0]}`,
    );
  }
  throw new GodwitError(
    "not_found",
    command.includes("/")
      ? `Cannot start ${JSON.stringify(command)}: there is no such file (looked for ${candidates[0]}).`
      : `Cannot start ${JSON.stringify(command)}: there is no such command in PATH (${searched}). Install it, or name it by its full path.`,
  );
}

/** A folder of PATH that may not be read, or cannot be, has no commands: shells pass over it too. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // That is the answer.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // That is the answer.
  }
}

function splitNames(env: SpawnOptions["env"]): { env: NodeJS.ProcessEnv; oddNames: string[] } {
  const plain: NodeJS.ProcessEnv = {};
  const oddNames: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) plain[name] = value;
    else if (name !== "" && !name.startsWith("-")) oddNames.push(`${name}=${value}`);
  }
  return { env: plain, oddNames };
}

function startError(command: string, error: unknown): GodwitError {
  const what = `Cannot start ${JSON.stringify(command)}`;
  if (hasCode(error, "E2BIG")) {
    return new GodwitError(
      "invalid_argument",
      `${what}: its arguments and environment are larger than the system allows. Pass large values as files.`,
      { cause: error },
    );
  }
  if (hasCode(error, "EAGAIN", "ENOMEM", "EMFILE", "ENFILE")) {
    const reason = (error as NodeJS.ErrnoException).code;
    return new GodwitError(
      "resource_exhausted",
      `${what}: the system has no room for another process (${reason}). End some, or raise the limits (ulimit -n, -u).`,
      { cause: error },
    );
  }
  return new GodwitError("failed_precondition", `${what}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | null)?.code ?? "");
