// Moves backfills on: starts as many of their runs as may go on at once, in one commit with the state
// that says so, and aborts those of one that is to be aborted.
import { isTerminal, type Phase } from "../core/action.ts";
import { advance, type Backfill, backwards, nextBackfillLookMs, seriesOf, withRuns } from "../core/backfill.ts";
import { type Ticks, ticksOf } from "../core/schedule.ts";
import type { StoreRecord } from "../store/store.ts";
import { backfillOf, putBackfill } from "../store/trigger-rows.ts";
import type { DueWork, Worked } from "./due-records.ts";
import { existingRuns, type Starter, type TriggerParts, tickRuns, triggeredRun } from "./tick-runs.ts";
import { abortOf } from "./triggers.ts";

export const backfillWork = (parts: TriggerParts): DueWork => ({
  kind: "backfill",
  atOnce: 4,
  work: (record, nowMs) => moveOn(parts, record, nowMs),
});

async function moveOn(parts: TriggerParts, record: StoreRecord, nowMs: number): Promise<Worked> {
  const before = backfillOf(record);
  const starter: Starter = { ...before, caller: before.createdBy, series: seriesOf(before) };
  if (before.phase === "aborting") await abortActive(parts, before);
  const ended = await endedRuns(parts, before);
  const decided = advance(before, { ticks: ticksFor(parts, before), ended, nowMs });
  const existing = await existingRuns(parts, starter, decided.starts);
  const missing = decided.starts.filter((at) => !existing.some(({ scheduledAtMs }) => scheduledAtMs === at));
  const { runs, changes } = await tickRuns(parts, starter, missing);
  const next: Backfill = { ...withRuns(decided.backfill, runs.map(triggeredRun), existing), problem: null };
  const dueAtMs = nextBackfillLookMs(next, nowMs);
  const result = await parts.store.commit(
    [putBackfill(next, { from: record, dueAtMs, nowMs }), ...changes],
    runs.length > 0 || dueAtMs === null ? "synced" : "written",
  );
  // If somebody else was faster, it is due again.
  if (result.type !== "committed") return { awaits: [], isCommitted: false };
  return { awaits: next.active.map(({ id }) => id), isCommitted: true };
}

const ticksFor = ({ cron }: TriggerParts, { content, anchorMs, fromMs }: Backfill): Ticks =>
  content.automation.type === "schedule"
    ? ticksOf(content.automation.schedule, backwards(anchorMs, content, fromMs), cron)
    : () => null;

/** A run whose row is gone has ended too. */
async function endedRuns({ store }: TriggerParts, { active }: Backfill): Promise<ReadonlyMap<number, Phase>> {
  if (active.length === 0) return new Map();
  const rows = new Map((await store.runsById(active.map(({ id }) => id))).map((run) => [run.id, run.phase]));
  return new Map(
    active.flatMap(({ id }) => {
      const phase = rows.get(id) ?? "aborted";
      return isTerminal(phase) ? [[id, phase] as const] : [];
    }),
  );
}

async function abortActive(parts: TriggerParts, { active, name }: Backfill): Promise<void> {
  for (const run of await parts.store.runsById(active.map(({ id }) => id))) {
    // One that moved on meanwhile is met at the next look.
    const changes = isTerminal(run.phase) ? [] : await abortOf(parts, run, { name });
    if (changes.length > 0) await parts.store.commit(changes);
  }
}
