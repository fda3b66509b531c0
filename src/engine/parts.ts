// What the engine's steps work with. Each step reads committed rows, decides through core, commits,
// and acts only on what it committed; each may be repeated, and the loop in engine.ts repeats them.
import type { BlobStore } from "../blob/blob.ts";
import type { Policy } from "../core/action.ts";
import { type Action, type ActionEvent, type AttemptRecord, attemptRecord, isTerminal, step } from "../core/action.ts";
import type { AttemptRef } from "../core/messages.ts";
import { afterRoot, type Run } from "../core/run.ts";
import type { Executor } from "../executor/executor.ts";
import type { Documents } from "../store/documents.ts";
import type { Change, Store } from "../store/store.ts";

export type EngineParts = {
  readonly id: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly documents: Documents;
  readonly executors: readonly Executor[];
  readonly nowMs: () => number;
  /** Ids of the runs that this engine moves forward. */
  readonly served: ReadonlySet<number>;
};

/** Rows that one step takes at once. */
export const batchSize = 500;

export const attemptOf = (action: Action): AttemptRef => ({
  run: action.run,
  action: action.name,
  attempt: action.attempt,
});

/** What one event does to one action: its new state and all that has to be committed with it. Null: nothing. */
export async function changesOf(
  parts: EngineParts,
  action: Action,
  policy: Policy,
  event: ActionEvent,
): Promise<{ readonly next: Action; readonly changes: readonly Change[] } | null> {
  const nowMs = parts.nowMs();
  const next = step(action, policy, event, nowMs);
  if (next === action) return null;
  const changes: Change[] = [{ type: "updateAction", action: next }];
  const record: AttemptRecord | null = attemptRecord(action, next, nowMs);
  if (record !== null) changes.push({ type: "insertAttempt", attempt: record });
  if (isTerminal(next.phase)) changes.push(...endingChanges(next));
  if (next.parent === null && next.phase !== action.phase) {
    const run = await runOf(parts, next.run);
    if (run !== null) changes.push({ type: "updateRun", run: afterRoot(run, next) });
  }
  return { next, changes };
}

/** What an end lets go of: the reservation of its key, and children that nobody waits for any more. */
function endingChanges(action: Action): readonly Change[] {
  const changes: Change[] = [];
  if (action.cacheKey !== null) {
    changes.push({ type: "release", reservation: { key: action.cacheKey, run: action.run, action: action.name } });
  }
  if (action.type === "task" && action.attempt > 0)
    changes.push({ type: "insertSweep", sweep: { run: action.run, name: action.name } });
  return changes;
}

export async function runOf(parts: EngineParts, id: number): Promise<Run | null> {
  const [run] = await parts.store.runsById([id]);
  return run ?? null;
}

/** Stops attempts wherever they run; executors ignore what they do not have. */
export function stopAttempts(parts: EngineParts, attempts: readonly AttemptRef[], reason: string): void {
  if (attempts.length === 0) return;
  for (const executor of parts.executors) executor.stop(attempts, reason);
}
