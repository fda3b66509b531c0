// Group commit: sets of changes that wait at the same time share one transaction and one sync
// (store.ts R1). A set waits until the events of this turn of the loop have been seen, so that what
// they commit goes along; while one transaction is synced, the next one gathers and is written.
import { GodwitError } from "../core/error.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { Transaction } from "./commits.ts";
import { type Connection, isRefused } from "./connection.ts";
import { KnownActions } from "./known-actions.ts";
import type { Newness } from "./overlay.ts";
import type { Change, CommitResult, Committed, Durability } from "./store.ts";

/** Changes in one transaction, unless a single set has more. Some 100 ms, in which others wait. */
export const maxChangesPerTransaction = 4_000;

/** Changes in one set. */
export const maxChangesPerCommit = 50_000;

/**
 * While a sync is under way, so few changes wait for its end: they cannot be durable before the next one
 * begins. More of them are better written meanwhile.
 */
const fewChanges = 64;

/** Changes that wait, to be written or to be durable. Above it callers are told to slow down. */
export const maxPendingChanges = 200_000;

type PendingSet = {
  readonly changes: readonly Change[];
  readonly durability: Durability;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
};

/** What became of one set. */
type Outcome =
  | { readonly set: PendingSet; readonly type: "answered"; readonly result: CommitResult }
  | { readonly set: PendingSet; readonly type: "failed"; readonly error: unknown };

/** What one transaction came to. */
type Told = { readonly outcomes: readonly Outcome[]; readonly committed: Committed };

type Parts = {
  readonly connection: Connection;
  readonly acknowledgements: Acknowledgements;
  readonly checkpointer: Checkpointer;
  readonly onCommitted: (committed: Committed) => void;
};

export class CommitQueue {
  readonly #parts: Parts;
  readonly #known: KnownActions;
  #waiting: PendingSet[] = [];
  #waitingChanges = 0;
  /** Of sets that have not been answered. */
  #heldChanges = 0;
  #isScheduled = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#known = new KnownActions(parts.connection);
  }

  commit(changes: readonly Change[], durability: Durability): Promise<CommitResult> {
    const { failure } = this.#parts.acknowledgements;
    if (failure !== null) return Promise.reject(failure);
    if (changes.length > maxChangesPerCommit) {
      const message = `A commit of ${changes.length} changes is too large: send at most ${maxChangesPerCommit} at a time.`;
      return Promise.reject(new GodwitError("invalid_argument", message));
    }
    if (this.#heldChanges + changes.length > maxPendingChanges) {
      const message = `${this.#heldChanges} changes wait to be committed, which is all the store holds. Try again when some have been.`;
      return Promise.reject(new GodwitError("resource_exhausted", message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, durability, resolve, reject });
      this.#waitingChanges += changes.length;
      this.#heldChanges += changes.length;
      this.wake();
    });
  }

  /** Writes all that waits. */
  drain(): void {
    while (this.#waiting.length > 0) this.#commitNext();
  }

  /** To be called when what was waited for, a sync or a checkpoint, has ended. */
  wake(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#waiting.length === 0 || this.#isHeldBack()) return;
      try {
        this.#commitNext();
      } finally {
        this.wake();
      }
    });
  }

  #isHeldBack(): boolean {
    const { acknowledgements, checkpointer } = this.#parts;
    if (checkpointer.isExclusive) return true;
    if (!acknowledgements.isSyncing || this.#waitingChanges >= fewChanges) return false;
    return this.#waiting.every(({ durability }) => durability === "synced");
  }

  #commitNext(): void {
    const sets = this.#take();
    for (const told of this.#tellTogether(sets)) this.#acknowledge(told);
    this.#parts.checkpointer.committed();
  }

  #acknowledge({ outcomes, committed }: Told): void {
    const later: Outcome[] = [];
    for (const outcome of outcomes) {
      if (outcome.type === "failed" || outcome.set.durability === "written") this.#settle(outcome);
      else later.push(outcome);
    }
    const isTold = committed.runs.size > 0 || committed.records.size > 0;
    if (later.length === 0 && !isTold) return;
    this.#parts.acknowledgements.add({
      needsSync: later.some((outcome) => outcome.type === "answered" && outcome.result.type === "committed"),
      tell: () => {
        for (const outcome of later) this.#settle(outcome);
        // Last: a listener that throws cannot touch what has been committed and answered.
        if (isTold) this.#parts.onCommitted(committed);
      },
      fail: (error) => {
        for (const { set } of later) this.#settle({ set, type: "failed", error });
      },
    });
  }

  #settle(outcome: Outcome): void {
    this.#heldChanges -= outcome.set.changes.length;
    if (outcome.type === "answered") outcome.set.resolve(outcome.result);
    else outcome.set.reject(outcome.error);
  }

  #take(): readonly PendingSet[] {
    let changes = 0;
    let end = 0;
    while (end < this.#waiting.length) {
      const size = (this.#waiting[end] as PendingSet).changes.length;
      if (end > 0 && changes + size > maxChangesPerTransaction) break;
      changes += size;
      end++;
    }
    this.#waitingChanges -= changes;
    return this.#waiting.splice(0, end);
  }

  #tellTogether(sets: readonly PendingSet[]): readonly Told[] {
    try {
      return [this.#commitTogether(sets)];
    } catch (error) {
      if (sets.length === 1 || !isOfOneSet(error)) {
        return [{ ...nothing, outcomes: sets.map((set) => ({ set, type: "failed", error })) }];
      }
      // One set is to blame: each for itself, so that it alone fails.
      return sets.flatMap((set) => this.#tellTogether([set]));
    }
  }

  /** Throws if the transaction as a whole failed. */
  #commitTogether(sets: readonly PendingSet[]): Told {
    const { acknowledgements, checkpointer } = this.#parts;
    if (acknowledgements.failure !== null) throw acknowledgements.failure;
    checkpointer.check();
    try {
      return this.#write(sets, "presumed");
    } catch (error) {
      if (!isRefused(error)) throw error;
      return this.#write(sets, "looked up");
    }
  }

  #write(sets: readonly PendingSet[], newness: Newness): Told {
    const { connection } = this.#parts;
    try {
      return connection.writing(() => {
        const transaction = new Transaction(connection, this.#known, newness);
        const outcomes = sets.map((set) => outcomeOf(transaction, set));
        return { outcomes, committed: transaction.finish() };
      });
    } catch (error) {
      this.#known.clear();
      throw error;
    }
  }
}

const nothing: Told = {
  outcomes: [],
  committed: { runs: new Map(), actions: [], sweeps: new Set(), records: new Set() },
};

function outcomeOf(transaction: Transaction, set: PendingSet): Outcome {
  let checked: ReturnType<Transaction["check"]>;
  try {
    checked = transaction.check(set.changes);
  } catch (error) {
    return { set, type: "failed", error };
  }
  const result = checked.type === "refused" ? checked.result : transaction.write(checked);
  return { set, type: "answered", result };
}

// A locked database would keep every set waiting for its full time, one after another; a disk that
// failed would fail them all.
const isOfOneSet = (error: unknown): boolean => !(error instanceof GodwitError && error.code === "unavailable");
