// Tells what was committed in the order of commits, and no sooner than it is as durable as it was asked
// for (store.ts R1, R6).
//
// R1  One sync at a time. It is for everything that had been written when it began; what is written
//     meanwhile goes with the next one. So whatever is told has waited for two syncs at most.
// R2  What needs no sync is told at once, unless something before it still waits.
// R3  A sync that fails is the last: the system may have dropped the pages that it could not write, so
//     that a later one would succeed without them. Nothing is acknowledged from then on.
import { GodwitError } from "../core/error.ts";
import type { Log } from "./log-file.ts";

/** What waits to be told. */
export type Acknowledgement = {
  readonly needsSync: boolean;
  readonly tell: () => void;
  readonly fail: (error: GodwitError) => void;
};

type Waiting = Acknowledgement & { isDurable: boolean };

export class Acknowledgements {
  readonly #path: string;
  // Null for a database in memory.
  readonly #log: Log | null;
  // Bounded by what the queue of commits accepts, and by the callers that read.
  #waiting: Waiting[] = [];
  #isSyncing = false;
  #failure: GodwitError | null = null;
  readonly #onSynced: () => void;

  constructor(path: string, log: Log | null, onSynced: () => void) {
    this.#path = path;
    this.#log = log;
    this.#onSynced = onSynced;
  }

  /** Why nothing can be acknowledged any more (R3). */
  get failure(): GodwitError | null {
    return this.#failure;
  }

  get isSyncing(): boolean {
    return this.#isSyncing;
  }

  add(acknowledgement: Acknowledgement): void {
    if (this.#failure !== null) {
      acknowledgement.fail(this.#failure);
      return;
    }
    const isDurable = !acknowledgement.needsSync || this.#log === null;
    this.#waiting.push({ ...acknowledgement, isDurable });
    this.#tell();
    this.#sync();
  }

  /** Resolves when all that was added before, and needs it, is durable; null if it is. */
  settled(): Promise<void> | null {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#waiting.length === 0) return null;
    // Behind what waits, and without a sync of its own.
    return new Promise((tell, fail) => this.add({ needsSync: false, tell, fail }));
  }

  /** Resolves when all that has been written so far, by whomever, is durable. */
  synced(): Promise<void> {
    return new Promise((tell, fail) => this.add({ needsSync: true, tell, fail }));
  }

  /** R2. */
  #tell(): void {
    while (this.#waiting[0]?.isDurable === true) this.#waiting.shift()?.tell();
  }

  #sync(): void {
    if (this.#isSyncing || this.#log === null || this.#waiting.length === 0) return;
    const covered = this.#waiting.slice();
    this.#isSyncing = true;
    this.#log.sync().then(
      () => {
        for (const waiting of covered) waiting.isDurable = true;
        this.#isSyncing = false;
        this.#tell();
        this.#sync();
        this.#onSynced();
      },
      (cause: unknown) => this.#giveUp(cause),
    );
  }

  /** R3. */
  #giveUp(cause: unknown): void {
    const found = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new GodwitError(
      "unavailable",
      `The database ${this.#path} cannot be brought safely to the disk (${found}). Nothing acknowledged is lost: check the disk, start godwit again and continue with \`godwit resume\`.`,
      { cause },
    );
    this.#isSyncing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { fail } of waiting) fail(this.#failure);
    this.#onSynced();
  }
}
