// Telling what changes: to the CLI about a run, to an attempt about its calls. Both read the rows that
// changed since a revision; a notification only says that it is time to look.
import { type Action, isTerminal } from "../core/action.ts";
import type { AttemptRef, CallState } from "../core/messages.ts";
import type { Run } from "../core/run.ts";
import type { RunUpdate, Scope } from "./answers.ts";
import { stateOf } from "./calls.ts";
import type { Parts } from "./parts.ts";
import { pageSize, type RunChanges } from "./run-changes.ts";
import { getRun, withCounts } from "./runs.ts";

/** A wake-up that is remembered until somebody waits for it. */
class Wakeup {
  #isSet = false;
  #waiting: (() => void) | null = null;

  readonly set = (): void => {
    this.#isSet = true;
    this.#waiting?.();
  };

  /** At most so long. */
  async wait(limitMs?: number): Promise<void> {
    if (!this.#isSet) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      const timer = limitMs === undefined ? null : setTimeout(resolve, limitMs);
      await promise;
      if (timer !== null) clearTimeout(timer);
    }
    this.#waiting = null;
    this.#isSet = false;
  }
}

export async function* watchRun(
  parts: Parts,
  scope: Scope,
  name: string,
  signal: AbortSignal,
): AsyncIterable<RunUpdate> {
  const { id } = await getRun(parts, scope, name);
  const wakeup = new Wakeup();
  const hurry = new Wakeup();
  const changes = parts.changes.follow(id, 0, (actions) => {
    wakeup.set();
    if (actions?.some(isUrgent) !== false) hurry.set();
  });
  const stop = (): void => {
    wakeup.set();
    hurry.set();
  };
  signal.addEventListener("abort", stop);
  try {
    let last: Run | null = null;
    for (;;) {
      const run = await getRun(parts, scope, name);
      // Its last changes may be committed and not yet told.
      if (isTerminal(run.phase)) changes.reread();
      const actions = await changes.next();
      if (actions.length > 0 || last?.phase !== run.phase) yield { run: await withCounts(parts, run), actions };
      last = run;
      if (signal.aborted) return;
      if (actions.length > 0) {
        // Much is going on: more of it together is less work, and soon enough for whoever looks.
        if (actions.length >= manyActions && !isTerminal(run.phase)) await hurry.wait(gatherMs);
        continue;
      }
      if (isTerminal(run.phase) && (await parts.store.sweeps([id], 1)).length === 0) return;
      await wakeup.wait();
    }
  } finally {
    changes.close();
    signal.removeEventListener("abort", stop);
  }
}

/** A page with so many is followed by a moment in which the next one gathers. */
const manyActions = 20;
const gatherMs = 50;

/** What somebody may be waiting for: the end of the run, or a question. */
const isUrgent = ({ parent, phase, type }: Action): boolean =>
  type === "condition" || (parent === null && isTerminal(phase));

type Follower = { readonly states: CallState[]; readonly wakeup: Wakeup; failure: { readonly error: unknown } | null };

/**
 * The changes of one run, read once and handed to every attempt that follows its calls: the cost is
 * that of the changes, however many parents wait.
 */
class RunFeed {
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #changes: RunChanges;
  #isReading = false;
  #isStale = false;

  constructor(parts: Parts, run: number, afterRevision: number) {
    this.#changes = parts.changes.follow(run, afterRevision, () => this.#read());
    this.#read();
  }

  get size(): number {
    return this.#followers.size;
  }

  add(parent: string, follower: Follower): void {
    const followers = this.#followers.get(parent) ?? new Set();
    followers.add(follower);
    this.#followers.set(parent, followers);
  }

  remove(parent: string, follower: Follower): void {
    const followers = this.#followers.get(parent);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(parent);
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
    for (const follower of [...this.#followers.values()].flatMap((followers) => [...followers])) {
      follower.failure = { error };
      follower.wakeup.set();
    }
  }

  #hand(page: readonly Action[]): void {
    for (const action of page) {
      if (action.parent === null || !isTerminal(action.phase)) continue;
      for (const follower of this.#followers.get(action.parent) ?? []) {
        follower.states.push(stateOf(action));
        follower.wakeup.set();
      }
    }
  }
}

export class CallFeeds {
  readonly #parts: Parts;
  readonly #feeds = new Map<number, RunFeed>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Ended calls of the attempt's action. Registered before the first value is asked for, so that a call
   * made after this returns cannot end unseen.
   */
  follow(caller: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    const follower: Follower = { states: [], wakeup: new Wakeup(), failure: null };
    const feed = this.#feeds.get(caller.run);
    feed?.add(caller.action, follower);
    const ready = feed === undefined ? this.#open(caller, follower) : Promise.resolve();
    signal.addEventListener("abort", follower.wakeup.set, { once: true });
    return this.#states(caller, follower, ready, signal);
  }

  async *#states(
    caller: AttemptRef,
    follower: Follower,
    ready: Promise<void>,
    signal: AbortSignal,
  ): AsyncIterable<readonly CallState[]> {
    await ready;
    try {
      while (!signal.aborted) {
        await follower.wakeup.wait();
        if (follower.failure !== null) throw follower.failure.error;
        const states = follower.states.splice(0, pageSize);
        if (follower.states.length > 0) follower.wakeup.set();
        if (states.length > 0) yield states;
      }
    } finally {
      const feed = this.#feeds.get(caller.run);
      feed?.remove(caller.action, follower);
      if (feed?.size === 0) {
        feed.close();
        this.#feeds.delete(caller.run);
      }
    }
  }

  /** A feed begins where the attempt did: none of its calls can have changed before. */
  async #open(caller: AttemptRef, follower: Follower): Promise<void> {
    const [parent] = await this.#parts.store.actions([{ run: caller.run, name: caller.action }]);
    const feed = this.#feeds.get(caller.run) ?? new RunFeed(this.#parts, caller.run, parent?.revision ?? 0);
    this.#feeds.set(caller.run, feed);
    feed.add(caller.action, follower);
  }
}
