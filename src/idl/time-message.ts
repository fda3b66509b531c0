// Moments and durations as protobuf's well-known messages (seconds and nanoseconds) and back.
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { GodwitError } from "../core/error.ts";
import { datetimeFromText, isCarriedYear } from "./time-text.ts";

const second = 1_000_000_000n;

/** From RFC 3339 in UTC, as literals carry it. */
export function timestampMessage(text: string): Timestamp {
  const moment = datetimeFromText(text);
  if (moment === null) throw new GodwitError("invalid_argument", `${JSON.stringify(text)} is no date and time.`);
  const fraction = /\.(\d+)Z$/.exec(moment)?.[1] ?? "";
  const seconds = BigInt(Date.parse(`${moment.slice(0, 19)}Z`)) / 1_000n;
  return create(TimestampSchema, { seconds, nanos: Number(fraction.padEnd(9, "0").slice(0, 9)) });
}

export function datetimeOf({ seconds, nanos }: Timestamp): string {
  const date = new Date(Number(seconds) * 1_000);
  if (Number.isNaN(date.getTime()) || !isCarriedYear(date) || nanos < 0 || nanos >= Number(second))
    throw new GodwitError(
      "invalid_argument",
      `The moment at ${seconds} s and ${nanos} ns is outside of the years 0 to 9999.`,
    );
  const digits = String(nanos)
    .padStart(9, "0")
    .replace(/0{1,6}$/, "");
  return `${date.toISOString().slice(0, 19)}.${digits}Z`;
}

export const timestampOfMs = (ms: number): Timestamp =>
  create(TimestampSchema, {
    seconds: BigInt(Math.floor(ms / 1_000)),
    nanos: Math.round((ms - Math.floor(ms / 1_000) * 1_000) * 1_000_000),
  });

/** Whole milliseconds. */
export const msOfTimestamp = ({ seconds, nanos }: Timestamp): number =>
  Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);

/** From whole nanoseconds as decimal text. Both parts have the duration's sign. */
export function durationMessage(nanoseconds: string): Duration {
  const total = BigInt(nanoseconds);
  return create(DurationSchema, { seconds: total / second, nanos: Number(total % second) });
}

export const nanosecondsOf = ({ seconds, nanos }: Duration): string => String(seconds * second + BigInt(nanos));

export const durationOfMs = (ms: number): Duration => durationMessage(String(BigInt(Math.round(ms)) * 1_000_000n));

/** Whole milliseconds, rounded up, so that a short limit is not none. */
export const msOfDuration = ({ seconds, nanos }: Duration): number =>
  Number(seconds) * 1_000 + Math.ceil(nanos / 1_000_000);
