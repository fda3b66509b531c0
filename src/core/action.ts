// The state machine of an action. Every rule about what may happen to an action next is here.
//
//            ┌────────────── retry, interruption ──────────────┐
//            ▼                                                 │
//   (call) queued ──claimed──► running ──outcome, timer──► succeeded │ failed │ timed out
//            │  ▲
//            │  └─ woken ─┐
//            └─waits──► waiting for resources        any phase but a last one ──abort──► aborted
//            └─reused──► succeeded (cache) │ recovered
//
//   a condition starts paused and is signalled; a trace is recorded when it has ended.
//
// R1  A last phase is never left. (A failed trace is the exception: it may be recorded anew.)
// R2  An outcome counts only under the attempt that the action is running; any other changes nothing.
//     So the attempt number is the fencing number of the lease.
// R3  `step` is total: an event that does not fit the phase returns the very same action.
// R4  `dueAtMs` is always the next moment at which time alone changes the action, or null.

import { maxOomFailures } from "./resources.ts";
import { backoffMs, maxInterruptions, type RetryPolicy } from "./retry.ts";
import type { SourceLocation, Timeouts } from "./task.ts";
import { emptyPayload, type Payload } from "./value.ts";

export type Phase =
  | "queued"
  | "waiting_for_resources"
  | "initializing"
  | "running"
  | "paused"
  | "succeeded"
  | "recovered"
  | "failed"
  | "aborted"
  | "timed_out";

export const phases: readonly Phase[] = [
  "queued",
  "waiting_for_resources",
  "initializing",
  "running",
  "paused",
  "succeeded",
  "recovered",
  "failed",
  "aborted",
  "timed_out",
];

export const terminalPhases: readonly Phase[] = ["succeeded", "recovered", "failed", "aborted", "timed_out"];

export const isTerminal = (phase: Phase): boolean => terminalPhases.includes(phase);
export const isSuccess = (phase: Phase): boolean => phase === "succeeded" || phase === "recovered";

export type ActionType = "task" | "trace" | "condition";

/** Why an attempt or an action failed, as a value. */
export type ActionError = {
  /** The class of the user's error (`TypeError`), or one of Godwit's: see `errorCodes`. */
  readonly code: string;
  readonly message: string;
  /** Whose budget it costs. */
  readonly kind: "user" | "system";
  /** False: no retry can help. */
  readonly recoverable: boolean;
  readonly stack: string | null;
  /** The first line of the user's own source in the stack. */
  readonly location: SourceLocation | null;
  /** Where it happened first, when it came up through a parent. */
  readonly origin: { readonly action: string; readonly attempt: number; readonly task: string } | null;
};

/** Codes of errors that Godwit itself puts on actions. */
export const errorCodes = {
  inputInvalid: "InputInvalid",
  outputInvalid: "OutputInvalid",
  workerLost: "WorkerLost",
  timedOut: "TimedOut",
  aborted: "Aborted",
  nonDeterministic: "NonDeterministic",
  commandFailed: "CommandFailed",
  crashLoop: "CrashLoop",
  codeUnloadable: "CodeUnloadable",
  outOfMemory: "OutOfMemory",
  oomKilled: "OOMKilled",
} as const;

/** An action is one of a run; `run` is the run's id. */
export type ActionKey = { readonly run: number; readonly name: string };
export type AttemptKey = ActionKey & { readonly attempt: number };

export type CacheStatus = "off" | "miss" | "hit" | "overwritten";

export type Action = ActionKey & {
  /** Null for the root. */
  readonly parent: string | null;
  /** 0 for the root. Deeper work goes first, so that what has begun gets finished. */
  readonly depth: number;
  readonly type: ActionType;
  /** The task's, trace's or condition's own name, for people. */
  readonly label: string;
  /** Calls of one `map`, and others that a parent shows together. */
  readonly group: string | null;
  /** What is called: see `taskIdentity`. Never changes under one name. */
  readonly identity: string;
  /** Digest of the TaskSpec; null for traces. For conditions, of the ConditionSpec. */
  readonly spec: string | null;
  readonly inputs: Payload;
  readonly inputsHash: string;
  readonly phase: Phase;
  /** 0 before the first attempt. */
  readonly attempt: number;
  readonly userFailures: number;
  readonly systemFailures: number;
  readonly interruptions: number;
  /** Attempts that ran out of memory and were followed by one with more. */
  readonly oomFailures: number;
  /** Higher goes first within a project. */
  readonly priority: number;
  /** See `laneOf`; 0 for what is not admitted anywhere. */
  readonly lane: number;
  /** The engine that holds the lease while running. */
  readonly owner: string | null;
  /** Not claimed before this. */
  readonly readyAtMs: number;
  readonly dueAtMs: number | null;
  readonly createdAtMs: number;
  /** Start of the first attempt. */
  readonly startedAtMs: number | null;
  readonly attemptStartedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly outputs: Payload | null;
  /** Of the last attempt that failed; kept while the action is retried. */
  readonly error: ActionError | null;
  readonly cacheKey: string | null;
  readonly cacheStatus: CacheStatus | null;
  /** `run/action` whose result this one took, from the cache or by recovery. */
  readonly reusedFrom: string | null;
  /** Set by the store at each commit; what compare-and-set compares. */
  readonly revision: number;
};

/** What of a task's spec the state machine reads. */
export type Policy = {
  readonly retries: RetryPolicy;
  readonly timeouts: Timeouts;
  /** What its first attempt asks for; null or left out: no limit. */
  readonly memoryBytes?: number | null;
};

export type ActionEvent =
  | { readonly type: "claimed"; readonly owner: string; readonly cacheStatus: CacheStatus }
  /** Identical work is in flight: wait for it. */
  | { readonly type: "waits" }
  | { readonly type: "woken" }
  | { readonly type: "reused"; readonly how: "cache" | "recovery"; readonly outputs: Payload; readonly from: string }
  | { readonly type: "succeeded"; readonly attempt: number; readonly outputs: Payload }
  | { readonly type: "failed"; readonly attempt: number; readonly error: ActionError }
  /** Its process is gone through nobody's fault that we know: not charged (retry.ts R1). */
  | { readonly type: "interrupted"; readonly attempt: number }
  | { readonly type: "timer" }
  | { readonly type: "signalled"; readonly outputs: Payload }
  | { readonly type: "aborted"; readonly reason: string };

export type NewAction = Pick<
  Action,
  | "run"
  | "name"
  | "parent"
  | "depth"
  | "type"
  | "label"
  | "group"
  | "identity"
  | "spec"
  | "inputs"
  | "inputsHash"
  | "cacheKey"
  | "priority"
  | "lane"
>;

/** A call, just made. */
export function queuedAction(call: NewAction, timeouts: Timeouts, nowMs: number): Action {
  const action: Action = {
    ...call,
    phase: call.type === "condition" ? "paused" : "queued",
    attempt: 0,
    userFailures: 0,
    systemFailures: 0,
    interruptions: 0,
    oomFailures: 0,
    owner: null,
    readyAtMs: nowMs,
    dueAtMs: null,
    createdAtMs: nowMs,
    startedAtMs: call.type === "condition" ? nowMs : null,
    attemptStartedAtMs: null,
    endedAtMs: null,
    outputs: null,
    error: null,
    cacheStatus: null,
    reusedFrom: null,
    revision: 0,
  };
  return { ...action, dueAtMs: dueAtMs(action, timeouts) };
}

/** A trace that has just ended inside its parent. */
export function recordedTrace(
  call: NewAction,
  result: {
    readonly outputs: Payload | null;
    readonly error: ActionError | null;
    readonly startedAtMs: number;
    readonly endedAtMs: number;
  },
): Action {
  const queued = queuedAction(call, noTimeouts, result.startedAtMs);
  return {
    ...queued,
    phase: result.error === null ? "succeeded" : "failed",
    attempt: 1,
    startedAtMs: result.startedAtMs,
    attemptStartedAtMs: result.startedAtMs,
    endedAtMs: result.endedAtMs,
    outputs: result.error === null ? (result.outputs ?? emptyPayload) : null,
    error: result.error,
  };
}

export const noTimeouts: Timeouts = { attemptMs: null, queuedMs: null, deadlineMs: null };

export function step(action: Action, policy: Policy, event: ActionEvent, nowMs: number): Action {
  if (isTerminal(action.phase)) return action;
  const next = transition(action, policy, event, nowMs);
  if (next === action) return action;
  return { ...next, dueAtMs: isTerminal(next.phase) ? null : dueAtMs(next, policy.timeouts) };
}

function transition(action: Action, policy: Policy, event: ActionEvent, nowMs: number): Action {
  switch (event.type) {
    case "claimed":
      if (action.phase !== "queued" || action.readyAtMs > nowMs) return action;
      return {
        ...action,
        phase: "running",
        attempt: action.attempt + 1,
        owner: event.owner,
        cacheStatus: event.cacheStatus,
        startedAtMs: action.startedAtMs ?? nowMs,
        attemptStartedAtMs: nowMs,
      };
    case "waits":
      return action.phase === "queued" ? { ...action, phase: "waiting_for_resources" } : action;
    case "woken":
      return action.phase === "waiting_for_resources" ? { ...action, phase: "queued", readyAtMs: nowMs } : action;
    case "reused":
      if (action.phase !== "queued" && action.phase !== "paused") return action;
      return {
        ...ended(action, event.how === "cache" ? "succeeded" : "recovered", nowMs),
        outputs: event.outputs,
        error: null,
        cacheStatus: event.how === "cache" ? "hit" : action.cacheStatus,
        reusedFrom: event.from,
      };
    case "succeeded":
      if (!isCurrent(action, event.attempt)) return action;
      return { ...ended(action, "succeeded", nowMs), outputs: event.outputs, error: null };
    case "failed":
      if (!isCurrent(action, event.attempt)) return action;
      return getsMoreMemory(action, policy, event.error)
        ? { ...requeued(action, nowMs), oomFailures: action.oomFailures + 1, lane: action.lane + 1, error: event.error }
        : afterFailure(action, policy.retries, event.error, nowMs);
    case "interrupted":
      if (!isCurrent(action, event.attempt)) return action;
      if (action.interruptions >= maxInterruptions) {
        return {
          ...ended(action, "failed", nowMs),
          error: systemError(
            errorCodes.crashLoop,
            `Interrupted ${maxInterruptions} times; something stops Godwit whenever this task runs.`,
          ),
        };
      }
      return { ...requeued(action, nowMs), interruptions: action.interruptions + 1 };
    case "timer":
      return afterTimer(action, policy, nowMs);
    case "signalled":
      return action.phase === "paused" ? { ...ended(action, "succeeded", nowMs), outputs: event.outputs } : action;
    case "aborted":
      return { ...ended(action, "aborted", nowMs), error: systemError(errorCodes.aborted, event.reason) };
  }
}

const isCurrent = (action: Action, attempt: number): boolean =>
  (action.phase === "running" || action.phase === "initializing") && action.attempt === attempt;

const ended = (action: Action, phase: Phase, nowMs: number): Action => ({
  ...action,
  phase,
  owner: null,
  dueAtMs: null,
  startedAtMs: action.startedAtMs ?? nowMs,
  endedAtMs: nowMs,
});

const requeued = (action: Action, readyAtMs: number): Action => ({
  ...action,
  phase: "queued",
  owner: null,
  readyAtMs,
});

/** retry.ts R3. */
function getsMoreMemory(action: Action, { retries, memoryBytes }: Policy, error: ActionError): boolean {
  const { onOom } = retries;
  if (error.code !== errorCodes.oomKilled || onOom === undefined || memoryBytes == null) return false;
  return action.oomFailures < maxOomFailures && memoryBytes * onOom.factor ** action.oomFailures < onOom.maxBytes;
}

/** `last`: the phase in which it ends if no retry is left. An error that came up from a callee which timed out is a failure here. */
function afterFailure(
  action: Action,
  retries: RetryPolicy,
  error: ActionError,
  nowMs: number,
  last: "failed" | "timed_out" = "failed",
): Action {
  const spent = error.kind === "user" ? action.userFailures : action.systemFailures;
  const counted =
    error.kind === "user"
      ? { ...action, userFailures: spent + 1, error }
      : { ...action, systemFailures: spent + 1, error };
  if (!error.recoverable || spent >= retries[error.kind]) {
    return ended(counted, last, nowMs);
  }
  return requeued(counted, nowMs + backoffMs(retries.backoff, spent + 1, `${action.name}:${error.kind}`));
}

function afterTimer(action: Action, policy: Policy, nowMs: number): Action {
  if (action.dueAtMs === null || nowMs < action.dueAtMs) return action;
  const { attemptMs, deadlineMs, queuedMs } = policy.timeouts;
  if (deadlineMs !== null && nowMs >= action.createdAtMs + deadlineMs) {
    const message =
      action.type === "condition"
        ? `No signal came within ${deadlineMs} ms.`
        : `Its deadline of ${deadlineMs} ms for all attempts together has passed.`;
    return { ...ended(action, "timed_out", nowMs), error: systemError(errorCodes.timedOut, message) };
  }
  if (action.phase === "running") {
    const error: ActionError = {
      ...systemError(errorCodes.timedOut, `Attempt ${action.attempt} ran longer than its timeout of ${attemptMs} ms.`),
      kind: "user",
      recoverable: true,
    };
    return afterFailure(action, policy.retries, error, nowMs, "timed_out");
  }
  return {
    ...ended(action, "timed_out", nowMs),
    error: systemError(errorCodes.timedOut, `It waited longer than its queue timeout of ${queuedMs} ms to start.`),
  };
}

/** R4. */
function dueAtMs(action: Action, timeouts: Timeouts): number | null {
  const moments: number[] = [];
  if (timeouts.deadlineMs !== null) moments.push(action.createdAtMs + timeouts.deadlineMs);
  if (timeouts.queuedMs !== null && action.attempt === 0 && action.phase !== "paused") {
    moments.push(action.createdAtMs + timeouts.queuedMs);
  }
  if (timeouts.attemptMs !== null && action.phase === "running" && action.attemptStartedAtMs !== null) {
    moments.push(action.attemptStartedAtMs + timeouts.attemptMs);
  }
  return moments.length === 0 ? null : Math.min(...moments);
}

export const systemError = (code: string, message: string): ActionError => ({
  code,
  message,
  kind: "system",
  recoverable: false,
  stack: null,
  location: null,
  origin: null,
});
