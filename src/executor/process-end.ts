// How the process of an attempt has ended, as the attempt's failure.
import type { ActionError } from "../core/action.ts";
import { classOfCode, isGodwitError, isOfSurroundings } from "../core/error.ts";
import type { Launch, Outcome } from "../core/messages.ts";
import type { Tails } from "./capture.ts";
import type { ProcessExit } from "./guard.ts";
import type { MemoryWatch, WatchedGroup } from "./memory-watch.ts";
import { oomError } from "./oom.ts";

/** Begins to watch the memory of the attempt's group. Null: it has no limit. */
export function watchedGroup(
  watch: MemoryWatch,
  { resources: { memoryBytes } }: Launch,
  process: { readonly pid: number; kill(signal: "SIGKILL"): void },
): WatchedGroup | null {
  if (memoryBytes === null) return null;
  const onOver = (): void => process.kill("SIGKILL");
  const group = watch.open({ pid: process.pid, limitBytes: memoryBytes, onOver });
  group.begin();
  return group;
}

/** Null: it was not for memory, as far as is known, that the process ended. */
export function memoryFailure(
  group: WatchedGroup | null,
  exit: ProcessExit,
  { spec }: Launch,
): Outcome["result"] | null {
  if (group === null || !(group.isOver || (wasKilled(exit) && group.isAtLimit))) return null;
  const { limitBytes, peakBytes } = group;
  return { type: "failed", error: oomError({ limitBytes, peakBytes, by: group.isOver ? "limit" : "system" }, spec) };
}

/** A shell tells so of a command in it by a number. */
const wasKilled = ({ code, signal }: ProcessExit): boolean => signal === "SIGKILL" || code === 137;

/** `what`: what has ended, as a sentence begins: "The command". */
export function exitMessage(what: string, { code, signal }: ProcessExit, { stdout, stderr }: Tails): string {
  const hint = signal === "SIGKILL" ? ", perhaps because memory ran out" : "";
  const end = signal === null ? `${what} exited with code ${code}.` : `${what} was killed by ${signal}${hint}.`;
  const [stream, tail] = stderr.length > 0 ? ["stderr", stderr] : ["stdout", stdout];
  if (tail.length === 0) return `${end} It printed nothing.`;
  return [`${end} It last wrote to ${stream}:`, ...tail.map((line) => `  ${line}`)].join("\n");
}

export const userFailure = ({ spec }: Launch, code: string, message: string, recoverable: boolean): ActionError => ({
  code,
  message,
  kind: "user",
  recoverable,
  stack: null,
  location: spec.location,
  origin: null,
});

/** The code is the error's own, in the spelling of error classes: ResourceExhausted. */
export function systemFailure({ spec }: Launch, error: unknown): ActionError {
  const code = isGodwitError(error) ? error.code : "internal";
  return {
    code: classOfCode(code),
    message: error instanceof Error ? error.message : String(error),
    kind: "system",
    // A missing program or environment is missing the next time too.
    recoverable: !isGodwitError(error) || isOfSurroundings(error),
    stack: isGodwitError(error) || !(error instanceof Error) ? null : (error.stack ?? null),
    location: spec.location,
    origin: null,
  };
}
