// Which attempts only wait for calls of their own, where they do not say so themselves: parents of other
// SDKs. Such a parent holds nothing of the machine as long as one of its calls has not ended, so that
// it is never in the way of what it waits for.
//
// R1  It follows from the rows: a parent waits while it has an open call. So a parent that was started anew,
//     whose calls are there from before, waits from its start.
// R2  It cannot be kept from going on when its last call ends: it takes its share again as soon as that is free.
import { type Action, isTerminal } from "../core/action.ts";
import type { AttemptRef } from "../core/messages.ts";
import type { Store } from "../store/store.ts";

export type WaitingParentsOptions = {
  readonly store: Pick<Store, "activeChildren">;
  readonly setWaiting: (attempt: AttemptRef, isWaiting: boolean) => void;
  readonly onError: (error: unknown) => void;
};

type Parent = {
  readonly attempt: AttemptRef;
  isWaiting: boolean;
  /** What was heard of its calls, counted: a look at the rows is as good as what was heard before it. */
  heard: number;
  isLooking: boolean;
};

export class WaitingParents {
  readonly #options: WaitingParentsOptions;
  readonly #parents = new Map<string, Parent>();

  constructor(options: WaitingParentsOptions) {
    this.#options = options;
  }

  /** The attempt runs from now on. */
  follow(attempt: AttemptRef): void {
    const parent: Parent = { attempt, isWaiting: false, heard: 0, isLooking: false };
    this.#parents.set(keyOf(attempt.run, attempt.action), parent);
    // The first attempt has no calls from before, and those that it makes are heard of.
    if (attempt.attempt > 1) this.#doubt(parent);
  }

  /** A row was committed: of a parent, or of a call. */
  note(action: Action): void {
    if (this.#parents.size === 0) return;
    const own = this.#parents.get(keyOf(action.run, action.name));
    if (own !== undefined && (action.phase !== "running" || action.attempt !== own.attempt.attempt))
      this.#parents.delete(keyOf(action.run, action.name));
    if (action.parent === null || action.type === "trace") return;
    const parent = this.#parents.get(keyOf(action.run, action.parent));
    if (parent === undefined) return;
    parent.heard += 1;
    if (!isTerminal(action.phase)) this.#set(parent, true);
    else if (parent.isWaiting) this.#doubt(parent);
  }

  /** Other processes may have changed rows. */
  doubt(): void {
    for (const parent of this.#parents.values()) this.#doubt(parent);
  }

  forget(run: number): void {
    for (const [key, { attempt }] of this.#parents) if (attempt.run === run) this.#parents.delete(key);
  }

  #doubt(parent: Parent): void {
    if (parent.isLooking) return;
    parent.isLooking = true;
    this.#look(parent)
      .catch(this.#options.onError)
      .finally(() => {
        parent.isLooking = false;
      });
  }

  async #look(parent: Parent): Promise<void> {
    const { run, action } = parent.attempt;
    let heard: number;
    let open: number;
    do {
      heard = parent.heard;
      open = (await this.#options.store.activeChildren({ run, name: action }, 1)).length;
    } while (heard !== parent.heard && this.#parents.get(keyOf(run, action)) === parent);
    this.#set(parent, open > 0);
  }

  #set(parent: Parent, isWaiting: boolean): void {
    if (parent.isWaiting === isWaiting) return;
    parent.isWaiting = isWaiting;
    this.#options.setWaiting(parent.attempt, isWaiting);
  }
}

const keyOf = (run: number, name: string): string => `${run}/${name}`;
