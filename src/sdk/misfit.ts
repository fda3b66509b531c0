// A value that cannot be carried, and where in it. Thrown where the value is found; each level above adds
// its step, so that nothing is spent on paths while values fit.
import { type ErrorCode, GodwitError, isGodwitError } from "../core/error.ts";
import { inside, shown } from "../idl/idl.ts";

export class Misfit extends Error {
  readonly code: ErrorCode;
  /** Innermost first. */
  readonly steps: (string | number)[] = [];

  constructor(message: string, options: { readonly code?: ErrorCode; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "invalid_argument";
  }
}

export const expected = (what: string, got: unknown): Misfit => new Misfit(`expected ${what}, got ${shown(got)}.`);

/** Any failure, as one that takes up the path to where it happened. */
export function misfitOf(error: unknown): Misfit {
  if (error instanceof Misfit) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Misfit(message, isGodwitError(error) ? { code: error.code, cause: error } : { cause: error });
}

/** To be thrown by the level that was at `step` when it caught `error`. */
export function atStep(error: unknown, step: string | number): unknown {
  if (error instanceof Misfit) error.steps.push(step);
  return error;
}

/** `layers[2].units`; empty for the value itself. */
export const pathText = (steps: readonly (string | number)[]): string => steps.reduce<string>(inside, "");

/** `penguins.train: input layers[2].units: expected …`; other errors as they are. */
export function misfitError(error: unknown, where: string): unknown {
  if (!(error instanceof Misfit)) return error;
  const path = pathText(error.steps.toReversed());
  return new GodwitError(error.code, `${where}${path === "" ? "" : ` ${path}`}: ${error.message}`, {
    cause: error.cause,
  });
}

/** The first attempt that fits; if none does, the failure that got furthest into the value says why. */
export function firstFit<T>(attempts: readonly (() => T)[], noun: string, value: unknown): T {
  let furthest: Misfit | null = null;
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      if (error.steps.length > (furthest?.steps.length ?? 0)) furthest = error;
    }
  }
  throw furthest ?? expected(noun, value);
}
