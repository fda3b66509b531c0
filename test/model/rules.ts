// What may become of one action next, in words of users: from where it stands, and from what was asked
// or reported about it. The state machine of core is held against this, so nothing of it is used here
// but its types.
import type { Action, ActionError, CacheStatus, Policy } from "../../src/core/action.ts";
import type { Outcome } from "../../src/core/messages.ts";
import type { Payload } from "../../src/core/value.ts";

/** What is known of an action from outside it. */
export type Facts = {
  readonly policy: Policy;
  /** Everything that was ever reported, late, double or made up. */
  readonly outcomes: readonly { readonly attempt: number; readonly result: Outcome["result"] }[];
  readonly signals: readonly Payload[];
  /** Somebody wants it ended, or its parent has. */
  readonly isUnwanted: boolean;
  /** The engine that has the lease is gone. */
  readonly isOrphaned: boolean;
  /** How it may start; null: it may not. */
  readonly start: CacheStatus | null;
  /** Identical work is, or was a moment ago, in flight. */
  readonly keyIsHeld: boolean;
  readonly hit: { readonly outputs: Payload; readonly from: string } | null;
  /** What the clock said since everything was last at rest. */
  readonly clock: Window;
};

export type Window = { readonly fromMs: number; readonly toMs: number };

/** Where an action stands, as far as people can tell. */
export type Standing = Pick<
  Action,
  | "phase"
  | "attempt"
  | "userFailures"
  | "systemFailures"
  | "interruptions"
  | "oomFailures"
  | "outputs"
  | "cacheStatus"
  | "reusedFrom"
> & { readonly code: string | null; readonly ready: Window };

export type Fate = Standing & { readonly why: string };

export const ends: readonly Action["phase"][] = ["succeeded", "recovered", "failed", "aborted", "timed_out"];

/** All that may become of it by one step. None: it stays as it is, whatever was reported. */
export function fatesOf(action: Action, facts: Facts): readonly Fate[] {
  if (ends.includes(action.phase)) return [];
  const { attempt } = action;
  const now = standingOf(action);
  const { deadlineMs, queuedMs } = facts.policy.timeouts;
  const fates: Fate[] = [];
  const timedOut: Fate = { ...now, why: "its time is over", phase: "timed_out", code: "TimedOut" };
  if (facts.isUnwanted) fates.push({ ...now, why: "aborted", phase: "aborted", code: "Aborted" });
  if (hasCome(action.createdAtMs, deadlineMs, facts)) fates.push(timedOut);
  if (action.type === "task" && attempt === 0 && hasCome(action.createdAtMs, queuedMs, facts)) fates.push(timedOut);
  switch (action.phase) {
    case "queued":
      return [...fates, ...fromQueue(action, now, facts)];
    case "waiting_for_resources":
      return [...fates, { ...now, why: "woken", phase: "queued", ready: facts.clock }];
    case "paused":
      return [
        ...fates,
        ...facts.signals.map((outputs): Fate => ({ ...now, why: "signalled", phase: "succeeded", outputs })),
      ];
    default:
      return [...fates, ...fromRunning(action, now, facts)];
  }
}

export const standingOf = (action: Action): Standing => ({
  phase: action.phase,
  attempt: action.attempt,
  userFailures: action.userFailures,
  systemFailures: action.systemFailures,
  interruptions: action.interruptions,
  oomFailures: action.oomFailures,
  outputs: action.outputs,
  cacheStatus: action.cacheStatus,
  reusedFrom: action.reusedFrom,
  code: action.error?.code ?? null,
  ready: { fromMs: action.readyAtMs, toMs: action.readyAtMs },
});

const hasCome = (sinceMs: number | null, afterMs: number | null, { clock }: Facts): boolean =>
  sinceMs !== null && afterMs !== null && clock.toMs >= sinceMs + afterMs;

function fromQueue(action: Action, now: Standing, facts: Facts): readonly Fate[] {
  const fates: Fate[] = [];
  const { start, hit, clock } = facts;
  if (start !== null && action.readyAtMs <= clock.toMs)
    fates.push({ ...now, why: "started", phase: "running", attempt: action.attempt + 1, cacheStatus: start });
  if (facts.keyIsHeld) fates.push({ ...now, why: "waits for identical work", phase: "waiting_for_resources" });
  if (hit !== null)
    fates.push({
      ...now,
      why: "found in the cache",
      phase: "succeeded",
      outputs: hit.outputs,
      cacheStatus: "hit",
      reusedFrom: hit.from,
      code: null,
    });
  return fates;
}

function fromRunning(action: Action, now: Standing, facts: Facts): readonly Fate[] {
  const fates = facts.outcomes
    .filter(({ attempt }) => attempt === action.attempt)
    .map(({ result }) => afterReport(now, facts, result));
  if (facts.isOrphaned) fates.push(interrupted(now, facts));
  if (hasCome(action.attemptStartedAtMs, facts.policy.timeouts.attemptMs, facts)) {
    fates.push(afterFailure(now, facts, { kind: "user", recoverable: true, code: "TimedOut" }, "timed_out"));
  }
  return fates;
}

function afterReport(now: Standing, facts: Facts, result: Outcome["result"]): Fate {
  switch (result.type) {
    case "succeeded":
      return { ...now, why: "succeeded", phase: "succeeded", outputs: result.outputs, code: null };
    case "failed":
      return afterFailure(now, facts, result.error, "failed");
    case "interrupted":
      return interrupted(now, facts);
  }
}

const interrupted = (now: Standing, { clock }: Facts): Fate => ({
  ...now,
  why: "interrupted",
  phase: "queued",
  interruptions: now.interruptions + 1,
  ready: clock,
});

function afterFailure(
  now: Standing,
  { policy, clock }: Facts,
  { kind, recoverable, code }: Pick<ActionError, "kind" | "recoverable" | "code">,
  last: "failed" | "timed_out",
): Fate {
  const { retries, memoryBytes } = policy;
  const had = (memoryBytes ?? 0) * (retries.onOom?.factor ?? 1) ** now.oomFailures;
  if (code === "OOMKilled" && retries.onOom !== undefined && memoryBytes != null && had < retries.onOom.maxBytes)
    return {
      ...now,
      why: "gets more memory",
      phase: "queued",
      code,
      oomFailures: now.oomFailures + 1,
      ready: clock,
    };
  const budget = kind === "user" ? "userFailures" : "systemFailures";
  const failures = now[budget] + 1;
  const counted = { ...now, code, [budget]: failures };
  if (!recoverable || failures > retries[kind]) return { ...counted, why: `${kind} failure, the last`, phase: last };
  const { baseMs, factor, capMs } = retries.backoff;
  const fullMs = Math.min(capMs, baseMs * factor ** (failures - 1));
  const ready = { fromMs: clock.fromMs + Math.floor(fullMs / 2), toMs: clock.toMs + fullMs };
  return { ...counted, why: `${kind} failure, tried again`, phase: "queued", ready };
}

/** What of the new row contradicts this fate; empty if it fits. */
export function contradictions(before: Action, after: Action, fate: Fate, facts: Facts): readonly string[] {
  const found = standingOf(after);
  const wrong: string[] = [];
  const expect = (what: string, is: unknown, wanted: unknown): void => {
    if (JSON.stringify(is) !== JSON.stringify(wanted))
      wrong.push(`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);
  };
  const within = (what: string, ms: number | null, { fromMs, toMs }: Window): void => {
    if (ms === null || ms < fromMs || ms > toMs) wrong.push(`${what} is ${ms}, not from ${fromMs} to ${toMs}`);
  };
  for (const part of Object.keys(found) as (keyof Standing)[]) {
    if (part !== "ready") expect(part, found[part], fate[part]);
  }
  within("readyAtMs", after.readyAtMs, fate.ready);
  const hasEnded = ends.includes(after.phase);
  if (hasEnded) within("endedAtMs", after.endedAtMs, facts.clock);
  else expect("endedAtMs", after.endedAtMs, null);
  if (before.startedAtMs !== null) expect("startedAtMs", after.startedAtMs, before.startedAtMs);
  else if (fate.why === "started" || hasEnded) within("startedAtMs", after.startedAtMs, facts.clock);
  else expect("startedAtMs", after.startedAtMs, null);
  if (fate.why === "started") within("attemptStartedAtMs", after.attemptStartedAtMs, facts.clock);
  else expect("attemptStartedAtMs", after.attemptStartedAtMs, before.attemptStartedAtMs);
  expect("has an owner", after.owner !== null, after.phase === "running");
  expect("dueAtMs", after.dueAtMs, dueMs(after, facts.policy));
  for (const part of fixed) expect(part, after[part], before[part]);
  return wrong;
}

const fixed = [
  "run",
  "name",
  "parent",
  "depth",
  "type",
  "label",
  "group",
  "identity",
  "spec",
  "inputs",
  "inputsHash",
  "priority",
  "cacheKey",
  "createdAtMs",
] as const satisfies readonly (keyof Action)[];

/** The next moment at which time alone ends it or its attempt. */
export function dueMs(action: Action, { timeouts: { attemptMs, queuedMs, deadlineMs } }: Policy): number | null {
  if (ends.includes(action.phase)) return null;
  const { createdAtMs, attemptStartedAtMs } = action;
  const waits = action.type === "task" && action.attempt === 0;
  const moments = [
    deadlineMs === null ? null : createdAtMs + deadlineMs,
    queuedMs === null || !waits ? null : createdAtMs + queuedMs,
    attemptMs === null || action.phase !== "running" ? null : (attemptStartedAtMs ?? 0) + attemptMs,
  ].filter((moment) => moment !== null);
  return moments.length === 0 ? null : Math.min(...moments);
}
