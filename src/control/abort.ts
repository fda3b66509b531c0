// Ending an action from outside, with all that hangs on it.
import { type Action, type ActionKey, isTerminal, step } from "../core/action.ts";
import { afterRoot } from "../core/run.ts";
import { noticesOf } from "../store/notice-rows.ts";
import type { Change } from "../store/store.ts";
import type { Parts } from "./parts.ts";

/** Ends it if it has not ended; true if this call did. Others may change it in between: it is looked at again. */
export async function abortOne(parts: Parts, key: ActionKey, reason: string): Promise<boolean> {
  for (;;) {
    const [action] = await parts.store.actions([key]);
    const changes = action === undefined ? [] : await abortChanges(parts, action, reason);
    if (changes.length === 0) return false;
    if ((await parts.store.commit(changes)).type === "committed") break;
  }
  parts.onAbort();
  return true;
}

/** One commit that ends the action, lets go of what it held, and remembers to end its descendants. Empty if it has ended. */
async function abortChanges(parts: Parts, action: Action, reason: string): Promise<readonly Change[]> {
  if (isTerminal(action.phase)) return [];
  const [policy] = await parts.documents.policies([action]);
  if (policy === undefined) return [];
  const next = step(action, policy, { type: "aborted", reason }, parts.nowMs());
  const changes: Change[] = [
    { type: "updateAction", action: next },
    { type: "insertSweep", sweep: { run: action.run, name: action.name } },
  ];
  if (action.cacheKey !== null)
    changes.push({ type: "release", reservation: { key: action.cacheKey, run: action.run, action: action.name } });
  if (action.parent === null) {
    const run = await parts.runById(action.run);
    const ended = afterRoot({ ...run, abortReason: reason }, next);
    changes.push({ type: "updateRun", run: ended }, ...(await noticesOf(parts.store, ended, next, parts.nowMs())));
  }
  return changes;
}
