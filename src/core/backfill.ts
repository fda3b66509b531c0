// Runs of a trigger for the ticks of a period that has passed (or is to come: nobody waits for its time),
// a few at a time. Like a trigger, a backfill is a state that is committed together with the runs that
// were decided on it, so that it goes on where it was, whoever dies.
//
// R1  It does what its trigger's revision said when it was asked for, whatever is deployed meanwhile.
// R2  Not more than `parallelism` of its runs have not ended.
// R3  A tick that has its run already gets no other, unless the backfill `repeats`: then its runs have
//     names of their own.
import { isSuccess, type Phase } from "./action.ts";
import { GodwitError } from "./error.ts";
import { type CronTicks, type Ticks, ticksOf, ticksWithin } from "./schedule.ts";
import type { TriggerContent, TriggeredRun, TriggerKey } from "./trigger.ts";

export type Backfill = TriggerKey & {
  readonly id: string;
  readonly revision: number;
  readonly content: TriggerContent;
  readonly anchorMs: number;
  /** The ticks of [fromMs, beforeMs). */
  readonly fromMs: number;
  readonly beforeMs: number;
  readonly parallelism: number;
  readonly repeats: boolean;
  readonly phase: "running" | "aborting" | "done" | "aborted";
  /** Every tick up to and including it has its run. As in a trigger, what is after it has not been decided. */
  readonly cursorMs: number;
  /** Its runs that have not ended, as far as is known. */
  readonly active: readonly TriggeredRun[];
  /** `existing`: ticks that had their run before (R3). */
  readonly counts: {
    readonly planned: number;
    readonly started: number;
    readonly existing: number;
    readonly succeeded: number;
    readonly failed: number;
  };
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly endedAtMs: number | null;
  /** Why it does not go on, for people. */
  readonly problem: string | null;
};

export const maxBackfillTicks = 10_000;
export const maxParallelism = 100;

export type BackfillPlan = Pick<Backfill, "fromMs" | "beforeMs" | "parallelism" | "repeats">;

/** How often a backfill is looked at while its runs go on, if nobody tells that one has ended. */
export const backfillLookMs = 2_000;

/** The ticks of the period, all of them. Throws `invalid_argument` if there is none, or too many. */
export function plannedTicks(
  { content, anchorMs }: Pick<Backfill, "content" | "anchorMs">,
  { fromMs, beforeMs, parallelism }: BackfillPlan,
  cron: CronTicks,
): readonly number[] {
  if (content.automation.type !== "schedule") refuse("Only a trigger with a schedule can be filled back.");
  if (!(Number.isFinite(fromMs) && Number.isFinite(beforeMs) && fromMs < beforeMs))
    refuse("The period of a backfill ends after it begins.");
  if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > maxParallelism)
    refuse(`A backfill runs 1 to ${maxParallelism} at a time, not ${parallelism}.`);
  const ticks = ticksOf(content.automation.schedule, backwards(anchorMs, content, fromMs), cron);
  const found = ticksWithin(ticks, fromMs - 1, beforeMs - 1, maxBackfillTicks + 1);
  if (found.length === 0) refuse("The schedule has no tick in this period.");
  if (found.length > maxBackfillTicks)
    refuse(`This period has more than ${maxBackfillTicks} ticks; take a shorter one after the other.`);
  return found;
}

/** A rate without a start has counted since its trigger was activated: for the past, it is counted backwards. */
export function backwards(anchorMs: number, { automation }: TriggerContent, fromMs: number): number {
  if (automation.type !== "schedule" || automation.schedule.type !== "rate") return anchorMs;
  const everyMs = automation.schedule.everyMinutes * 60_000;
  return anchorMs < fromMs ? anchorMs : anchorMs - Math.ceil((anchorMs - fromMs) / everyMs + 1) * everyMs;
}

export type BackfillLook = {
  readonly ticks: Ticks;
  /** Phases in which runs of `active` have ended, by id; those that go on are not here. */
  readonly ended: ReadonlyMap<number, Phase>;
  readonly nowMs: number;
};

export type BackfillDecided = { readonly backfill: Backfill; readonly starts: readonly number[] };

/** What is to be started now. `withRuns` tells it of what was. */
export function advance(before: Backfill, { ticks, ended, nowMs }: BackfillLook): BackfillDecided {
  if (before.phase !== "running" && before.phase !== "aborting") return { backfill: before, starts: [] };
  const active = before.active.filter(({ id }) => !ended.has(id));
  const phases = before.active.flatMap(({ id }) => ended.get(id) ?? []);
  const succeeded = phases.filter(isSuccess).length;
  const counts = {
    ...before.counts,
    succeeded: before.counts.succeeded + succeeded,
    failed: before.counts.failed + phases.length - succeeded,
  };
  const next: Backfill = { ...before, active, counts };
  if (before.phase === "aborting") {
    return { backfill: active.length === 0 ? { ...next, phase: "aborted", endedAtMs: nowMs } : next, starts: [] };
  }
  const starts = ticksWithin(ticks, before.cursorMs, before.beforeMs - 1, before.parallelism - active.length);
  const isDone = active.length === 0 && starts.length === 0;
  return { backfill: isDone ? { ...next, phase: "done", endedAtMs: nowMs } : next, starts };
}

/** `existing`: those of the starts that were there before (R3); of these, which have not ended. */
export function withRuns(
  backfill: Backfill,
  started: readonly TriggeredRun[],
  existing: readonly (TriggeredRun & { readonly hasEnded: boolean })[],
): Backfill {
  const moments = [...started, ...existing].flatMap(({ scheduledAtMs }) => scheduledAtMs ?? []);
  const going = existing
    .filter(({ hasEnded }) => !hasEnded)
    .map(({ id, name, scheduledAtMs }) => ({ id, name, scheduledAtMs }));
  return {
    ...backfill,
    cursorMs: Math.max(backfill.cursorMs, ...moments),
    active: [...backfill.active, ...started, ...going],
    counts: {
      ...backfill.counts,
      started: backfill.counts.started + started.length,
      // Those that go on are counted when they end.
      existing: backfill.counts.existing + existing.length,
    },
  };
}

/** Null: it is over. */
export const nextBackfillLookMs = (backfill: Backfill, nowMs: number): number | null => {
  if (backfill.phase === "done" || backfill.phase === "aborted") return null;
  return backfill.active.length < backfill.parallelism && backfill.phase === "running" && hasMore(backfill)
    ? nowMs
    : nowMs + backfillLookMs;
};

const hasMore = ({ counts }: Backfill): boolean => counts.started + counts.existing < counts.planned;

/** What tells its runs' names from those of the trigger itself (R3). */
export const seriesOf = ({ id, repeats }: Backfill): string => (repeats ? id : "");

function refuse(message: string): never {
  throw new GodwitError("invalid_argument", message);
}
