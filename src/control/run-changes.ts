// What changes in a run, from a revision on, for whoever follows it. What this process commits is handed
// on as it comes; where that leaves a gap (another process committed, or who follows was too slow), the
// rows are read. So a fast follower costs no reads, and a slow one no memory.
import type { Action } from "../core/action.ts";
import type { Committed, Store } from "../store/store.ts";

/** Rows read at once, and the most that `next` gives. */
export const pageSize = 1_000;

/** Rows kept for a follower that is slower than what it follows; then it reads them. */
const maxKept = 10_000;

/** What has changed; null: it is not known what. */
export type OnChange = (actions: readonly Action[] | null) => void;

/** One per control: a commit is looked at once, however many runs are followed. */
export class ChangeHub {
  readonly #store: Store;
  readonly #followed = new Map<number, Set<RunChanges>>();
  #stop: (() => void) | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All changes after that revision. */
  follow(run: number, afterRevision: number, onChange: OnChange): RunChanges {
    const changes = new RunChanges(this.#store, run, afterRevision, onChange, () => this.#leave(changes));
    const followers = this.#followed.get(run) ?? new Set();
    this.#followed.set(run, followers.add(changes));
    this.#stop ??= this.#store.onChange((committed) => this.#hear(committed));
    return changes;
  }

  #hear(committed: Committed | null): void {
    if (committed === null) {
      for (const followers of this.#followed.values()) for (const changes of [...followers]) changes.doubt();
      return;
    }
    const rows = new Map<number, Action[]>();
    for (const action of committed.actions) {
      if (!this.#followed.has(action.run)) continue;
      const ofRun = rows.get(action.run);
      if (ofRun === undefined) rows.set(action.run, [action]);
      else ofRun.push(action);
    }
    for (const [run, range] of committed.runs)
      for (const changes of [...(this.#followed.get(run) ?? [])]) changes.add(range, rows.get(run) ?? []);
  }

  #leave(changes: RunChanges): void {
    const followers = this.#followed.get(changes.run);
    followers?.delete(changes);
    if (followers?.size === 0) this.#followed.delete(changes.run);
    if (this.#followed.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }
}

export class RunChanges {
  readonly run: number;
  readonly #store: Store;
  readonly #onChange: OnChange;
  readonly #onClose: () => void;
  /** Handed on, or passed over because a later row says more. */
  #given: number;
  /** Of what was heard; between `#given` and this all rows are kept, unless it is behind. */
  #heard: number;
  #kept: Action[] = [];
  #isBehind = true;

  constructor(store: Store, run: number, afterRevision: number, onChange: OnChange, onClose: () => void) {
    this.#store = store;
    this.run = run;
    this.#given = afterRevision;
    this.#heard = afterRevision;
    this.#onChange = onChange;
    this.#onClose = onClose;
  }

  /** What was kept, without rows that a later one of the same action has overtaken. */
  gather(): void {
    const latest = new Map(this.#kept.map((action) => [action.name, action.revision]));
    if (latest.size < this.#kept.length)
      this.#kept = this.#kept.filter(({ name, revision }) => latest.get(name) === revision);
  }

  /** In order of revision; empty when there is nothing for now. */
  async next(): Promise<readonly Action[]> {
    if (!this.#isBehind) return this.#take();
    this.#isBehind = false;
    this.#kept = [];
    const heard = this.#heard;
    const read = await this.#store.changedActions({ run: this.run, afterRevision: this.#given, limit: pageSize });
    this.#given = Math.max(this.#given, read.at(-1)?.revision ?? 0);
    if (read.length === pageSize) this.#isBehind = true;
    else {
      this.#given = Math.max(this.#given, heard);
      this.#heard = Math.max(this.#heard, this.#given);
      // What came in while it was read, and the read has seen.
      this.#kept = this.#kept.filter(({ revision }) => revision > this.#given);
    }
    return read;
  }

  /** Whatever was heard: the next page is read. */
  reread(): void {
    this.#isBehind = true;
  }

  close(): void {
    this.#onClose();
  }

  doubt(): void {
    this.#isBehind = true;
    this.#onChange(null);
  }

  add(range: { readonly first: number; readonly last: number }, actions: readonly Action[]): void {
    if (range.first > this.#heard + 1) this.#isBehind = true;
    this.#heard = Math.max(this.#heard, range.last);
    if (!this.#isBehind) {
      for (const action of actions) if (action.revision > this.#given) this.#kept.push(action);
      if (this.#kept.length > maxKept) this.#isBehind = true;
    }
    if (this.#isBehind) this.#kept = [];
    this.#onChange(actions);
  }

  #take(): readonly Action[] {
    const taken = this.#kept.splice(0, pageSize);
    this.#given = taken.at(-1)?.revision ?? this.#given;
    return taken;
  }
}
