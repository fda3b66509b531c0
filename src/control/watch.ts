// Telling what changes: to the CLI about a run, to an attempt about its calls. Both read the rows that
// changed since a revision; a notification only says that it is time to look.
import { type Action, isTerminal } from "../core/action.ts";
import type { AttemptRef, CallState } from "../core/messages.ts";
import type { Run } from "../core/run.ts";
import type { RunUpdate, Scope } from "./answers.ts";
import { stateOf } from "./calls.ts";
import type { Parts } from "./parts.ts";
import { pageSize } from "./run-changes.ts";
import type { Listener, RunFeeds } from "./run-feed.ts";
import { getRun, withCounts } from "./runs.ts";
import { Wakeup } from "./wakeup.ts";

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
        // More of them together are less work, and soon enough for whoever looks; a full page has gathered already.
        if (!isTerminal(run.phase) && actions.length < pageSize) await hurry.wait(gatherMs);
        changes.gather();
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

/** After a page the next one gathers for so long. */
const gatherMs = 50;

/** What somebody may be waiting for: the end of the run, or a question. */
const isUrgent = ({ parent, phase, type }: Action): boolean =>
  type === "condition" || (parent === null && isTerminal(phase));

type Follower = { readonly states: CallState[]; readonly wakeup: Wakeup; failure: { readonly error: unknown } | null };

export class CallFeeds {
  readonly #parts: Parts;
  readonly #feeds: RunFeeds;

  constructor(parts: Parts, feeds: RunFeeds) {
    this.#parts = parts;
    this.#feeds = feeds;
  }

  /**
   * Ended calls of the attempt's action. Registered before the first value is asked for, so that a call
   * made after this returns cannot end unseen.
   */
  follow(caller: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    const follower: Follower = { states: [], wakeup: new Wakeup(), failure: null };
    const listener = listenerOf(follower);
    const isJoined = this.#feeds.join(caller.run, caller.action, listener);
    const ready = isJoined ? Promise.resolve() : this.#open(caller, listener);
    signal.addEventListener("abort", follower.wakeup.set, { once: true });
    return this.#states({ caller, follower, listener }, ready, signal);
  }

  async *#states(
    { caller, follower, listener }: Following,
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
      this.#feeds.leave(caller.run, caller.action, listener);
    }
  }

  /** A feed begins where the attempt did: none of its calls can have changed before. */
  async #open(caller: AttemptRef, listener: Listener): Promise<void> {
    const [parent] = await this.#parts.store.actions([{ run: caller.run, name: caller.action }]);
    this.#feeds.open(caller.run, caller.action, listener, parent?.revision ?? 0);
  }
}

type Following = { readonly caller: AttemptRef; readonly follower: Follower; readonly listener: Listener };

const listenerOf = (follower: Follower): Listener => ({
  onRows: (rows) => {
    for (const action of rows) if (isTerminal(action.phase)) follower.states.push(stateOf(action));
    if (follower.states.length > 0) follower.wakeup.set();
  },
  onFailure: (error) => {
    follower.failure = { error };
    follower.wakeup.set();
  },
});
