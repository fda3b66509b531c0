// What the engine's steps work with. Each step decides through core on committed rows, commits, and acts
// only on what it committed; each may be repeated, and the loop in engine.ts repeats them. A row that was
// kept in memory is as good as one that was read: if it is too old, the commit is refused, and the step
// reads it and decides again.
import type { BlobStore } from "../blob/blob.ts";
import type { Policy } from "../core/action.ts";
import { type Action, type ActionEvent, isTerminal, step } from "../core/action.ts";
import { type AttemptRecord, attemptRecord } from "../core/attempt-record.ts";
import type { AttemptRef } from "../core/messages.ts";
import type { Shares } from "../core/resources.ts";
import { afterRoot, type Run } from "../core/run.ts";
import type { Capacity } from "../executor/capacity.ts";
import type { Executor } from "../executor/executor.ts";
import type { Documents } from "../store/documents.ts";
import { noticesOf } from "../store/notice-rows.ts";
import type { Change, Store } from "../store/store.ts";
import type { LiveRows } from "./live-rows.ts";
import type { ReadyQueue } from "./ready-queue.ts";
import type { WaitingParents } from "./waiting-parents.ts";

export type EngineParts = {
  readonly id: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly documents: Documents;
  readonly executors: readonly Executor[];
  readonly capacity: Capacity;
  readonly shares: Shares;
  readonly nowMs: () => number;
  /** The runs that this engine moves forward, by id, as they were when it took them over. */
  readonly served: ReadonlyMap<number, Run>;
  readonly queue: ReadyQueue;
  readonly live: LiveRows;
  readonly parents: WaitingParents;
  /** Tells all that is kept in memory of a row that was committed. */
  readonly note: (action: Action) => void;
  /** Whether an outcome of the action is on its way into the store. */
  readonly isSettling: (run: number, name: string) => boolean;
};

/** Rows that one step takes at once. */
export const batchSize = 1_000;

export const attemptOf = (action: Action): AttemptRef => ({
  run: action.run,
  action: action.name,
  attempt: action.attempt,
});

export type Changed = { readonly next: Action; readonly changes: readonly Change[] };

/** What one event does to one action: its new state and all that has to be committed with it. Null: nothing. */
export function changesOf(
  parts: Pick<EngineParts, "store" | "nowMs">,
  action: Action,
  policy: Policy,
  event: ActionEvent,
): Changed | null | Promise<Changed> {
  const nowMs = parts.nowMs();
  const next = step(action, policy, event, nowMs);
  if (next === action) return null;
  const changes: Change[] = [{ type: "updateAction", action: next, from: action }];
  const record: AttemptRecord | null = attemptRecord(action, next, nowMs);
  if (record !== null) changes.push({ type: "insertAttempt", attempt: record });
  if (isTerminal(next.phase)) changes.push(...endingChanges(next));
  if (next.parent !== null || next.phase === action.phase) return { next, changes };
  return withRun(parts, next, changes);
}

async function withRun(
  parts: Pick<EngineParts, "store" | "nowMs">,
  root: Action,
  changes: readonly Change[],
): Promise<Changed> {
  const run = await runOf(parts, root.run);
  if (run === null) return { next: root, changes };
  const next = afterRoot(run, root);
  const notices = isTerminal(next.phase) ? await noticesOf(parts.store, next, root, parts.nowMs()) : [];
  return { next: root, changes: [...changes, { type: "updateRun", run: next }, ...notices] };
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

export async function runOf(parts: Pick<EngineParts, "store">, id: number): Promise<Run | null> {
  const [run] = await parts.store.runsById([id]);
  return run ?? null;
}

/** Stops attempts wherever they run; executors ignore what they do not have. */
export function stopAttempts(
  parts: Pick<EngineParts, "executors">,
  attempts: readonly AttemptRef[],
  reason: string,
): void {
  if (attempts.length === 0) return;
  for (const executor of parts.executors) executor.stop(attempts, reason);
}
