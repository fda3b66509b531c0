// Ends what hangs on an action that has ended: its children, theirs, and so on, a batch at a time.
// What is left to do is committed, so that a crash in between forgets nothing.
import type { Action, ActionKey } from "../core/action.ts";
import { attemptOf, batchSize, changesOf, type EngineParts, stopAttempts } from "./parts.ts";
import { wakeWaiters } from "./waiters.ts";

/** True if there may be more. */
export async function sweep(parts: EngineParts): Promise<boolean> {
  const sweeps = await parts.store.sweeps([...parts.served], batchSize);
  for (const each of sweeps) await sweepOne(parts, each);
  return sweeps.length > 0;
}

async function sweepOne(parts: EngineParts, parent: ActionKey): Promise<void> {
  const children = await parts.store.activeChildren(parent, batchSize);
  if (children.length === 0) {
    await parts.store.commit([{ type: "deleteSweep", sweep: parent }]);
    return;
  }
  const policies = await parts.documents.policies(children);
  await Promise.all(
    children.map(async (child, index) => {
      const policy = policies[index];
      const reason = `Aborted because ${parent.name}, which called it, has ended.`;
      const changed = policy === undefined ? null : await changesOf(parts, child, policy, { type: "aborted", reason });
      if (changed === null || (await parts.store.commit(changed.changes)).type !== "committed") return;
      await letGo(parts, child, reason);
    }),
  );
}

async function letGo(parts: EngineParts, child: Action, reason: string): Promise<void> {
  if (child.phase === "running") stopAttempts(parts, [attemptOf(child)], reason);
  if (child.cacheKey !== null) await wakeWaiters(parts, [child.cacheKey]);
}
