// The state machine under random events: its rules R1 to R4 and the budgets of retry.ts, whatever happens.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Action,
  type ActionError,
  type ActionEvent,
  errorCodes,
  isSuccess,
  isTerminal,
  type NewAction,
  noTimeouts,
  type Policy,
  phases,
  queuedAction,
  recordedTrace,
  step,
  systemError,
  terminalPhases,
} from "./action.ts";
import { attemptRecord } from "./attempt-record.ts";
import { backoffMs, defaultBackoff, defaultRetries, maxInterruptions } from "./retry.ts";
import { emptyPayload, type Payload } from "./value.ts";

const call = (type: Action["type"] = "task"): NewAction => ({
  run: 1,
  name: "n",
  parent: "a0",
  depth: 1,
  type,
  label: "train",
  group: null,
  identity: "i",
  spec: "s",
  inputs: emptyPayload,
  inputsHash: "h",
  cacheKey: null,
  priority: 0,
  lane: 0,
});

const policyOf = (part: Partial<Policy["retries"]> & Partial<Policy["timeouts"]> = {}): Policy => ({
  retries: { ...defaultRetries, ...pick(part, ["user", "system", "backoff"]) },
  timeouts: { ...noTimeouts, ...pick(part, ["attemptMs", "queuedMs", "deadlineMs"]) },
});

const pick = (from: object, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));

const errorOf = (kind: ActionError["kind"], recoverable = true): ActionError => ({
  ...systemError("Broken", "it broke"),
  kind,
  recoverable,
});

const outputs: Payload = { type: "inline", text: '{"o0":{"type":"none"}}' };
const claimed: ActionEvent = { type: "claimed", owner: "e", cacheStatus: "off" };

/** Events relative to what is going on: most of them fit, some do not. */
type Move = {
  readonly event: ActionEvent["type"];
  readonly lag: number;
  readonly kind: ActionError["kind"];
  readonly recoverable: boolean;
  readonly afterMs: number;
};

const moves: fc.Arbitrary<Move> = fc.record({
  event: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("claimed", "failed", "interrupted", "timer") },
    { weight: 2, arbitrary: fc.constantFrom("waits", "woken") },
    { weight: 1, arbitrary: fc.constantFrom("succeeded", "reused", "signalled", "aborted") },
  ) as fc.Arbitrary<ActionEvent["type"]>,
  /** 0: about the attempt that runs; else about one before or after it. */
  lag: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-2, -1, 1) }),
  kind: fc.constantFrom("user", "system"),
  recoverable: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })),
});

const maybeMs = fc.option(fc.integer({ min: 1, max: 20_000 }));
const policies: fc.Arbitrary<Policy> = fc.record({
  retries: fc.record({
    user: fc.nat(3),
    system: fc.nat(3),
    backoff: fc.record({ baseMs: fc.nat(500), factor: fc.constantFrom(1, 2, 3), capMs: fc.nat(2_000) }),
  }),
  timeouts: fc.record({ attemptMs: maybeMs, queuedMs: maybeMs, deadlineMs: maybeMs }),
});

function eventOf({ event, lag, kind, recoverable }: Move, action: Action): ActionEvent {
  const attempt = action.attempt + lag;
  switch (event) {
    case "claimed":
      return claimed;
    case "reused":
      return { type: event, how: kind === "user" ? "cache" : "recovery", outputs, from: "r/a0" };
    case "succeeded":
      return { type: event, attempt, outputs };
    case "failed":
      return { type: event, attempt, error: errorOf(kind, recoverable) };
    case "interrupted":
      return { type: event, attempt };
    case "signalled":
      return { type: event, outputs };
    case "aborted":
      return { type: event, reason: "enough" };
    default:
      return { type: event };
  }
}

type Step = {
  readonly before: Action;
  readonly after: Action;
  readonly event: ActionEvent;
  readonly policy: Policy;
  readonly nowMs: number;
};

/** Checks a rule at each step of random histories of tasks and conditions. */
function always(check: (step: Step) => void): void {
  const types = fc.constantFrom<Action["type"]>("task", "condition");
  fc.assert(
    fc.property(types, policies, fc.array(moves, { maxLength: 30 }), (type, policy, history) => {
      let nowMs = 1_000;
      let action = queuedAction(call(type), policy.timeouts, nowMs);
      for (const move of history) {
        nowMs += move.afterMs;
        const event = eventOf(move, action);
        const after = step(action, policy, event, nowMs);
        check({ before: action, after, event, policy, nowMs });
        action = after;
      }
    }),
    { numRuns: 500 },
  );
}

test("a last phase is never left (R1)", () => {
  always(({ before, after }) => {
    if (isTerminal(before.phase)) assert.equal(after, before);
  });
});

test("an outcome under another attempt, or when none runs, changes nothing (R2)", () => {
  always(({ before, after, event }) => {
    if (!("attempt" in event)) return;
    if (before.phase !== "running" || event.attempt !== before.attempt) assert.equal(after, before);
  });
});

test("attempts are counted one by one, by claims only", () => {
  always(({ before, after, event }) => {
    const isStart = event.type === "claimed" && after !== before;
    assert.equal(after.attempt, before.attempt + (isStart ? 1 : 0));
    assert.equal(after.phase === "running" && after !== before, isStart);
  });
});

test("an action is leased exactly while it runs, and is not claimed before it is ready", () => {
  always(({ before, after, event, nowMs }) => {
    assert.equal(after.owner !== null, after.phase === "running");
    if (event.type === "claimed" && before.phase === "queued")
      assert.equal(after !== before, before.readyAtMs <= nowMs);
  });
});

test("no budget is overdrawn, and each failure costs the one that it names", () => {
  always(({ before, after, event, policy }) => {
    const { user, system } = policy.retries;
    if (!isTerminal(after.phase)) assert.ok(after.userFailures <= user && after.systemFailures <= system);
    if (after === before || event.type !== "failed") return;
    assert.equal(after.userFailures - before.userFailures, event.error.kind === "user" ? 1 : 0);
    assert.equal(after.systemFailures - before.systemFailures, event.error.kind === "system" ? 1 : 0);
    assert.equal(after.interruptions, before.interruptions);
    const spent = event.error.kind === "user" ? before.userFailures : before.systemFailures;
    assert.equal(
      after.phase,
      event.error.recoverable && spent < policy.retries[event.error.kind] ? "queued" : "failed",
    );
  });
});

test("an interruption costs no budget and no delay", () => {
  always(({ before, after, event, nowMs }) => {
    if (event.type !== "interrupted" || after === before) return;
    const expected = {
      ...before,
      phase: "queued",
      owner: null,
      readyAtMs: nowMs,
      interruptions: before.interruptions + 1,
    };
    assert.deepEqual({ ...after, dueAtMs: null }, { ...expected, dueAtMs: null });
  });
});

test("a retry waits as the policy says", () => {
  always(({ before, after, event, policy, nowMs }) => {
    if (event.type !== "failed" || after.phase !== "queued" || after === before) return;
    const { kind } = event.error;
    const retry = kind === "user" ? after.userFailures : after.systemFailures;
    assert.equal(after.readyAtMs - nowMs, backoffMs(policy.retries.backoff, retry, `n:${kind}`));
  });
});

test("dueAtMs is the next moment at which time alone changes the action (R4)", () => {
  always(({ after, policy }) => {
    const timer: ActionEvent = { type: "timer" };
    if (after.dueAtMs === null) {
      assert.equal(step(after, policy, timer, Number.MAX_SAFE_INTEGER), after);
      return;
    }
    assert.equal(step(after, policy, timer, after.dueAtMs - 1), after);
    assert.notEqual(step(after, policy, timer, after.dueAtMs), after);
  });
});

test("an action has an end exactly when it has ended, and outputs exactly when it succeeded", () => {
  always(({ after, nowMs }) => {
    assert.equal(after.endedAtMs !== null, isTerminal(after.phase));
    assert.equal(after.outputs !== null, isSuccess(after.phase));
    if (isSuccess(after.phase)) assert.equal(after.error, null);
    else if (isTerminal(after.phase)) assert.notEqual(after.error, null);
    if (isTerminal(after.phase)) assert.equal(after.dueAtMs, null);
    assert.ok((after.startedAtMs ?? 0) <= nowMs && (after.endedAtMs ?? 0) <= nowMs);
  });
});

test("an attempt that is followed by another leaves a record, and no other step does", () => {
  always(({ before, after, event, nowMs }) => {
    const record = attemptRecord(before, after, nowMs);
    assert.equal(record !== null, before.phase === "running" && after.phase === "queued");
    if (record === null) return;
    assert.equal(record.attempt, before.attempt);
    assert.equal(
      record.phase,
      event.type === "interrupted" ? "interrupted" : event.type === "timer" ? "timed_out" : "failed",
    );
    assert.equal(record.error === null, event.type === "interrupted");
  });
});

test("a condition is signalled once, and never claimed", () => {
  const paused = queuedAction(call("condition"), noTimeouts, 5);
  assert.equal(step(paused, policyOf(), claimed, 6), paused);
  const signalled = step(paused, policyOf(), { type: "signalled", outputs }, 7);
  assert.deepEqual([signalled.phase, signalled.outputs, signalled.endedAtMs], ["succeeded", outputs, 7]);
});

test("the timeout of an attempt costs a retry; the deadline ends all", () => {
  const policy = policyOf({ user: 1, attemptMs: 10, deadlineMs: 5_000, backoff: { ...defaultBackoff, baseMs: 4 } });
  const first = step(queuedAction(call(), policy.timeouts, 0), policy, claimed, 0);
  const retried = step(first, policy, { type: "timer" }, 10);
  assert.deepEqual([retried.phase, retried.userFailures, retried.error?.code], ["queued", 1, errorCodes.timedOut]);
  const second = step(retried, policy, claimed, 20);
  assert.equal(step(second, policy, { type: "timer" }, 30).phase, "timed_out");
  assert.match(step(second, policy, { type: "timer" }, 5_000).error?.message ?? "", /deadline of 5000 ms/);
});

test("the queue timeout counts to the first attempt only", () => {
  const policy = policyOf({ queuedMs: 10 });
  const queued = queuedAction(call(), policy.timeouts, 0);
  assert.equal(step(queued, policy, { type: "timer" }, 10).phase, "timed_out");
  const again = step(step(queued, policy, claimed, 5), policy, { type: "interrupted", attempt: 1 }, 6);
  assert.equal(again.dueAtMs, null);
});

test("an action that is interrupted for ever fails at last", () => {
  let action = queuedAction(call(), noTimeouts, 0);
  for (let round = 0; round <= maxInterruptions; round++) {
    assert.equal(action.phase, "queued");
    action = step(action, policyOf(), claimed, 0);
    action = step(action, policyOf(), { type: "interrupted", attempt: action.attempt }, 0);
  }
  assert.deepEqual([action.phase, action.error?.code], ["failed", errorCodes.crashLoop]);
});

test("a trace is recorded as it ended", () => {
  const times = { startedAtMs: 3, endedAtMs: 9 };
  const good = recordedTrace(call("trace"), { ...times, outputs, error: null });
  assert.deepEqual([good.phase, good.outputs, good.startedAtMs, good.endedAtMs], ["succeeded", outputs, 3, 9]);
  const bad = recordedTrace(call("trace"), { ...times, outputs: null, error: errorOf("user") });
  assert.deepEqual([bad.phase, bad.outputs, bad.error?.code, bad.dueAtMs], ["failed", null, "Broken", null]);
});

test("the last phases are phases, and successes are last", () => {
  for (const phase of terminalPhases) assert.ok(phases.includes(phase));
  for (const phase of phases) if (isSuccess(phase)) assert.ok(isTerminal(phase));
});
