// What cron schedules tick at: over changes of the clock, at the ends of months, and against a slow reckoning.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { lastTick, ticksWithin } from "../core/schedule.ts";
import { cronTicks } from "./cron.ts";

const ticks = cronTicks();

const next = (expression: string, timeZone: string, after: string, count: number): readonly string[] =>
  ticksWithin(ticks({ type: "cron", expression, timeZone }), Date.parse(after), Number.POSITIVE_INFINITY, count).map(
    (at) => new Date(at).toISOString().slice(0, 16),
  );

const refusal = (expression: string, timeZone = "UTC") => {
  try {
    ticks({ type: "cron", expression, timeZone })(0);
    return null;
  } catch (error) {
    return error as { readonly code?: string; readonly message: string };
  }
};

describe("cron", () => {
  test("a time of day that is left out when the clock goes forward ticks right after the gap", () => {
    const found = next("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00Z", 3);
    assert.deepEqual(found, ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]);
  });

  test("a time of day that comes twice when the clock goes back ticks once", () => {
    const found = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 3);
    assert.deepEqual(found, ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"]);
  });

  test("every half hour goes on at its pace through both changes of the clock", () => {
    for (const after of ["2026-03-28T22:00Z", "2026-10-24T22:00Z"]) {
      const found = next("*/30 * * * *", "Europe/Berlin", after, 12).map((at) => Date.parse(`${at}Z`));
      assert.deepEqual(
        found,
        found.map((_, index) => (found[0] as number) + index * 1_800_000),
      );
    }
  });

  test("a zone that moves its clock by half an hour is reckoned as it is", () => {
    assert.deepEqual(next("0 12 * * *", "Australia/Lord_Howe", "2026-04-03T12:00Z", 3), [
      "2026-04-04T01:00",
      "2026-04-05T01:30",
      "2026-04-06T01:30",
    ]);
  });

  test("the 29th of February comes in leap years only", () => {
    const found = next("0 0 29 2 *", "UTC", "2096-01-01T00:00Z", 3);
    assert.deepEqual(found, ["2096-02-29T00:00", "2104-02-29T00:00", "2108-02-29T00:00"]);
  });

  test("the last day of a month is that of each month, and months without a 31st have none", () => {
    assert.deepEqual(next("0 0 L * *", "UTC", "2028-01-15T00:00Z", 3), [
      "2028-01-31T00:00",
      "2028-02-29T00:00",
      "2028-03-31T00:00",
    ]);
    assert.deepEqual(next("0 0 31 * *", "UTC", "2026-01-31T00:00Z", 2), ["2026-03-31T00:00", "2026-05-31T00:00"]);
  });

  test("of day of month and day of week either is enough", () => {
    const found = next("0 0 13 * 5", "UTC", "2026-01-08T00:00Z", 3);
    assert.deepEqual(found, ["2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00"]);
  });

  test("names of days, short names, and Sunday as 0 and as 7 mean what they mean to cron", () => {
    assert.deepEqual(next("0 9 * * MON-FRI", "UTC", "2026-01-02T10:00Z", 1), ["2026-01-05T09:00"]);
    assert.deepEqual(next("@hourly", "UTC", "2026-01-02T10:00Z", 1), ["2026-01-02T11:00"]);
    assert.deepEqual(
      next("0 0 * * 7", "UTC", "2026-01-01T00:00Z", 2),
      next("0 0 * * 0", "UTC", "2026-01-01T00:00Z", 2),
    );
  });

  test("what is no schedule is refused, in words that say what one looks like", () => {
    const bad = ["", "* * * *", "* * * * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "a b c d e"];
    for (const expression of [...bad, "2026-01-01T00:00:00", "@never", `${"0,".repeat(150)}0 * * * *`]) {
      const found = refusal(expression);
      assert.equal(found?.code, "invalid_argument", expression);
      assert.match(found.message, /five fields: minute/);
    }
  });

  test("a time zone that does not exist is refused by its name", () => {
    assert.match(refusal("0 0 * * *", "Mars/Base")?.message ?? "", /no time zone "Mars\/Base"/);
    assert.equal(refusal("0 0 * * *", "")?.code, "invalid_argument");
  });

  test("a date that does not exist never comes", () => {
    assert.equal(ticks({ type: "cron", expression: "0 0 30 2 *", timeZone: "UTC" })(0), null);
  });
});

const field = (from: number, to: number) =>
  fc.oneof(
    fc.constant("*"),
    fc.integer({ min: from, max: to }).map(String),
    fc.integer({ min: 2, max: Math.min(12, to) }).map((step) => `*/${step}`),
    fc.tuple(fc.integer({ min: from, max: to }), fc.integer({ min: from, max: to })).map(([a, b]) => `${a},${b}`),
  );
const expressions = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
  .map((fields) => fields.join(" "));
const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham");
const moments = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2034, 0, 1) });

test("ticks rise, lie on whole minutes, and are the same whoever asks from wherever between them", () => {
  fc.assert(
    fc.property(
      expressions,
      zones,
      moments,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (expression, timeZone, at, part) => {
        const of = ticks({ type: "cron", expression, timeZone });
        const found = ticksWithin(of, at, Number.POSITIVE_INFINITY, 6);
        for (const [index, tick] of found.entries()) {
          const before = found[index - 1] ?? at;
          assert.ok(tick > before);
          assert.equal(tick % 60_000, 0);
          assert.equal(of(before + Math.floor((tick - 1 - before) * part)), tick);
        }
        const last = found.at(-1);
        if (last !== undefined) assert.equal(lastTick(of, at, last), last);
        if (found.length > 1) assert.equal(lastTick(of, at, (last as number) - 1), found.at(-2));
      },
    ),
    { numRuns: 200 },
  );
});

test("of schedules of minutes and hours, the ticks are the minutes of the wall clock that fit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 59 }), zones, moments, (minute, timeZone, at) => {
      const of = ticks({ type: "cron", expression: `${minute} * * * *`, timeZone });
      const format = new Intl.DateTimeFormat("en", { timeZone, minute: "numeric" });
      const until = at + 6 * 3_600_000;
      const slow: number[] = [];
      for (let each = Math.ceil((at + 1) / 60_000) * 60_000; each <= until; each += 60_000)
        if (Number(format.format(each)) === minute) slow.push(each);
      assert.deepEqual(ticksWithin(of, at, until, 100), slow);
    }),
    { numRuns: 60 },
  );
});
