// A value that cannot be carried, and where in it. Thrown where the value is found; each level above adds
// its step, so that nothing is spent on paths while values fit.
import { type ErrorCode, GodwitError, isGodwitError } from "../core/error.ts";
import { inside, shown } from "../idl/idl.ts";

type MisfitOptions = {
  readonly code?: ErrorCode;
  readonly cause?: unknown;
  readonly isChoice?: boolean;
  readonly steps?: (string | number)[];
};

export class Misfit extends Error {
  readonly code: ErrorCode;
  /** Innermost first. */
  readonly steps: (string | number)[];
  /** That the value is not one of a few: of a union's members, the one that fails like this was not meant. */
  readonly isChoice: boolean;

  constructor(message: string, options: MisfitOptions = {}) {
    super(message, { cause: options.cause });
    this.steps = options.steps ?? [];
    this.code = options.code ?? "invalid_argument";
    this.isChoice = options.isChoice ?? false;
  }
}

export const expected = (what: string, got: unknown): Misfit => new Misfit(`expected ${what}, got ${shown(got)}.`);

export const notChosen = (what: string, got: unknown): Misfit =>
  new Misfit(`expected ${what}, got ${shown(got)}.`, { isChoice: true });

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

// A value that contains itself has a path without end.
const shownSteps = 12;

/** `layers[2].units`; empty for the value itself. */
export const pathText = (steps: readonly (string | number)[]): string =>
  steps.slice(0, shownSteps).reduce<string>(inside, "") + (steps.length > shownSteps ? "…" : "");

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
      if (error.steps.length > 0 && isBetter(error, furthest)) furthest = error;
    }
  }
  throw furthest ?? expected(noun, value);
}

const isBetter = (error: Misfit, than: Misfit | null): boolean =>
  than === null ||
  (than.isChoice && !error.isChoice) ||
  (than.isChoice === error.isChoice && error.steps.length > than.steps.length);
