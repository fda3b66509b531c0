// Fixed rates, and what may be asked of any schedule's ticks.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CronTicks, checkSchedule, lastTick, type RateSchedule, ticksOf, ticksWithin } from "./schedule.ts";

const noCron: CronTicks = () => () => null;
const minuteMs = 60_000;
const rate = (everyMinutes: number, startAtMs: number | null = null): RateSchedule => ({
  type: "rate",
  everyMinutes,
  startAtMs,
});

test("a fixed rate without a start ticks first one interval after it began to count", () => {
  const ticks = ticksOf(rate(5), 1_000, noCron);
  assert.deepEqual(ticksWithin(ticks, 1_000, 1_000 + 16 * minuteMs, 10), [301_000, 601_000, 901_000]);
});

test("a fixed rate with a start ticks at the start, however far away it is, and never before", () => {
  const startAtMs = Date.UTC(2030, 0, 1);
  const ticks = ticksOf(rate(60, startAtMs), 0, noCron);
  assert.equal(ticks(0), startAtMs);
  assert.equal(ticks(startAtMs), startAtMs + 60 * minuteMs);
});

test("rates that are none, and dates that never come, are refused", () => {
  const refused = { code: "invalid_argument" };
  for (const everyMinutes of [0, -1, 1.5, Number.NaN, 1e9])
    assert.throws(() => checkSchedule(rate(everyMinutes), 0, noCron), refused);
  assert.throws(() => checkSchedule(rate(1, Number.NaN), 0, noCron), refused);
  assert.throws(
    () => checkSchedule({ type: "cron", expression: "0 0 30 2 *", timeZone: "UTC" }, 0, noCron),
    /never comes: there is no such date/,
  );
  checkSchedule(rate(1), 0, noCron);
});

test("from any cursor on, no tick is left out and none comes twice, and the last one is found without going through them", () => {
  const moments = fc.integer({ min: 0, max: 10_000_000_000 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 600 }),
      fc.option(moments),
      moments,
      fc.array(moments, { minLength: 1, maxLength: 10 }),
      (everyMinutes, startAtMs, anchorMs, looks) => {
        const ticks = ticksOf(rate(everyMinutes, startAtMs), anchorMs, noCron);
        const from = Math.min(...looks);
        const until = Math.max(...looks);
        const all = ticksWithin(ticks, from, until, 1e6);
        const first = startAtMs ?? anchorMs + everyMinutes * minuteMs;
        assert.deepEqual(
          all,
          all.map((_, index) => (all[0] as number) + index * everyMinutes * minuteMs),
        );
        assert.ok(
          all.every((tick) => tick > from && tick <= until && (tick - first) % (everyMinutes * minuteMs) === 0),
        );
        assert.equal(lastTick(ticks, from, until), all.at(-1) ?? null);
        const pieces = [...looks].sort((a, b) => a - b);
        const pieced = pieces.flatMap((at, index) =>
          index === 0 ? [] : ticksWithin(ticks, pieces[index - 1] as number, at, 1e6),
        );
        assert.deepEqual(pieced, all);
      },
    ),
    { numRuns: 100 },
  );
});
