// Group commit: sets of changes that wait at the same time share one transaction and one sync
// (store.ts R1). A set waits until the events of this turn of the loop have been seen, so that what
// they commit goes along; while one transaction syncs, the next one gathers.
import type { Action } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { Transaction } from "./commits.ts";
import type { Connection } from "./connection.ts";
import type { Change, CommitResult, Committed, Durability } from "./store.ts";

/** Changes in one transaction, unless a single set has more. Some 100 ms, in which others wait. */
export const maxChangesPerTransaction = 4_000;

/** Changes in one set. */
export const maxChangesPerCommit = 50_000;

/** Changes that wait. Above it callers are told to slow down. */
export const maxPendingChanges = 200_000;

type PendingSet = {
  readonly changes: readonly Change[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
};

/** Tells the caller what became of its set. */
type Answer = () => void;

/** What one transaction came to. */
type Told = { readonly answers: readonly Answer[]; readonly committed: Committed };

const nothing: Told = { answers: [], committed: { runs: new Map(), actions: [] } };

export class CommitQueue {
  readonly #connection: Connection;
  readonly #onCommitted: (committed: Committed) => void;
  #pending: PendingSet[] = [];
  #pendingChanges = 0;
  #isScheduled = false;

  constructor(connection: Connection, onCommitted: (committed: Committed) => void) {
    this.#connection = connection;
    this.#onCommitted = onCommitted;
  }

  /** Every set is synced, those too for which it is enough to be written. */
  commit(changes: readonly Change[], _durability: Durability): Promise<CommitResult> {
    if (changes.length > maxChangesPerCommit) {
      const message = `A commit of ${changes.length} changes is too large: send at most ${maxChangesPerCommit} at a time.`;
      return Promise.reject(new GodwitError("invalid_argument", message));
    }
    if (this.#pendingChanges + changes.length > maxPendingChanges) {
      const message = `${this.#pendingChanges} changes wait to be committed, which is all the store holds. Try again when some have been.`;
      return Promise.reject(new GodwitError("resource_exhausted", message));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, resolve, reject });
      this.#pendingChanges += changes.length;
      this.#schedule();
    });
  }

  /** Commits all that waits. */
  drain(): void {
    while (this.#pending.length > 0) this.#commitNext();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#pending.length === 0) return;
      try {
        this.#commitNext();
      } finally {
        if (this.#pending.length > 0) this.#schedule();
      }
    });
  }

  #commitNext(): void {
    const told = this.#tellTogether(this.#take());
    for (const { answers } of told) for (const answer of answers) answer();
    // Last: a listener that throws cannot touch what has been committed and answered.
    for (const { committed } of told) if (committed.runs.size > 0) this.#onCommitted(committed);
  }

  #tellTogether(sets: readonly PendingSet[]): readonly Told[] {
    try {
      return [this.#commitTogether(sets)];
    } catch (error) {
      if (sets.length === 1 || !isOfOneSet(error)) return [{ ...nothing, answers: sets.map(refusing(error)) }];
      // One set is to blame: each for itself, so that it alone fails.
      return sets.flatMap((set) => this.#tellTogether([set]));
    }
  }

  #take(): readonly PendingSet[] {
    let changes = 0;
    let end = 0;
    while (end < this.#pending.length) {
      const size = (this.#pending[end] as PendingSet).changes.length;
      if (end > 0 && changes + size > maxChangesPerTransaction) break;
      changes += size;
      end++;
    }
    this.#pendingChanges -= changes;
    return this.#pending.splice(0, end);
  }

  /** Gives what is to be told after the sync, and throws if the transaction as a whole failed. */
  #commitTogether(sets: readonly PendingSet[]): Told {
    const runs = new Set<number>();
    return this.#connection.writing(() => {
      const transaction = new Transaction(this.#connection);
      const applied = sets.map((set) => applySet(transaction, set, runs));
      return {
        answers: applied.map(({ answer }) => answer),
        committed: { runs: transaction.finish(runs), actions: applied.flatMap(({ actions }) => actions) },
      };
    });
  }
}

function applySet(
  transaction: Transaction,
  set: PendingSet,
  runs: Set<number>,
): { readonly answer: Answer; readonly actions: readonly Action[] } {
  let checked: ReturnType<Transaction["check"]>;
  try {
    checked = transaction.check(set.changes);
  } catch (error) {
    return { answer: refusing(error)(set), actions: [] };
  }
  if (checked.type === "refused") {
    const { result } = checked;
    return { answer: () => set.resolve(result), actions: [] };
  }
  const actions: Action[] = [];
  for (const write of checked.writes) {
    const action = write();
    if (action !== undefined) actions.push(action);
  }
  for (const change of set.changes) {
    const run = runOfChange(change);
    if (run !== null) runs.add(run);
  }
  return { answer: () => set.resolve({ type: "committed", actions }), actions };
}

const refusing =
  (error: unknown) =>
  (set: PendingSet): Answer =>
  () =>
    set.reject(error);

// A locked database would keep every set waiting for its full time, one after another.
const isOfOneSet = (error: unknown): boolean => !(error instanceof GodwitError && error.code === "unavailable");

function runOfChange(change: Change): number | null {
  switch (change.type) {
    case "insertRun":
    case "updateRun":
      return change.run.id;
    case "insertAction":
    case "updateAction":
      return change.action.run;
    case "insertAttempt":
      return change.attempt.run;
    case "putAttachment":
      return change.attachment.run;
    case "reserve":
    case "release":
      return change.reservation.run;
    case "insertSweep":
    case "deleteSweep":
      return change.sweep.run;
    case "expectAction":
    case "putDocument":
    case "putCacheEntry":
    case "deleteCacheEntries":
      return null;
  }
}
