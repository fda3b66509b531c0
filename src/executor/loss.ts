// What the end of a worker process means for the attempts that it held.
//
// R1  Blamed is whose code ended the process, as far as is known: who said so, else those that were
//     active, else the first that was sent (protocol.ts R3). All others are interrupted, which costs
//     them nothing.
// R2  If the process was ended from here (a neighbour did not stop, the pool closes), nobody is blamed.
// R3  If only one attempt was there at all and the process went down by itself, it was that one, even
//     if it seemed to wait: else a task that crashes after its first call would do so without end.
// R4  Whoever ran out of the memory that it had asked for is told so, however the process ended for it.
import { constants } from "node:os";
import { type ActionError, errorCodes, systemError } from "../core/action.ts";
import type { AttemptId, AttemptRef, AttemptState } from "../core/messages.ts";
import { attemptId } from "../core/messages.ts";
import type { TaskSpec } from "../core/task.ts";
import { type OutOfMemory, oomError } from "./oom.ts";

export type Loss = {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What the process said about its end, or what it did that it had to be ended for. */
  readonly lastWords: { readonly attempt: AttemptRef | null; readonly message: string } | null;
  readonly stderr: readonly string[];
  /** Why it was ended from here, if it was. */
  readonly endedFor: string | null;
  /** That it ran out of memory, as far as that is known. */
  readonly oom: OutOfMemory | null;
};

export type HeldState = { readonly id: AttemptId; readonly state: AttemptState | "sent" };

export function blamed(held: readonly HeldState[], loss: Loss, isLoading: boolean): ReadonlySet<AttemptId> {
  // R4. A process with a limit has one attempt.
  if (loss.oom !== null && loss.oom.limitBytes !== null) return new Set(held.map(({ id }) => id));
  if (loss.endedFor !== null) return new Set();
  const named = loss.lastWords?.attempt;
  if (named != null) return new Set([attemptId(named)]);
  const active = held.filter(({ state }) => state === "active");
  if (active.length > 0) return new Set(active.map(({ id }) => id));
  const first = held.find(({ state }) => state === "sent");
  // Loading code for `describe` may have ended it just as well, and will be told so.
  if (first !== undefined) return isLoading ? new Set() : new Set([first.id]);
  const [sole] = held;
  return held.length === 1 && sole !== undefined && isOwnDoing(loss) ? new Set([sole.id]) : new Set();
}

/** Signals that come from outside rather than from what the code does. */
const foreignSignals: readonly (NodeJS.Signals | null)[] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

const isOwnDoing = (loss: Loss): boolean => !foreignSignals.includes(signalOf(loss));

const outOfHeap = "JavaScript heap out of memory";

export const isOutOfHeap = (stderr: readonly string[]): boolean => stderr.some((line) => line.includes(outOfHeap));

export function lossError(loss: Loss, spec: Pick<TaskSpec, "location" | "target">): ActionError {
  if (loss.oom !== null) return oomError(loss.oom, spec);
  if (isOutOfHeap(loss.stderr)) {
    return {
      ...systemError(
        errorCodes.outOfMemory,
        "The worker process ran out of JavaScript heap memory. Hold less in memory at once, or ask for what it needs (resources: { memory: '2Gi' }), which sizes the heap; for all tasks that do not: NODE_OPTIONS=--max-old-space-size=<MiB>.",
      ),
      recoverable: true,
    };
  }
  // What ended itself on purpose spends its own budget, not the system's.
  const kind = loss.lastWords?.attempt == null ? "system" : "user";
  return { ...systemError(errorCodes.workerLost, lossText(loss)), kind, recoverable: true };
}

/** How the process ended, in words, with the last that it wrote. */
export function lossText(loss: Loss): string {
  const tail = loss.stderr.filter((line) => line.trim() !== "" && !/^ +at /.test(line)).slice(-maxTailLines);
  return tail.length === 0 ? endText(loss) : `${endText(loss)} Its last lines on stderr:\n${tail.join("\n")}`;
}

const maxTailLines = 10;

function endText(loss: Loss): string {
  if (loss.lastWords !== null) return loss.lastWords.message;
  if (loss.endedFor !== null) return `The worker process was ended: ${loss.endedFor}`;
  const signal = signalOf(loss);
  if (signal === "SIGKILL") return "The worker process was killed by SIGKILL (out of memory?).";
  if (signal !== null) return `The worker process was ended by ${signal}.`;
  return `The worker process exited with code ${loss.exitCode}.`;
}

/** Shells report the death of a child by a signal as 128 plus its number. */
function signalOf({ exitCode, signal }: Loss): NodeJS.Signals | null {
  if (signal !== null || exitCode === null || exitCode <= 128) return signal;
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128);
  return found === undefined ? null : (found[0] as NodeJS.Signals);
}
