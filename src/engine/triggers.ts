// Looks at triggers that are due, and starts what they want started: the runs, the trigger's new state and
// its next moment are one commit, on the trigger's revision. So a tick has its run or is still due,
// whoever dies when, and of several servers one decides on it (core/trigger.ts R1).
import { isTerminal } from "../core/action.ts";
import { rootName } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { type Ticks, ticksOf } from "../core/schedule.ts";
import { asksForLastRun, decide, nextLookMs, type Trigger } from "../core/trigger.ts";
import type { Change, StoreRecord } from "../store/store.ts";
import { putTrigger, triggerOf } from "../store/trigger-rows.ts";
import type { DueWork, Worked } from "./due-records.ts";
import { changesOf } from "./parts.ts";
import { existingRuns, type Starter, type TriggerParts, tickRuns, triggeredRun } from "./tick-runs.ts";

/** Commits lost to others before it is left for the next look. */
const maxTries = 10;

export const triggerWork = (parts: TriggerParts): DueWork => ({
  kind: "trigger",
  atOnce: 8,
  work: (record, nowMs) => lookAt(parts, record, nowMs),
});

async function lookAt(parts: TriggerParts, record: StoreRecord, nowMs: number): Promise<Worked> {
  const trigger = triggerOf(record);
  const starter: Starter = { ...trigger, caller: trigger.deployedBy, series: "" };
  const ticks = ticksFor(parts, trigger);
  for (let tries = 0; tries < maxTries; tries++) {
    const last = await lastRun(parts, trigger);
    const isBusy = last !== null && !isTerminal(last.phase);
    const decided = decide(trigger, { ticks, nowMs, isBusy });
    // As a rule nothing is there yet, and the commit says if something is.
    const existing = tries === 0 ? [] : await existingRuns(parts, starter, decided.starts);
    const missing = decided.starts.filter((at) => !existing.some(({ scheduledAtMs }) => scheduledAtMs === at));
    const { runs, changes } = await tickRuns(parts, starter, missing);
    const latest = runs.map(triggeredRun).at(-1) ?? existing.at(-1);
    const next: Trigger = {
      ...decided.trigger,
      lastRun:
        latest === undefined
          ? trigger.lastRun
          : { id: latest.id, name: latest.name, scheduledAtMs: latest.scheduledAtMs },
      problem: null,
    };
    const replaced = decided.replaces && runs.length > 0 && last !== null ? await abortOf(parts, last, starter) : [];
    const dueAtMs = nextLookMs(next, ticks, nowMs);
    const result = await parts.store.commit(
      [putTrigger(next, { from: record, dueAtMs, nowMs }), ...replaced, ...changes],
      runs.length > 0 ? "synced" : "written",
    );
    if (result.type === "committed") {
      return { awaits: next.waiting.length > 0 && next.lastRun !== null ? [next.lastRun.id] : [], isCommitted: true };
    }
    // Somebody else has decided, or changed it: it is due again if there is anything left to do.
    if (result.at === 0) return { awaits: [], isCommitted: false };
  }
  return { awaits: [], isCommitted: false };
}

const ticksFor = ({ cron }: TriggerParts, { content, anchorMs }: Trigger): Ticks =>
  content.automation.type === "schedule" ? ticksOf(content.automation.schedule, anchorMs, cron) : () => null;

async function lastRun({ store }: TriggerParts, trigger: Trigger): Promise<Run | null> {
  if (trigger.lastRun === null || !asksForLastRun(trigger)) return null;
  const [run] = await store.runsById([trigger.lastRun.id]);
  return run ?? null;
}

/** What ends a run, for the commit that starts the one in its place. */
export async function abortOf(
  parts: Pick<TriggerParts, "store" | "documents" | "nowMs">,
  run: Run,
  { name }: { readonly name: string },
): Promise<readonly Change[]> {
  const [root] = await parts.store.actions([{ run: run.id, name: rootName }]);
  if (root === undefined) return [];
  const [policy] = await parts.documents.policies([root]);
  if (policy === undefined) return [];
  const reason = `Aborted by its trigger "${name}".`;
  const changed = await changesOf(parts, root, policy, { type: "aborted", reason });
  if (changed === null) return [];
  return changed.changes.map((change) =>
    change.type === "updateRun" ? { ...change, run: { ...change.run, abortReason: reason } } : change,
  );
}
