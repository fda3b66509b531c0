// Telling about the runs of a project and domain: the newest of those that there are, then each that begins or
// changes its phase.
//
// R1  Whoever follows is told the last state of each run at least once. Of what another process has changed there is
//     only a hint, and the list is read anew.
// R2  A follower that does not keep up costs bounded memory: past the bound it is given the list anew.
import type { Page, RunListing, RunsUpdate, RunView, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { listRuns, withCounts } from "./runs.ts";
import { Wakeup } from "./wakeup.ts";

/** Runs that are told of at first; further back, listings go page by page. */
const maxListed = 1_000;
/** Changed runs that wait to be told to one follower. */
const maxPending = 10_000;

export type WantedRuns = Pick<RunListing, "task" | "taskVersion" | "createdAtMs">;

/** Until `signal` aborts. */
export async function* watchRuns(
  parts: Parts,
  scope: Scope,
  wanted: WantedRuns,
  signal: AbortSignal,
): AsyncIterable<RunsUpdate> {
  const changed = new ChangedRuns(parts, signal);
  try {
    yield { type: "runs", runs: await listed(parts, scope, wanted) };
    yield { type: "listed" };
    while (!signal.aborted) {
      const ids = await changed.next();
      const runs = ids === null ? await listed(parts, scope, wanted) : await known(parts, scope, wanted, ids);
      if (runs.length > 0) yield { type: "runs", runs };
    }
  } finally {
    changed.close();
  }
}

class ChangedRuns {
  readonly #ids = new Set<number>();
  readonly #wakeup = new Wakeup();
  readonly #close: () => void;
  #isUnknown = false;

  constructor({ store }: Parts, signal: AbortSignal) {
    signal.addEventListener("abort", this.#wakeup.set, { once: true });
    const stop = store.onChange((committed) => {
      // A run changes with its root, in one commit.
      if (committed === null) this.#isUnknown = true;
      else for (const { parent, run } of committed.actions) if (parent === null) this.#ids.add(run);
      if (this.#ids.size > maxPending) this.#isUnknown = true;
      if (this.#isUnknown || this.#ids.size > 0) this.#wakeup.set();
    });
    this.#close = () => {
      stop();
      signal.removeEventListener("abort", this.#wakeup.set);
    };
  }

  /** Ids of runs that may have changed; null: any may have. */
  async next(): Promise<readonly number[] | null> {
    await this.#wakeup.wait();
    const ids = [...this.#ids];
    const isUnknown = this.#isUnknown;
    this.#ids.clear();
    this.#isUnknown = false;
    return isUnknown ? null : ids;
  }

  close(): void {
    this.#close();
  }
}

/** A page may be short and yet be followed by another (store.ts `StorePage`). */
async function listed(parts: Parts, scope: Scope, wanted: WantedRuns): Promise<readonly RunView[]> {
  const runs: RunView[] = [];
  let token: string | null = null;
  do {
    const page: Page<RunView> = await listRuns(parts, scope, { ...wanted, limit: maxListed - runs.length, token });
    runs.push(...page.items);
    token = page.token;
  } while (token !== null && runs.length < maxListed);
  return runs;
}

async function known(
  parts: Parts,
  { project, domain }: Scope,
  { task, taskVersion, createdAtMs = {} }: WantedRuns,
  ids: readonly number[],
): Promise<readonly RunView[]> {
  const { fromMs = Number.NEGATIVE_INFINITY, beforeMs = Number.POSITIVE_INFINITY } = createdAtMs;
  const runs = (await parts.store.runsById(ids)).filter(
    (run) =>
      run.project === project &&
      run.domain === domain &&
      (task === undefined || run.task === task) &&
      (taskVersion === undefined || (run.origin.taskVersion ?? run.origin.codeVersion) === taskVersion) &&
      run.createdAtMs >= fromMs &&
      run.createdAtMs < beforeMs,
  );
  return Promise.all(runs.map((run) => withCounts(parts, run)));
}
