// Ends what hangs on an action that has ended: its children, theirs, and so on, a batch at a time.
// What is left to do is committed, so that a crash in between forgets nothing.
import type { Action, ActionKey } from "../core/action.ts";
import { attemptOf, batchSize, changesOf, type EngineParts, stopAttempts } from "./parts.ts";
import { wakeNext } from "./waiters.ts";

/** Actions that are ended at once, however many parents they have. */
const maxSwept = 2_000;

/** Of these runs, those in which there may be more to end. */
export async function sweep(parts: EngineParts, runs: readonly number[]): Promise<ReadonlySet<number>> {
  const sweeps = runs.length === 0 ? [] : await parts.store.sweeps(runs, batchSize);
  if (sweeps.length === 0) return new Set();
  const limit = Math.min(batchSize, Math.ceil(maxSwept / sweeps.length));
  await Promise.all(sweeps.map((each) => sweepOne(parts, each, limit)));
  return new Set(sweeps.map(({ run }) => run));
}

async function sweepOne(parts: EngineParts, parent: ActionKey, limit: number): Promise<void> {
  const children = await parts.store.activeChildren(parent, limit);
  if (children.length === 0) {
    await parts.store.commit([{ type: "deleteSweep", sweep: parent }]);
    return;
  }
  await parts.documents.specs(children.flatMap(({ spec }) => spec ?? []));
  const reason = `Aborted because ${parent.name}, which called it, has ended.`;
  const aborted = await Promise.all(
    children.map(async (child) => {
      const changed = await changesOf(parts, child, parts.documents.policy(child), { type: "aborted", reason });
      return changed !== null && (await parts.store.commit(changed.changes)).type === "committed" ? [child] : [];
    }),
  );
  await letGo(parts, aborted.flat(), reason);
}

async function letGo(parts: EngineParts, children: readonly Action[], reason: string): Promise<void> {
  const running = children.filter(({ phase }) => phase === "running");
  stopAttempts(parts, running.map(attemptOf), reason);
  const keys = new Set(children.flatMap(({ cacheKey }) => (cacheKey === null ? [] : [cacheKey])));
  if (keys.size > 0) await wakeNext(parts, [...keys]);
}
