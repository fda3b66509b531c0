// Serves whatever nobody serves: new runs as they are created, and those of engines that are gone.
//
// R1  What is looked for is in the rows; what wakes it is a hint, and a look is taken now and then without any.
// R2  A run that could not be served is tried again, ever later: the disk may have room then.
// R3  Bounded: so many runs at once, the others when some have ended.
import { isGodwitError } from "../core/error.ts";
import type { Store } from "../store/store.ts";

export type TakeoverOptions = {
  readonly store: Pick<Store, "onChange" | "unservedRuns">;
  /** Resolves when the run has ended; rejects with `already_exists` if another engine was quicker. */
  readonly serve: (run: number) => Promise<unknown>;
  /** What keeps a run from being served, other than that others do it. */
  readonly onError: (error: unknown, run: number | null) => void;
};

/** R3. */
const maxServed = 20_000;
const pageSize = 500;
/** Between two looks of a page each: those of the first are being taken over. */
const nextPageMs = 20;
/** R1: engines of other processes die without a word. */
const idleLookMs = 5_000;
/** Other processes commit as often as they like. */
const hintMs = 200;
const firstRetryMs = 1_000;
const lastRetryMs = 60_000;

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #served = new Set<number>();
  /** R2: how long until the next try. */
  readonly #waits = new Map<number, number>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #stopListening: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #isLooking = false;
  #isStopped = false;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopListening = this.#options.store.onChange((committed) => {
      if (committed === null) this.#lookWithin(hintMs);
      else for (const run of committed.runs.keys()) if (!this.#served.has(run)) this.#lookWithin(0);
    });
    this.#lookWithin(0);
  }

  /** What is being served goes on until the engine closes. */
  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const retry of this.#retries) clearTimeout(retry);
  }

  #lookWithin(ms: number): void {
    const dueAtMs = performance.now() + ms;
    if (this.#isStopped || dueAtMs >= this.#dueAtMs) return;
    this.#dueAtMs = dueAtMs;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) {
      // What has come up since its read began is not in it.
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      this.#lookWithin(nextPageMs);
      return;
    }
    this.#isLooking = true;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    let nextMs = idleLookMs;
    try {
      const room = Math.min(pageSize, maxServed - this.#served.size);
      const runs = room <= 0 ? [] : await this.#options.store.unservedRuns(room);
      for (const run of runs) this.#take(run);
      if (room > 0 && runs.length === room) nextMs = nextPageMs;
    } catch (error) {
      if (!this.#isStopped) this.#options.onError(error, null);
    } finally {
      this.#isLooking = false;
      this.#lookWithin(nextMs);
    }
  }

  #take(run: number): void {
    if (this.#isStopped || this.#served.has(run)) return;
    this.#served.add(run);
    this.#options.serve(run).then(
      () => this.#release(run),
      (error: unknown) => {
        if (this.#isStopped) return;
        if (isGodwitError(error) && error.code === "already_exists") this.#release(run);
        else this.#retry(run, error);
      },
    );
  }

  #release(run: number): void {
    this.#served.delete(run);
    this.#waits.delete(run);
    // R3: there is room again.
    if (this.#served.size === maxServed - 1) this.#lookWithin(0);
  }

  /** R2. It stays among the served, so that no look takes it before. */
  #retry(run: number, error: unknown): void {
    const waitMs = this.#waits.get(run) ?? firstRetryMs;
    this.#waits.set(run, Math.min(waitMs * 2, lastRetryMs));
    this.#options.onError(error, run);
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      this.#served.delete(run);
      this.#take(run);
    }, waitMs);
    this.#retries.add(timer);
  }
}
