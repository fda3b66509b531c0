// What is kept of an attempt that was followed by another. The last attempt is the action's own row.
import { type Action, type ActionError, type AttemptKey, errorCodes } from "./action.ts";

/** What happened to an attempt that was followed by another. */
export type AttemptRecord = AttemptKey & {
  readonly phase: "failed" | "timed_out" | "interrupted";
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly error: ActionError | null;
};

/** The record of the attempt that this step ended, if another attempt will follow. */
export function attemptRecord(before: Action, after: Action, nowMs: number): AttemptRecord | null {
  if (before.phase !== "running" || after.phase !== "queued") return null;
  const interrupted = after.interruptions > before.interruptions;
  return {
    run: before.run,
    name: before.name,
    attempt: before.attempt,
    phase: interrupted ? "interrupted" : after.error?.code === errorCodes.timedOut ? "timed_out" : "failed",
    startedAtMs: before.attemptStartedAtMs ?? before.createdAtMs,
    endedAtMs: nowMs,
    error: interrupted ? null : after.error,
  };
}
