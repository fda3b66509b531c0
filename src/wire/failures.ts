// Why an action failed, in the codes that Flyte's SDK goes by.
import type { Action, ActionError } from "../core/action.ts";
import { errorCodes } from "../core/action.ts";
import type { Timeouts } from "../core/task.ts";

/** Which limit has passed: the SDK raises another class for each. */
const timeoutCodes = {
  queued: "QUEUED_TIMEOUT_EXCEEDED",
  attempt: "MAX_RUNTIME_EXCEEDED",
  deadline: "DEADLINE_EXCEEDED",
} as const;

/** Null unless it has ended without success. What is aborted has one too: some callers look for nothing else. */
export function failureOf(action: Action, timeouts: Timeouts | null): ActionError | null {
  if (action.error === null || action.phase === "succeeded" || action.phase === "recovered") return null;
  if (action.phase !== "timed_out") return action.error;
  return { ...action.error, code: timeoutCodes[passedLimit(action, timeouts)] };
}

function passedLimit(
  { attempt, createdAtMs, endedAtMs }: Action,
  timeouts: Timeouts | null,
): keyof typeof timeoutCodes {
  const deadlineMs = timeouts?.deadlineMs ?? null;
  if (deadlineMs !== null && endedAtMs !== null && endedAtMs >= createdAtMs + deadlineMs) return "deadline";
  return attempt === 0 ? "queued" : "attempt";
}

/** Of an attempt that was followed by another. */
export const attemptFailure = (error: ActionError, isTimedOut: boolean): ActionError =>
  isTimedOut && error.code === errorCodes.timedOut ? { ...error, code: timeoutCodes.attempt } : error;
