// When a schedule wants a run. Its moments are called ticks, in Unix milliseconds.
//
// R1  Ticks follow from the schedule alone: whoever asks, and whenever, is told the same ones.
// R2  `next` is strictly after the moment that it is given, so that from a cursor on no tick comes twice
//     and none is left out.
import { GodwitError } from "./error.ts";

export type CronSchedule = {
  readonly type: "cron";
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly expression: string;
  /** As IANA names it: `Europe/Berlin`. */
  readonly timeZone: string;
};

export type RateSchedule = {
  readonly type: "rate";
  readonly everyMinutes: number;
  /** The first tick. Null: the first is one interval after the schedule began to count. */
  readonly startAtMs: number | null;
};

export type Schedule = CronSchedule | RateSchedule;

/** The first tick strictly after a moment, or null if there is none any more. */
export type Ticks = (afterMs: number) => number | null;

/** How time zones and calendars are reckoned (cron/cron.ts). Throws `invalid_argument` on what is no schedule. */
export type CronTicks = (schedule: CronSchedule) => Ticks;

const minuteMs = 60_000;

/** A rate in the protocol has 32 bits; ten years are enough. */
const maxEveryMinutes = 10 * 366 * 24 * 60;

/** `anchorMs`: when the schedule began to count, for rates without a start. */
export function ticksOf(schedule: Schedule, anchorMs: number, cron: CronTicks): Ticks {
  if (schedule.type === "cron") return cron(schedule);
  const everyMs = schedule.everyMinutes * minuteMs;
  const firstMs = schedule.startAtMs ?? anchorMs + everyMs;
  return (afterMs) => {
    if (afterMs < firstMs) return firstMs;
    return firstMs + (Math.floor((afterMs - firstMs) / everyMs) + 1) * everyMs;
  };
}

/** Throws `invalid_argument` if it is not one, or would never have a tick. */
export function checkSchedule(schedule: Schedule, nowMs: number, cron: CronTicks): void {
  if (schedule.type === "cron") {
    if (cron(schedule)(nowMs) !== null) return;
    throw new GodwitError(
      "invalid_argument",
      `The schedule "${schedule.expression}" never comes: there is no such date. Change its day or its month.`,
    );
  }
  const { everyMinutes, startAtMs } = schedule;
  if (!Number.isInteger(everyMinutes) || everyMinutes < 1 || everyMinutes > maxEveryMinutes)
    throw new GodwitError(
      "invalid_argument",
      `A fixed rate is a whole number of minutes from 1 to ${maxEveryMinutes}, not ${everyMinutes}.`,
    );
  if (startAtMs !== null && !(Number.isInteger(startAtMs) && Math.abs(startAtMs) <= maxTimeMs))
    throw new GodwitError("invalid_argument", `A fixed rate cannot start at ${startAtMs}: that is no time.`);
}

/** What a Date of JavaScript's can hold. */
const maxTimeMs = 8.64e15;

/** The ticks in (afterMs, untilMs], the earliest `limit` of them. */
export function ticksWithin(ticks: Ticks, afterMs: number, untilMs: number, limit: number): readonly number[] {
  const found: number[] = [];
  let at = afterMs;
  while (found.length < limit) {
    const next = ticks(at);
    if (next === null || next > untilMs) break;
    found.push(next);
    at = next;
  }
  return found;
}

/** The last tick in (afterMs, untilMs], or null; found by halving, however many there are. */
export function lastTick(ticks: Ticks, afterMs: number, untilMs: number): number | null {
  let last = ticks(afterMs);
  if (last === null || last > untilMs) return null;
  let low = last;
  let high = untilMs;
  // Between: the tick after `low` may be within, none is after `high`.
  while (low < high) {
    const middle = low + Math.ceil((high - low) / 2);
    const next = ticks(middle - 1);
    if (next !== null && next <= untilMs) {
      last = next;
      low = next;
    } else {
      high = middle - 1;
    }
  }
  return last;
}

/** `every 5 minutes`, `0 9 * * 1-5 (Europe/Berlin)`. */
export const scheduleText = (schedule: Schedule): string =>
  schedule.type === "cron"
    ? `${schedule.expression} (${schedule.timeZone})`
    : `every ${schedule.everyMinutes === 1 ? "minute" : `${schedule.everyMinutes} minutes`}`;
