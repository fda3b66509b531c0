// What a set of changes has changed so far, as its later changes see it (commits.ts R2). Of rows that are
// known, they themselves say it.
import type { Action } from "../core/action.ts";
import type { Reservation } from "../core/cache.ts";
import type { ChangedRecords } from "./record-changes.ts";

/** commits.ts R4. */
export type Newness = "presumed" | "looked up";

export class Overlay {
  readonly newness: Newness;
  /** Its own among those of all sets. */
  readonly mark: number;
  /** By run and name. */
  readonly inserted = new Map<string, Action>();
  // Made when asked for: few sets have any.
  #runs: Set<string | number> | null = null;
  #reservations: Map<string, Reservation | null> | null = null;
  #records: ChangedRecords | null = null;

  constructor(newness: Newness, mark: number) {
    this.newness = newness;
    this.mark = mark;
  }

  get runs(): Set<string | number> {
    this.#runs ??= new Set();
    return this.#runs;
  }

  get reservations(): Map<string, Reservation | null> {
    this.#reservations ??= new Map();
    return this.#reservations;
  }

  get records(): ChangedRecords {
    this.#records ??= new Map();
    return this.#records;
  }
}
