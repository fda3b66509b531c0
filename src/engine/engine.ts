// Moves committed work forward: one loop that takes outcomes, fires timers, sweeps, and claims, until
// nothing changes, and then sleeps until there is a reason to look again.
//
// R1  The loop acts on committed rows only, so that stopping it anywhere and starting another is safe.
// R2  Whatever wakes it is a hint: outcomes, changes of the store, a moment that has come. Hints may be
//     lost between processes for as long as `idleLookMs`.
// R3  What runs but is not committed as running, in that attempt, is stopped.
// R4  In a run that has ended nothing is started, however long it takes to end what is queued there.
import type { BlobStore } from "../blob/blob.ts";
import { isTerminal } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { GodwitError } from "../core/error.ts";
import type { Outcome } from "../core/messages.ts";
import type { Run } from "../core/run.ts";
import type { Executor } from "../executor/executor.ts";
import { Documents } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { adopt, requeueLeased } from "./adoption.ts";
import { claim } from "./claims.ts";
import { settleOutcomes, takeOutcomes } from "./outcomes.ts";
import { type EngineParts, stopAttempts } from "./parts.ts";
import { sweep } from "./sweeps.ts";
import { fireTimers } from "./timers.ts";
import { checkWaiters } from "./waiters.ts";

export type EngineOptions = {
  readonly id: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly executors: readonly Executor[];
  readonly clock: Clock;
};

/** While something waits for another process, the longest time without a look. */
const idleLookMs = 1_000;

type Serving = {
  readonly resolve: (run: Run) => void;
  readonly reject: (reason: unknown) => void;
  readonly promise: Promise<Run>;
};

export class Engine {
  readonly #parts: EngineParts;
  readonly #clock: Clock;
  readonly #serving = new Map<number, Serving>();
  readonly #adopting = new Set<number>();
  /** Served runs that may have ended since they were last looked at. */
  readonly #touched = new Set<number>();
  readonly #stopListening: () => void;
  #isLooping = false;
  #isStale = false;
  /** Rows may have been changed by others than this loop: compare what runs with what is committed. */
  #isDoubtful = false;
  #isClosed = false;
  #loop: Promise<void> = Promise.resolve();
  #cancelTimer: () => void = () => undefined;
  #again: readonly Outcome[] = [];

  constructor(options: EngineOptions) {
    const { id, store, blobs, executors, clock } = options;
    this.#clock = clock;
    const serving = this.#serving;
    this.#parts = {
      id,
      store,
      blobs,
      executors,
      documents: new Documents(store),
      nowMs: () => clock.nowMs(),
      get served() {
        return new Set(serving.keys());
      },
    };
    for (const executor of executors) executor.start(() => this.wake());
    this.#stopListening = store.onChange((runs) => {
      const touched = [...(runs ?? serving.keys())].filter((run) => serving.has(run));
      for (const run of touched) this.#touched.add(run);
      if (runs === null) this.reconcile();
      else if (touched.length > 0) this.wake();
    });
  }

  /** Takes the run over and moves it forward; resolves when it has ended and nothing of it is left to do. */
  async serve(id: number): Promise<Run> {
    const existing = this.#serving.get(id);
    if (existing !== undefined) return existing.promise;
    if (this.#adopting.has(id)) throw new GodwitError("already_exists", "This run is being taken over already.");
    this.#adopting.add(id);
    try {
      await adopt(this.#parts, id);
    } finally {
      this.#adopting.delete(id);
    }
    const serving = Promise.withResolvers<Run>();
    this.#serving.set(id, serving);
    this.#touched.add(id);
    this.reconcile();
    return serving.promise;
  }

  /** Whether it sleeps: nothing will happen until something from outside does. */
  get isIdle(): boolean {
    return !this.#isLooping && !this.#isStale;
  }

  /** Look again, soon. */
  wake(): void {
    this.#isStale = true;
    if (this.#isLooping || this.#isClosed) return;
    this.#isLooping = true;
    this.#loop = this.#run();
  }

  /** Look again, and compare what runs with what is committed (R3). */
  reconcile(): void {
    this.#isDoubtful = true;
    this.wake();
  }

  /** Lets go: what runs is stopped and queued again, for whoever serves the runs next. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#stopListening();
    await this.#loop;
    // The loop may have been about to sleep: a timer left behind would keep the process alive.
    this.#cancelTimer();
    await Promise.all(this.#parts.executors.map((executor) => executor.close()));
    await settleOutcomes(this.#parts, takeOutcomes(this.#parts));
    for (const [id, { reject }] of this.#serving) {
      await requeueLeased(this.#parts, id, this.#parts.id);
      reject(new GodwitError("canceled", "Godwit was closed before the run had ended; it can be resumed."));
    }
    this.#serving.clear();
    // Nothing is leased to it any more, so nobody will ask whether it lives.
    await this.#parts.store.forget([this.#parts.id]);
  }

  async #run(): Promise<void> {
    this.#cancelTimer();
    try {
      while (this.#isStale && !this.#isClosed) {
        this.#isStale = false;
        if (await this.#step()) this.#isStale = true;
      }
      if (!this.#isClosed) await this.#sleep();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isLooping = false;
    }
    if (this.#isStale && !this.#isClosed) this.wake();
  }

  /** One round. True if anything changed. */
  async #step(): Promise<boolean> {
    if (this.#isDoubtful) {
      this.#isDoubtful = false;
      await this.#stopStale();
    }
    const outcomes = [...this.#again, ...takeOutcomes(this.#parts)];
    const settled = await settleOutcomes(this.#parts, outcomes);
    this.#again = settled.again;
    const fired = await fireTimers(this.#parts);
    const swept = await sweep(this.#parts);
    const claimed = await claim({ ...this.#parts, served: await this.#startable(swept) });
    const ended = await this.#endServing();
    return settled.progress || fired || swept.size > 0 || claimed || ended;
  }

  /** R4. Of the runs that are swept, those that have not ended go on with what is not below the action that has. */
  async #startable(swept: ReadonlySet<number>): Promise<ReadonlySet<number>> {
    const { served, store } = this.#parts;
    if (swept.size === 0) return served;
    const ended = (await store.runsById([...swept])).filter(({ phase }) => isTerminal(phase));
    const endedIds = new Set(ended.map(({ id }) => id));
    return new Set([...served].filter((id) => !endedIds.has(id)));
  }

  /** R3. */
  async #stopStale(): Promise<void> {
    const running = this.#parts.executors.flatMap((executor) => executor.running());
    if (running.length === 0) return;
    const rows = await this.#parts.store.actions(running.map(({ run, action }) => ({ run, name: action })));
    const current = new Set(
      rows.filter(({ phase }) => phase === "running").map(({ run, name, attempt }) => `${run}/${name}/${attempt}`),
    );
    const stale = running.filter(({ run, action, attempt }) => !current.has(`${run}/${action}/${attempt}`));
    stopAttempts(this.#parts, stale, "the action has ended");
  }

  async #endServing(): Promise<boolean> {
    const touched = [...this.#touched].filter((id) => this.#serving.has(id));
    this.#touched.clear();
    if (touched.length === 0) return false;
    let hasEnded = false;
    for (const run of await this.#parts.store.runsById(touched)) {
      if (!isTerminal(run.phase) || (await this.#parts.store.sweeps([run.id], 1)).length > 0) continue;
      this.#serving.get(run.id)?.resolve(run);
      this.#serving.delete(run.id);
      hasEnded = true;
    }
    return hasEnded;
  }

  /** R2. */
  async #sleep(): Promise<void> {
    if (this.#serving.size === 0) return;
    const nowMs = this.#clock.nowMs();
    const isWaiting = await checkWaiters(this.#parts);
    const momentMs = await this.#parts.store.nextMomentMs([...this.#serving.keys()], nowMs);
    const lookMs = isWaiting ? nowMs + idleLookMs : Number.POSITIVE_INFINITY;
    const atMs = Math.min(momentMs ?? Number.POSITIVE_INFINITY, lookMs);
    if (atMs !== Number.POSITIVE_INFINITY)
      this.#cancelTimer = this.#clock.at(Math.max(atMs, nowMs + 1), () => this.wake());
  }

  /** The database or the disk failed: nobody's run can go on, and each caller is told why. */
  #fail(error: unknown): void {
    for (const { reject } of this.#serving.values()) reject(error);
    this.#serving.clear();
  }
}
