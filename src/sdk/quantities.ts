// Durations and amounts as people write them: "10m", "1h30m", "512Mi", 0.5.
import { GodwitError } from "../core/error.ts";

/** Milliseconds as a number, or text such as "250ms", "10s", "1h30m", "2d". */
export type Duration = number | string;

/** Bytes as a number, or text with a binary (Ki, Mi, Gi, Ti) or decimal (K, M, G, T) suffix. */
export type ByteAmount = number | string;

const durationUnits: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Whole milliseconds. `what` names the setting, for the error. */
export function durationMs(duration: Duration, what: string): number {
  if (typeof duration === "number") {
    if (Number.isFinite(duration) && duration >= 0) return Math.round(duration);
  } else if (/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(duration)) {
    let total = 0;
    for (const [, amount, , unit] of duration.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d|w)/g)) {
      total += Number(amount) * (durationUnits[unit as string] as number);
    }
    return Math.round(total);
  }
  throw new GodwitError(
    "invalid_argument",
    `${what}: ${JSON.stringify(duration)} is not a duration. Write milliseconds as a number, or text such as "30s", "10m" or "1h30m".`,
  );
}

const byteUnits: { readonly [unit: string]: number } = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Whole bytes. */
export function byteAmount(amount: ByteAmount, what: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]i?)?$/.exec(String(amount).trim());
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * (byteUnits[match[2] ?? ""] as number));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new GodwitError(
    "invalid_argument",
    `${what}: ${JSON.stringify(amount)} is not an amount of memory. Write bytes as a number, or text such as "512Mi" or "4Gi".`,
  );
}

/** Thousandths of a core, from cores (0.5) or Kubernetes' notation ("500m"). */
export function cpuMillis(cpu: number | string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(String(cpu).trim());
  const millis = match === null ? Number.NaN : Math.round(Number(match[1]) * (match[2] === "m" ? 1 : 1_000));
  if (Number.isSafeInteger(millis) && millis > 0) return millis;
  throw new GodwitError(
    "invalid_argument",
    `${what}: ${JSON.stringify(cpu)} is not a number of CPUs. Write cores such as 2 or 0.5, or thousandths such as "500m".`,
  );
}
