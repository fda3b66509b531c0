// The changes of runs, read once each and handed to everybody who follows some parent's children: the cost is
// that of the changes, however many follow.
import type { Action } from "../core/action.ts";
import type { Parts } from "./parts.ts";
import type { RunChanges } from "./run-changes.ts";

export type Listener = {
  /** In order of revision. Keeps what it is given within bounds of its own. */
  readonly onRows: (rows: readonly Action[]) => void;
  /** Nothing can be read any more. */
  readonly onFailure: (error: unknown) => void;
};

/** Whose children; null: the root, which is nobody's. */
export type Parent = string | null;

export class RunFeeds {
  readonly #parts: Parts;
  readonly #feeds = new Map<number, RunFeed>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** If somebody follows the run already: what changes from now on. Else false. */
  join(run: number, parent: Parent, listener: Listener): boolean {
    const feed = this.#feeds.get(run);
    feed?.add(parent, listener);
    return feed !== undefined;
  }

  /** What changes after that revision; if somebody else follows the run by now, from now on. */
  open(run: number, parent: Parent, listener: Listener, afterRevision: number): void {
    if (this.join(run, parent, listener)) return;
    const feed = new RunFeed(this.#parts, run, afterRevision);
    this.#feeds.set(run, feed);
    feed.add(parent, listener);
  }

  leave(run: number, parent: Parent, listener: Listener): void {
    const feed = this.#feeds.get(run);
    feed?.remove(parent, listener);
    if (feed?.isEmpty !== true) return;
    feed.close();
    this.#feeds.delete(run);
  }
}

class RunFeed {
  readonly #listeners = new Map<Parent, Set<Listener>>();
  readonly #changes: RunChanges;
  #isReading = false;
  #isStale = false;

  constructor(parts: Parts, run: number, afterRevision: number) {
    this.#changes = parts.changes.follow(run, afterRevision, () => this.#read());
    this.#read();
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  add(parent: Parent, listener: Listener): void {
    const listeners = this.#listeners.get(parent) ?? new Set();
    this.#listeners.set(parent, listeners.add(listener));
  }

  remove(parent: Parent, listener: Listener): void {
    const listeners = this.#listeners.get(parent);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(parent);
  }

  close(): void {
    this.#changes.close();
  }

  #read(): void {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    this.#readAll()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#isReading = false;
        if (this.#isStale) this.#read();
      });
  }

  async #readAll(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const page = await this.#changes.next();
      if (page.length > 0) this.#isStale = true;
      this.#hand(page);
    }
  }

  /** Who follows must not wait for ever for what cannot be read. */
  #tell(error: unknown): void {
    for (const listeners of this.#listeners.values()) for (const { onFailure } of [...listeners]) onFailure(error);
  }

  #hand(page: readonly Action[]): void {
    const families = new Map<Parent, Action[]>();
    for (const action of page) {
      if (!this.#listeners.has(action.parent)) continue;
      const family = families.get(action.parent);
      if (family === undefined) families.set(action.parent, [action]);
      else family.push(action);
    }
    for (const [parent, rows] of families)
      for (const { onRows } of [...(this.#listeners.get(parent) ?? [])]) onRows(rows);
  }
}
