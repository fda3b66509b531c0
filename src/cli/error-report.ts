// What a person sees when a command fails, and the exit code it gives.
import { type ErrorCode, GodwitError, isGodwitError } from "../core/error.ts";
import type { Paint } from "./terminal.ts";

export const exitOk = 0;
export const exitFailed = 1;
export const exitUsage = 2;

/** About what the user typed or named; everything else is a failure of the work or the surroundings. */
const usageCodes: readonly ErrorCode[] = ["invalid_argument", "not_found", "already_exists", "failed_precondition"];

export const exitCodeOf = (error: unknown): number =>
  isGodwitError(error) && usageCodes.includes(error.code) ? exitUsage : exitFailed;

/** Lines for stderr. Stacks of Godwit's own code are for those who ask for them. */
export function errorLines(error: unknown, paint: Paint, showsStack: boolean): readonly string[] {
  const lines = [`${paint("red", "error:")} ${messageOf(error)}`];
  if (showsStack && error instanceof Error) lines.push(paint("dim", fullStack(error)));
  else if (!isGodwitError(error) || error.code === "internal")
    lines.push(paint("dim", "This should not happen. GODWIT_DEBUG=1 shows where it did; please report it."));
  return lines;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const codeOf = (error: unknown): ErrorCode => (isGodwitError(error) ? error.code : "internal");

function fullStack(error: Error): string {
  const stacks = [error.stack ?? error.message];
  for (let cause = error.cause; cause instanceof Error && stacks.length < 5; cause = cause.cause)
    stacks.push(`caused by ${cause.stack ?? cause.message}`);
  return stacks.join("\n");
}

export const usageError = (message: string): GodwitError => new GodwitError("invalid_argument", message);
