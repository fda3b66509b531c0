// What time alone changes: timeouts, deadlines, conditions that nobody answered.
import { isTerminal } from "../core/action.ts";
import { attemptOf, batchSize, changesOf, type EngineParts, stopAttempts } from "./parts.ts";
import { wakeWaiters } from "./waiters.ts";

/** True if there may be more. */
export async function fireTimers(parts: EngineParts): Promise<boolean> {
  const due = await parts.store.due([...parts.served], parts.nowMs(), batchSize);
  const policies = await parts.documents.policies(due);
  const fired = await Promise.all(
    due.map(async (action, index) => {
      const policy = policies[index];
      const changed = policy === undefined ? null : await changesOf(parts, action, policy, { type: "timer" });
      if (changed === null || (await parts.store.commit(changed.changes)).type !== "committed") return false;
      if (action.phase === "running")
        stopAttempts(parts, [attemptOf(action)], changed.next.error?.message ?? "its time is over");
      if (action.cacheKey !== null && isTerminal(changed.next.phase)) await wakeWaiters(parts, [action.cacheKey]);
      return true;
    }),
  );
  return fired.some(Boolean);
}
