// What time alone changes: timeouts, deadlines, conditions that nobody answered.
import { isTerminal } from "../core/action.ts";
import { attemptOf, batchSize, changesOf, type EngineParts, stopAttempts } from "./parts.ts";
import { wakeNext } from "./waiters.ts";

/** In these runs, whose moment has come. True if there may be more. */
export async function fireTimers(parts: EngineParts, runs: readonly number[]): Promise<boolean> {
  const due = await parts.store.due(runs, parts.nowMs(), batchSize);
  await parts.documents.specs(due.flatMap(({ spec }) => spec ?? []));
  const fired = await Promise.all(
    due.map(async (action) => {
      const changed = await changesOf(parts, action, parts.documents.policy(action), { type: "timer" });
      if (changed === null || (await parts.store.commit(changed.changes)).type !== "committed") return false;
      if (action.phase === "running")
        stopAttempts(parts, [attemptOf(action)], changed.next.error?.message ?? "its time is over");
      if (action.cacheKey !== null && isTerminal(changed.next.phase)) await wakeNext(parts, [action.cacheKey]);
      return true;
    }),
  );
  return fired.some(Boolean);
}
