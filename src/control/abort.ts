// Ending an action from outside, with all that hangs on it.
import { type Action, isTerminal, step } from "../core/action.ts";
import { afterRoot } from "../core/run.ts";
import type { Change } from "../store/store.ts";
import type { Parts } from "./parts.ts";

/** One commit that ends the action, lets go of what it held, and remembers to end its descendants. Empty if it has ended. */
export async function abortChanges(parts: Parts, action: Action, reason: string): Promise<readonly Change[]> {
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
    changes.push({ type: "updateRun", run: afterRoot({ ...run, abortReason: reason }, next) });
  }
  return changes;
}
