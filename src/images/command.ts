// Runs one command of a build: what it prints goes on line by line, and its last lines explain a failure.
import type { Readable } from "node:stream";
import { GodwitError } from "../core/error.ts";
import { type GuardedProcess, spawnGuarded } from "../executor/guard.ts";
import { PrintedLines } from "../executor/printed-lines.ts";

export type CommandContext = {
  readonly cwd: string;
  readonly env: { readonly [name: string]: string | undefined };
  readonly print: (line: string) => void;
  /** Ends the command, and all that it has started. */
  readonly signal: AbortSignal;
  /** Default: `commandTimeoutMs`. */
  readonly timeoutMs?: number;
  /** What errors call it. Default: the command itself. */
  readonly title?: string;
};

/** Building a large package from its sources takes its time; a mirror that hangs should not hold a build for ever. */
export const commandTimeoutMs = 60 * 60_000;
const tailLines = 20;
const tailLineChars = 500;
/** What is kept of output that is read as a whole. */
const maxOutputChars = 1024 * 1024;

/** Throws `failed_precondition` with its last lines if it does not end with 0, `aborted` if it was called off. */
export async function runCommand(words: readonly string[], context: CommandContext): Promise<void> {
  const tail: string[] = [];
  const take = (line: string): void => {
    const shown = withoutPasswords(line);
    context.print(shown);
    tail.push(shown.slice(0, tailLineChars));
    if (tail.length > tailLines) tail.shift();
  };
  const end = await runToEnd(words, context, take, take);
  if (end !== null) throw failure(context.title ?? shown(words), end, tail);
}

/** What it printed on stdout. Throws as `runCommand` does. */
export async function commandOutput(words: readonly string[], context: CommandContext): Promise<string> {
  let output = "";
  const errors: string[] = [];
  const end = await runToEnd(
    words,
    context,
    (line) => {
      if (output.length < maxOutputChars) output += `${line}\n`;
    },
    (line) => {
      errors.push(line.slice(0, tailLineChars));
      if (errors.length > tailLines) errors.shift();
    },
  );
  if (end !== null) throw failure(context.title ?? shown(words), end, errors);
  return output;
}

type Take = (line: string) => void;

/** How it ended in words; null if it did with 0. */
async function runToEnd(words: readonly string[], context: CommandContext, out: Take, error: Take) {
  const { cwd, env, signal, timeoutMs = commandTimeoutMs } = context;
  const [command = "", ...args] = words;
  if (signal.aborted) throw calledOff();
  const child = spawnGuarded(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const stop = (): void => child.kill("SIGTERM", { to: "group" });
  signal.addEventListener("abort", stop, { once: true });
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const exit = await ended(child, out, error);
    if (signal.aborted) throw calledOff();
    if (isLate) return `was ended after ${Math.round(timeoutMs / 60_000)} minutes`;
    if (exit.signal !== null) return `was killed by ${exit.signal}`;
    return exit.code === 0 ? null : `exited with code ${exit.code}`;
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
  }
}

async function ended(child: GuardedProcess, out: Take, error: Take) {
  const read = [lines(child.stdout, out), lines(child.stderr, error)];
  const exit = await child.exited;
  await Promise.all(read);
  return exit;
}

/** Until the stream ends; its group is gone with the command, so that it does. */
async function lines(stream: Readable | null, take: Take): Promise<void> {
  const printed = new PrintedLines();
  try {
    for await (const chunk of stream ?? []) for (const line of printed.push(chunk as Uint8Array)) take(line);
  } catch {
    // The other end is gone: there is nothing more.
  }
  for (const line of printed.end()) take(line);
}

const calledOff = (): GodwitError => new GodwitError("aborted", "The build was called off.");

function failure(title: string, end: string, tail: readonly string[]): GodwitError {
  const what = `\`${title}\` ${end}.`;
  const last = tail.filter((line) => line.trim() !== "");
  const text = last.length === 0 ? `${what} It printed nothing.` : [`${what} It last wrote:`, ...last].join("\n  ");
  return new GodwitError("failed_precondition", text);
}

const maxShownChars = 300;

/** As somebody would type it, shortened. */
export function shown(words: readonly string[]): string {
  const text = withoutPasswords(words.map((word) => (/[\s"'$]/.test(word) ? `'${word}'` : word)).join(" "));
  return text.length <= maxShownChars ? text : `${text.slice(0, maxShownChars)}…`;
}

/** Package indexes are often given with user and password. */
const withoutPasswords = (text: string): string => text.replace(/(\w+:\/\/)[^\s/@]+@/g, "$1****@");
