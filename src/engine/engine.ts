// Moves committed work forward: one loop that takes outcomes, fires timers, sweeps, and claims, until
// nothing changes, and then sleeps until there is a reason to look again.
//
// R1  The loop acts on committed rows only, so that stopping it anywhere and starting another is safe.
// R2  Whatever wakes it is a hint: outcomes, changes of the store, a moment that has come. Hints may be
//     lost between processes for as long as `idleLookMs`.
// R3  What runs but is not committed as running, in that attempt, is stopped.
// R4  In a run that has ended nothing is started, however long it takes to end what is queued there.
// R5  Its cost is that of what changes: it hears of rows when they are committed, and reads them only
//     where others may have changed them.
import type { BlobStore } from "../blob/blob.ts";
import { type Action, isTerminal } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { GodwitError } from "../core/error.ts";
import type { AttemptRef } from "../core/messages.ts";
import type { Shares } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import type { Capacity } from "../executor/capacity.ts";
import type { Executor } from "../executor/executor.ts";
import { Documents } from "../store/documents.ts";
import type { Committed, Store } from "../store/store.ts";
import { adopt, requeueLeased } from "./adoption.ts";
import { Announcements } from "./announcements.ts";
import { claim } from "./claims.ts";
import { LiveRows } from "./live-rows.ts";
import { Moments } from "./moments.ts";
import { Newcomers } from "./newcomers.ts";
import { takeOutcomes } from "./outcomes.ts";
import { attemptOf, type EngineParts, runOf, stopAttempts } from "./parts.ts";
import { Patience } from "./patience.ts";
import { ReadyQueue } from "./ready-queue.ts";
import { Settling } from "./settling.ts";
import { Sharing } from "./sharing.ts";
import { sweep } from "./sweeps.ts";
import { fireTimers } from "./timers.ts";
import { Usage } from "./usage.ts";
import { checkWaiters } from "./waiters.ts";
import { WaitingParents } from "./waiting-parents.ts";

export type EngineOptions = {
  readonly id: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly executors: readonly Executor[];
  /** What the executors share. */
  readonly capacity: Capacity;
  /** Default: every project has the same. */
  readonly shares?: Shares;
  readonly clock: Clock;
  /** Tells executors of attempts that do not say themselves when they only wait for their calls. Default: there are none. */
  readonly setWaiting?: (attempt: AttemptRef, isWaiting: boolean) => void;
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
  readonly #runs = new Map<number, Run>();
  readonly #serving = new Map<number, Serving>();
  readonly #adopting = new Set<number>();
  readonly #moments = new Moments();
  readonly #usage = new Usage();
  readonly #patience = new Patience();
  readonly #newcomers: Newcomers;
  readonly #sharing: Sharing;
  readonly #settling: Settling;
  readonly #announcements: Announcements;
  /** Served runs whose root has ended. */
  readonly #ended = new Set<number>();
  /** Served runs in which something has ended, with perhaps others that hang on it. */
  readonly #sweepable = new Set<number>();
  /** Served runs in which something waits for identical work. */
  readonly #waiting = new Set<number>();
  readonly #stopListening: () => void;
  #isLooping = false;
  #isStale = false;
  /** Rows may have been changed by other processes: compare what is known with what is committed. */
  #isDoubtful = false;
  #isClosed = false;
  #loop: Promise<void> = Promise.resolve();
  #cancelTimer: () => void = () => undefined;

  constructor({ id, store, blobs, executors, capacity, shares = {}, clock, setWaiting }: EngineOptions) {
    this.#clock = clock;
    this.#parts = {
      id,
      store,
      blobs,
      executors,
      capacity,
      shares,
      documents: new Documents(store),
      nowMs: () => clock.nowMs(),
      served: this.#runs,
      queue: new ReadyQueue(store, (run, atMs) => this.#moments.add(run, atMs)),
      live: new LiveRows(id),
      parents: new WaitingParents({
        store,
        setWaiting: (attempt, isWaiting) => setWaiting?.(attempt, isWaiting),
        onError: (error) => this.#fail(error),
      }),
      note: (action) => this.#note(action),
      isSettling: (run, name) => this.#settling.has(run, name),
    };
    this.#sharing = new Sharing(this.#parts);
    this.#newcomers = new Newcomers(this.#parts, {
      usage: this.#usage,
      isStartable: (run) => !this.#isClosed && this.#runs.has(run) && !this.#ended.has(run),
      onError: (error) => this.#fail(error),
    });
    this.#announcements = new Announcements(this.#parts);
    this.#settling = new Settling(this.#parts, { onSettled: () => this.wake(), onError: (error) => this.#fail(error) });
    for (const executor of executors) executor.start(() => this.wake());
    this.#stopListening = store.onChange((committed) => this.#hear(committed));
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
    const run = await runOf(this.#parts, id);
    if (run === null) throw new GodwitError("not_found", `There is no run with the id ${id}.`);
    const serving = Promise.withResolvers<Run>();
    this.#serving.set(id, serving);
    this.#runs.set(id, run);
    this.#parts.queue.open(run);
    if (isTerminal(run.phase)) this.#ended.add(id);
    this.#sweepable.add(id);
    this.#waiting.add(id);
    this.#moments.add(id, this.#clock.nowMs());
    this.wake();
    return serving.promise;
  }

  /** Makes new actions start in the commit that makes them, where nobody waits for the room (newcomers.ts). */
  get starter(): Newcomers {
    return this.#newcomers;
  }

  /** Whether it sleeps: nothing will happen until something from outside does. */
  get isIdle(): boolean {
    return !this.#isLooping && !this.#isStale && this.#settling.isEmpty && this.#newcomers.isEmpty;
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
    this.#settling.add(takeOutcomes(this.#parts));
    await this.#settling.drained();
    for (const [id, { reject }] of this.#serving) {
      await requeueLeased(this.#parts, id, this.#parts.id);
      reject(new GodwitError("canceled", "Godwit was closed before the run had ended; it can be resumed."));
    }
    this.#serving.clear();
    // Nothing is leased to it any more, so nobody will ask whether it lives.
    await this.#parts.store.forget([this.#parts.id]);
  }

  #hear(committed: Committed | null): void {
    if (committed === null) {
      if (this.#serving.size > 0) this.reconcile();
      return;
    }
    const aborted: Action[] = [];
    let isOurs = false;
    for (const action of committed.actions) {
      if (!this.#runs.has(action.run)) continue;
      isOurs = true;
      this.#note(action);
      if (action.phase === "aborted" && action.attempt > 0) aborted.push(action);
    }
    for (const run of committed.sweeps) if (this.#runs.has(run)) this.#sweepable.add(run);
    if (aborted.length > 0) stopAttempts(this.#parts, aborted.map(attemptOf), "the action has been aborted");
    if (isOurs || [...committed.runs.keys()].some((run) => this.#runs.has(run))) this.wake();
  }

  #note(action: Action): void {
    const { live, queue, parents } = this.#parts;
    if (!this.#runs.has(action.run)) return;
    const nowMs = this.#clock.nowMs();
    if (!live.note(action)) return;
    parents.note(action);
    queue.note(action, nowMs);
    this.#moments.note(action);
    if (action.parent !== null) this.#usage.calls({ run: action.run, name: action.parent });
    if (action.phase === "waiting_for_resources") this.#waiting.add(action.run);
    if (!isTerminal(action.phase)) return;
    this.#usage.end(action);
    if (action.parent === null) {
      this.#ended.add(action.run);
      this.#sweepable.add(action.run);
    }
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
    const isDoubtful = this.#isDoubtful;
    if (isDoubtful) {
      this.#isDoubtful = false;
      await this.#compare();
    }
    let taken = this.#take();
    await this.#sharing.refresh(isDoubtful);
    const fired = await this.#lookAtMoments();
    const swept = await this.#sweep();
    // Once more, so that shares are reckoned without what has ended in the meantime.
    taken += this.#take();
    const claimed = await claim(this.#parts, {
      usage: this.#usage,
      sharing: this.#sharing,
      patience: this.#patience,
      isStartable: (run) => !this.#ended.has(run),
    });
    const ended = await this.#endServing(swept);
    return taken > 0 || fired || swept.size > 0 || claimed || ended;
  }

  /** How many outcomes are on their way into the store from now on. */
  #take(): number {
    const outcomes = this.#settling.isFull ? [] : takeOutcomes(this.#parts);
    for (const { run, action } of outcomes) this.#usage.end({ run, name: action });
    this.#settling.add(outcomes);
    return outcomes.length;
  }

  /** R3. After commits of other processes. */
  async #compare(): Promise<void> {
    const { store, executors, queue } = this.#parts;
    for (const run of await store.runsById([...this.#runs.keys()])) {
      // Whatever has ended there may have others hanging on it.
      this.#sweepable.add(run.id);
      if (isTerminal(run.phase)) this.#ended.add(run.id);
    }
    for (const run of this.#waiting) queue.doubt(run);
    this.#parts.parents.doubt();
    const running = executors.flatMap((executor) => executor.running());
    if (running.length === 0) return;
    const rows = await store.actions(running.map(({ run, action }) => ({ run, name: action })));
    const current = new Set(
      rows.filter(({ phase }) => phase === "running").map(({ run, name, attempt }) => `${run}/${name}/${attempt}`),
    );
    const stale = running.filter(({ run, action, attempt }) => !current.has(`${run}/${action}/${attempt}`));
    stopAttempts(this.#parts, stale, "the action has ended");
  }

  async #lookAtMoments(): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    const come = this.#moments.take(nowMs).filter((run) => this.#runs.has(run));
    if (come.length === 0) return false;
    const fired = await fireTimers(this.#parts, come);
    for (const run of come) {
      this.#parts.queue.doubt(run);
      const nextMs = fired ? nowMs : await this.#parts.store.nextMomentMs([run], nowMs);
      if (nextMs !== null) this.#moments.add(run, nextMs);
    }
    return fired;
  }

  async #sweep(): Promise<ReadonlySet<number>> {
    const runs = [...this.#sweepable].filter((run) => this.#runs.has(run));
    this.#sweepable.clear();
    const swept = await sweep(this.#parts, runs);
    for (const run of swept) this.#sweepable.add(run);
    return swept;
  }

  async #endServing(swept: ReadonlySet<number>): Promise<boolean> {
    const over = [...this.#ended].filter((run) => !swept.has(run) && !this.#sweepable.has(run));
    if (over.length === 0) return false;
    for (const run of await this.#parts.store.runsById(over)) {
      if (!isTerminal(run.phase) || (await this.#parts.store.sweeps([run.id], 1)).length > 0) {
        this.#sweepable.add(run.id);
        continue;
      }
      this.#forget(run.id);
      this.#serving.get(run.id)?.resolve(run);
      this.#serving.delete(run.id);
    }
    return true;
  }

  #forget(run: number): void {
    this.#runs.delete(run);
    this.#ended.delete(run);
    this.#waiting.delete(run);
    this.#moments.remove(run);
    this.#usage.forget(run);
    this.#parts.queue.close(run);
    this.#parts.live.forget(run);
    this.#parts.parents.forget(run);
  }

  /** R2. */
  async #sleep(): Promise<void> {
    const toldMs = await this.#announcements.tell();
    if (this.#serving.size === 0) return;
    const nowMs = this.#clock.nowMs();
    const waiting = await checkWaiters(this.#parts, this.#waiting);
    for (const run of [...this.#waiting]) if (!waiting.has(run)) this.#endWaiting(run);
    const mustLook = waiting.size > 0 || this.#sharing.isShared;
    const moments = [this.#moments.nextMs, mustLook ? nowMs + idleLookMs : null, toldMs].filter((at) => at !== null);
    if (moments.length > 0)
      this.#cancelTimer = this.#clock.at(Math.max(Math.min(...moments), nowMs + 1), () => this.#look());
  }

  /** Another process may have woken them, whose hint is yet to come, and then finds nothing that waits. */
  #endWaiting(run: number): void {
    this.#waiting.delete(run);
    this.#parts.queue.doubt(run);
    this.#isStale = true;
  }

  #look(): void {
    if (this.#sharing.isShared) this.#isDoubtful = true;
    this.wake();
  }

  /** The database or the disk failed: nobody's run can go on, and each caller is told why. */
  #fail(error: unknown): void {
    for (const { reject } of this.#serving.values()) reject(error);
    this.#serving.clear();
    for (const run of [...this.#runs.keys()]) this.#forget(run);
  }
}
