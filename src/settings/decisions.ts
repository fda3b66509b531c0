// What operators may decide, and the values that it may have, however they are written.
import { GodwitError } from "../core/error.ts";
import { counts, gpuRequest, wholeNumber } from "../core/quantities.ts";
import type { ConcurrencyLimits, GpuRequest, Machine, Shares } from "../core/resources.ts";

/** What somebody decided; the rest is left out. */
export type Decisions = {
  readonly machine: Partial<Omit<Machine, "gpus">> & { readonly gpus?: readonly GpuRequest[] };
  readonly limits: ConcurrencyLimits;
  readonly shares: Shares;
};

export const noDecisions: Decisions = { machine: {}, limits: {}, shares: {} };

/** As they are written on a command line. */
export type SettingsFlags = {
  readonly cpu?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly gpus?: string;
  /** `licence=3`, each. */
  readonly tokens?: readonly string[];
};

export type Variables = { readonly [name: string]: string | undefined };

/** `2`, `2xA100,1xT4`, `A100:2`. */
export function gpuList(text: string | number, what: string): readonly GpuRequest[] {
  return String(text)
    .split(",")
    .map((part) => {
      const [, count, model] = /^\s*(\d+)\s*x\s*(\S.*?)\s*$/.exec(part) ?? [];
      return gpuRequest(model === undefined ? part : { count: Number(count), model }, what);
    })
    .filter((request) => request !== null);
}

/** A number as it may stand there; `what` names its place. */
export type Check = (value: unknown, what: string) => number;

export const wholeFrom =
  (least: number): Check =>
  (value, what) =>
    wholeNumber(value, { least, most: counts.most }, what);

/** The weights of projects: twice as much is twice the share. */
export const share: Check = (value, what) => {
  if (typeof value === "number" && value > 0 && value <= 1_000) return value;
  throw new GodwitError(
    "invalid_argument",
    `${what} has to be a number above 0 and up to 1000, not ${JSON.stringify(value)}.`,
  );
};
