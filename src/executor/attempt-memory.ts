// What the end of an attempt in a process of its own says about memory.
import type { Launch, Outcome } from "../core/messages.ts";
import { systemKills } from "./group-memory.ts";
import type { WatchedGroup } from "./memory-watch.ts";
import { type OutOfMemory, oomError } from "./oom.ts";

/** Who was over its limit between two looks has failed as well. */
export function withinLimit(group: WatchedGroup | null, { spec }: Launch, outcome: Outcome): Outcome {
  if (group === null) return outcome;
  group.lookAtHead();
  group.end();
  const { isOver, limitBytes, peakBytes } = group;
  const error = oomError({ limitBytes, peakBytes, by: "limit" }, spec);
  return { ...outcome, peakMemoryBytes: peakBytes, ...(isOver ? { result: { type: "failed", error } } : {}) };
}

export type ProcessEnd = {
  /** V8 said so itself. */
  readonly isOutOfHeap: boolean;
  /** By a signal that nobody can catch, and not from here. */
  readonly wasKilled: boolean;
  /** When it was started, see `systemKills`. */
  readonly systemKillsBefore: number | null;
};

/** Null: as far as is known it was not for memory that the process ended. */
export function memoryLoss(
  group: WatchedGroup | null,
  { isOutOfHeap, wasKilled, systemKillsBefore }: ProcessEnd,
): OutOfMemory | null {
  const limitBytes = group?.limitBytes ?? null;
  const peakBytes = group?.peakBytes || null;
  if (limitBytes !== null && isOutOfHeap) return { limitBytes, peakBytes, by: "heap" };
  const isSystem = wasKilled && (group?.isAtLimit === true || (systemKills() ?? 0) > (systemKillsBefore ?? 0));
  return isSystem ? { limitBytes, peakBytes, by: "system" } : null;
}
