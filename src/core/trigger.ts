// What a trigger does next. A trigger starts runs of one task, on a schedule or when it is asked to; all
// that may happen to it is decided here, on its state alone and the time.
//
// R1  While it is active `cursorMs` only grows: every tick up to and including it has been decided, and is
//     not looked at again, whatever the clock says. The state is committed together with the runs that were decided on
//     it, so that each tick is decided once, whoever looks and however often.
// R2  A run's name follows from its trigger and its tick (`tickRunName`): should two decide on one tick
//     all the same, because the trigger was made anew or its history lost, the second finds the first's run.
// R3  A tick that nobody looked at for `lateAfterMs` was missed: `catchUp` decides on those. The others
//     all count. What is passed over is remembered in `passedOver`, what overlaps is counted in `skipped`.
// R4  One look decides on at most `maxTicksPerLook` ticks; what is left stays due.
import type { Automation, CatchUp, Overlap } from "./automation.ts";
import { hashParts } from "./hash.ts";
import type { Launch } from "./new-run.ts";
import { lastTick, type Ticks, ticksWithin } from "./schedule.ts";
import type { Payload } from "./value.ts";

export type TriggerKey = {
  readonly project: string;
  readonly domain: string;
  /** Full name of the task. */
  readonly task: string;
  /** Unique among the triggers of the task. */
  readonly name: string;
};

/** What is deployed: a change of it is a new revision. */
export type TriggerContent = {
  readonly description: string;
  readonly automation: Automation;
  /** Inputs of its runs, save the scheduled time. */
  readonly inputs: Payload;
  readonly launch: Launch;
};

export type Trigger = TriggerKey & {
  /** Of its last change by people: counts up from 1, over its removal too. */
  readonly revision: number;
  readonly isActive: boolean;
  readonly content: TriggerContent;
  /** When its schedule began to count. */
  readonly anchorMs: number;
  /** R1. */
  readonly cursorMs: number;
  /** Ticks that wait for the end of the run before them, in order; at most `maxWaitingTicks`. */
  readonly waiting: readonly number[];
  readonly lastRun: TriggeredRun | null;
  /** Ticks that overlapped, and started nothing for it. */
  readonly skipped: number;
  /** The first and the last tick of those that were missed last and not caught up with. */
  readonly passedOver: { readonly fromMs: number; readonly untilMs: number } | null;
  /** Why its last tick could not be started, for people; it is tried again. */
  readonly problem: string | null;
  readonly deployedAtMs: number;
  readonly deployedBy: string;
  readonly updatedAtMs: number;
  readonly updatedBy: string;
};

/** `scheduledAtMs`: for which tick; null: somebody asked for it. */
export type TriggeredRun = { readonly id: number; readonly name: string; readonly scheduledAtMs: number | null };

export type RevisionAction = "deploy" | "activate" | "deactivate" | "delete";

/** What a trigger was after a change by people; kept for ever. */
export type TriggerRevision = TriggerKey & {
  readonly revision: number;
  readonly action: RevisionAction;
  readonly isActive: boolean;
  readonly content: TriggerContent;
  readonly atMs: number;
  readonly by: string;
};

/** R3: within this, who is asked a moment too late is not late. */
export const lateAfterMs = 60_000;

/** R4. */
export const maxTicksPerLook = 100;

/** Beyond, ticks stay before the cursor until there is room, and may be missed then (R3). */
export const maxWaitingTicks = 100;

/** The longest time until it is looked whether the run has ended that others wait for. */
export const waitingLookMs = 2_000;

export type Look = {
  readonly ticks: Ticks;
  readonly nowMs: number;
  /** Whether its last run has not ended. */
  readonly isBusy: boolean;
};

export type Decided = {
  readonly trigger: Trigger;
  /** Ticks for which a run starts now, in order. */
  readonly starts: readonly number[];
  /** Whether the last run is to be aborted for that. */
  readonly replaces: boolean;
};

/** What is due by now. Nothing of it has happened before it is committed. */
export function decide(trigger: Trigger, look: Look): Decided {
  const { automation } = trigger.content;
  if (!trigger.isActive || automation.type === "none") return { trigger, starts: [], replaces: false };
  const room = automation.overlap === "queue" ? maxWaitingTicks - trigger.waiting.length : maxTicksPerLook;
  const due = dueTicks(trigger, automation.catchUp, look, room);
  const next: Trigger = { ...trigger, cursorMs: due.cursorMs, passedOver: due.passedOver };
  return overlapped(next, automation.overlap, due.ticks, look.isBusy);
}

/** When to look again at what was decided, or null: not before somebody changes it. */
export function nextLookMs(trigger: Trigger, ticks: Ticks, nowMs: number): number | null {
  if (!trigger.isActive || trigger.content.automation.type === "none") return null;
  const look = trigger.waiting.length > 0 ? nowMs + waitingLookMs : null;
  if (trigger.waiting.length >= maxWaitingTicks) return look;
  const next = ticks(trigger.cursorMs);
  if (look === null || next === null) return look ?? next;
  return Math.min(look, next);
}

type Due = {
  readonly ticks: readonly number[];
  readonly cursorMs: number;
  readonly passedOver: Trigger["passedOver"];
};

/** R1, R3, R4. */
function dueTicks(trigger: Trigger, catchUp: CatchUp, { ticks, nowMs }: Look, room: number): Due {
  const { cursorMs, passedOver } = trigger;
  const limit = Math.min(room, maxTicksPerLook);
  if (limit <= 0) return { ticks: [], cursorMs, passedOver };
  const lateMs = nowMs - lateAfterMs;
  const missed = catchUp === "all" ? null : lastTick(ticks, cursorMs, lateMs);
  if (missed === null) {
    const found = ticksWithin(ticks, cursorMs, nowMs, limit);
    return { ticks: found, cursorMs: found.at(-1) ?? cursorMs, passedOver };
  }
  const onTime = ticksWithin(ticks, missed, nowMs, limit);
  // The newest of those that were missed; one that comes on time is newer still.
  const taken = catchUp === "latest" && onTime.length === 0 ? [missed] : onTime;
  const first = ticks(cursorMs) ?? missed;
  const isPassedOver = taken[0] !== first;
  const last = taken[0] === missed ? lastTick(ticks, cursorMs, missed - 1) : missed;
  return {
    ticks: taken,
    cursorMs: taken.at(-1) ?? missed,
    passedOver: isPassedOver ? { fromMs: first, untilMs: last ?? first } : passedOver,
  };
}

function overlapped(before: Trigger, overlap: Overlap, ticks: readonly number[], isBusy: boolean): Decided {
  // What waits may be left from when it was to be queued.
  const due = [...before.waiting, ...ticks];
  const trigger: Trigger = { ...before, waiting: [] };
  switch (overlap) {
    case "allow":
      return { trigger, starts: due, replaces: false };
    case "skip": {
      const starts = isBusy ? [] : due.slice(0, 1);
      const skipped = trigger.skipped + due.length - starts.length;
      return { trigger: { ...trigger, skipped }, starts, replaces: false };
    }
    case "queue": {
      const starts = isBusy ? [] : due.slice(0, 1);
      return { trigger: { ...trigger, waiting: due.slice(starts.length) }, starts, replaces: false };
    }
    case "replace": {
      const starts = due.slice(-1);
      const skipped = trigger.skipped + due.length - starts.length;
      return { trigger: { ...trigger, skipped }, starts, replaces: isBusy && starts.length > 0 };
    }
  }
}

/** Whether what it decides depends on the last run's end. */
export const asksForLastRun = ({ content, lastRun }: Trigger): boolean =>
  lastRun !== null && content.automation.type === "schedule" && content.automation.overlap !== "allow";

/** R2. `series`: what tells runs for one tick apart, if there are to be several: a backfill that repeats. */
export function tickRunName(key: TriggerKey, scheduledAtMs: number, series = ""): string {
  const { project, domain, task, name } = key;
  const hash = hashParts(project, domain, task, name, String(scheduledAtMs), series);
  const digits = new Date(scheduledAtMs).toISOString().replace(/\D/g, "").slice(0, 12);
  return `${slug(name)}-${digits}-${BigInt(`0x${hash}`).toString(36).slice(-10)}`;
}

/** The beginning of a run's name that people recognise the trigger by. */
function slug(name: string): string {
  const letters = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 16)
    .replace(/^-+|-+$/g, "");
  return letters === "" ? "trigger" : letters;
}
