// Durations and amounts as people write them ("10m", "512Mi", 0.5, "A100:2"), and as they read them.
import { GodwitError } from "./error.ts";
import type { GpuRequest } from "./resources.ts";

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
    `${what}: ${JSON.stringify(amount)} is not a number of bytes. Write bytes as a number, or text such as "512Mi" or "4Gi".`,
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

/** Devices: a number, or text such as "A100" or "A100:2". */
export type GpuAmount = number | string | { readonly count: number; readonly model?: string };

/** The most devices that one task may ask for, or one machine have. */
export const maxGpus = 1_024;

/** Null: none. */
export function gpuRequest(gpu: GpuAmount, what: string): GpuRequest | null {
  const { count, model = null } = typeof gpu === "object" ? gpu : gpuOfText(gpu);
  if (Number.isInteger(count) && count >= 0 && count <= maxGpus && (model === null || isModel(model)))
    return count === 0 ? null : { count, model };
  throw new GodwitError(
    "invalid_argument",
    `${what}: ${JSON.stringify(gpu)} does not say which GPUs. Write how many, such as 1, with a model "A100:2", or { count: 2, model: "A100" }.`,
  );
}

function gpuOfText(gpu: number | string): { readonly count: number; readonly model?: string } {
  const text = String(gpu).trim();
  if (/^\d+$/.test(text)) return { count: Number(text) };
  const [, model = "", count = "1"] = /^([A-Za-z][^:]*?)(?::(\d+))?$/.exec(text) ?? [];
  return { count: Number(count), model };
}

export const isModel = (model: unknown): model is string =>
  typeof model === "string" && /^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}$/.test(model);

/** A whole number from `least` to `most`. */
export function wholeNumber(
  value: unknown,
  range: { readonly least: number; readonly most: number },
  what: string,
): number {
  const { least, most } = range;
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new GodwitError(
    "invalid_argument",
    `${what} has to be a whole number from ${least} to ${most}, not ${JSON.stringify(value)}.`,
  );
}

/** Of `priority`: of runs, tasks and calls. */
export const priorities = { least: -100, most: 100 } as const;
/** Of limits on what runs at once, and of tokens. */
export const counts = { least: 1, most: 1_000_000 } as const;

const byteWords = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `512 MiB`, `8.2 GiB`: as tasks ask for it. */
export function byteText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_023.95 && unit < byteWords.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${decimal(value)} ${byteWords[unit]}`;
}

/** Cores: `1`, `0.5`. */
export const cpuText = (millis: number): string => decimal(millis / 1_000, 3);

const decimal = (value: number, digits = 1): string => String(Number(value.toFixed(value >= 100 ? 0 : digits)));
