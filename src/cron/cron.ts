// Ticks of cron schedules: calendars, time zones and their changes, as the library reckons them.
//
// R1  Where the clock is put forward, a schedule with one time of day ticks at the first moment after the
//     gap; where it is put back, once, at the first of the two. Others follow the clock on the wall: those
//     of its times that do not exist are left out, and those that come twice tick twice.
// R2  If day of the month and day of the week are both given, either is enough, as cron has it.
import { Cron } from "croner";
import { GodwitError } from "../core/error.ts";
import type { CronSchedule, CronTicks, Ticks } from "../core/schedule.ts";

/** Schedules that are kept parsed. */
const maxKept = 1_000;

/** The longest schedule that is read. */
const maxLength = 200;

const secondMs = 1_000;

export function cronTicks(): CronTicks {
  const kept = new Map<string, Ticks>();
  return (schedule) => {
    const key = `${schedule.timeZone} ${schedule.expression}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const ticks = parse(schedule);
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value as string);
    kept.set(key, ticks);
    return ticks;
  };
}

function parse({ expression, timeZone }: CronSchedule): Ticks {
  checkTimeZone(timeZone);
  const cron = read(expression, timeZone);
  // Within a second the library cannot tell before from after.
  return (afterMs) => cron.nextRun(new Date(Math.floor(afterMs / secondMs) * secondMs))?.getTime() ?? null;
}

function read(expression: string, timeZone: string): Cron {
  try {
    if (expression.length > maxLength) throw new RangeError(`it is longer than ${maxLength} characters`);
    // The library would take a date as well.
    if (!/^(@[a-z]+|\s*[^\s:]+(\s+[^\s:]+){4}\s*)$/i.test(expression)) throw new RangeError("it has not five fields");
    return new Cron(expression, { mode: "5-part", timezone: timeZone, paused: true });
  } catch (error) {
    throw new GodwitError(
      "invalid_argument",
      `The schedule ${JSON.stringify(expression.slice(0, maxLength))} is not one that cron knows (${reasonOf(error)}). ` +
        "Write five fields: minute, hour, day of the month, month, day of the week, as in `0 9 * * 1-5`.",
      { cause: error },
    );
  }
}

const reasonOf = (error: unknown): string => (error as Error).message.replace(/^\w+: /, "").replace(/\.$/, "");

function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch (error) {
    throw new GodwitError(
      "invalid_argument",
      `There is no time zone ${JSON.stringify(timeZone)}. Name one as IANA does: UTC, Europe/Berlin, America/New_York.`,
      { cause: error },
    );
  }
}
