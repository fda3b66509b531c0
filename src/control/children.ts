// Telling about single actions and about the children of one: what there is, then what changes.
//
// R1  Whoever follows is told the last state of each row at least once; what changes twice before it is told may be
//     told once.
// R2  A follower that does not keep up costs bounded memory: past the bound it is given the list anew.
import type { Action } from "../core/action.ts";
import { isTerminal } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import { findAction, getAction } from "./actions.ts";
import type { ActionView, ChildrenUpdate, Scope, WantedAction } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { pageSize } from "./run-changes.ts";
import type { Listener, Parent, RunFeeds } from "./run-feed.ts";
import { getRun } from "./runs.ts";
import { Wakeup } from "./wakeup.ts";

/** Changed rows that wait to be told to one follower. */
const maxPending = 10_000;

/** Of what changes below one parent; closed by `close`. */
class Pending {
  readonly wakeup = new Wakeup();
  readonly #rows = new Map<string, Action>();
  readonly #close: () => void;
  #isOver = false;
  #failure: { readonly error: unknown } | null = null;

  private constructor(close: (listener: Listener) => void) {
    const listener: Listener = {
      onRows: (rows) => this.#add(rows),
      onFailure: (error) => {
        this.#failure = { error };
        this.wakeup.set();
      },
    };
    this.listener = listener;
    this.#close = () => close(listener);
  }

  readonly listener: Listener;

  /** Hears of everything that is committed after this resolves. */
  static async open(parts: Parts, feeds: RunFeeds, run: number, parent: Parent): Promise<Pending> {
    const pending = new Pending((listener) => feeds.leave(run, parent, listener));
    if (!feeds.join(run, parent, pending.listener))
      feeds.open(run, parent, pending.listener, await parts.store.lastRevision(run));
    return pending;
  }

  /** What has changed, at most a page; null: more than was kept (R2). */
  take(): readonly Action[] | null {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#isOver) {
      this.#isOver = false;
      return null;
    }
    const taken = [...this.#rows.values()].slice(0, pageSize);
    for (const { name } of taken) this.#rows.delete(name);
    if (this.#rows.size > 0) this.wakeup.set();
    return taken;
  }

  close(): void {
    this.#close();
  }

  #add(rows: readonly Action[]): void {
    for (const row of rows) this.#rows.set(row.name, row);
    if (this.#rows.size > maxPending) {
      this.#rows.clear();
      this.#isOver = true;
    }
    this.wakeup.set();
  }
}

/** Until `signal` aborts: the list in pages, an update that says that it was complete, then what changes. */
export async function* watchChildren(
  parts: Parts,
  feeds: RunFeeds,
  scope: Scope,
  {
    run: runName,
    action: parent,
    signal,
  }: { readonly run: string; readonly action: string; readonly signal: AbortSignal },
): AsyncIterable<ChildrenUpdate> {
  const run = await getRun(parts, scope, runName);
  const pending = await Pending.open(parts, feeds, run.id, parent);
  signal.addEventListener("abort", pending.wakeup.set, { once: true });
  try {
    yield* listed(parts, run, parent, signal);
    yield { type: "listed" };
    while (!signal.aborted) {
      await pending.wakeup.wait();
      const rows = pending.take();
      if (rows === null) yield* listed(parts, run, parent, signal);
      else if (rows.length > 0) yield { type: "actions", actions: rows };
    }
  } finally {
    signal.removeEventListener("abort", pending.wakeup.set);
    pending.close();
  }
}

async function* listed(parts: Parts, run: Run, parent: string, signal: AbortSignal): AsyncIterable<ChildrenUpdate> {
  let after: { readonly createdAtMs: number; readonly name: string } | null = null;
  while (!signal.aborted) {
    const actions = await parts.store.listActions(
      { run: run.id, parent, ...(after === null ? {} : { after }) },
      pageSize,
    );
    if (actions.length > 0) yield { type: "actions", actions };
    const last: Action | undefined = actions.at(-1);
    if (last === undefined || actions.length < pageSize) return;
    after = { createdAtMs: last.createdAtMs, name: last.name };
  }
}

/** The action as it is, and again after each change, until it has ended. */
export async function* watchAction(
  parts: Parts,
  feeds: RunFeeds,
  scope: Scope,
  {
    run: runName,
    action: wanted,
    signal,
  }: { readonly run: string; readonly action: WantedAction; readonly signal: AbortSignal },
): AsyncIterable<ActionView> {
  const run = await getRun(parts, scope, runName);
  const { name, parent } = await findAction(parts, run, wanted);
  const pending = await Pending.open(parts, feeds, run.id, parent);
  signal.addEventListener("abort", pending.wakeup.set, { once: true });
  try {
    for (let isChanged = true; !signal.aborted; ) {
      if (isChanged) {
        const view = await getAction(parts, scope, runName, { name });
        yield view;
        if (isTerminal(view.action.phase)) return;
      }
      await pending.wakeup.wait();
      const rows = pending.take();
      isChanged = rows === null || rows.some((row) => row.name === name);
    }
  } finally {
    signal.removeEventListener("abort", pending.wakeup.set);
    pending.close();
  }
}
