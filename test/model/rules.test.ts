// The state machine alone, under random events: every step has a reason in the rules of the model, and
// whatever has a reason of its own, such as a report about the attempt that runs, is taken.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Action,
  type ActionEvent,
  type NewAction,
  queuedAction,
  step,
  systemError,
} from "../../src/core/action.ts";
import { specDigest } from "../../src/core/task.ts";
import { emptyPayload } from "../../src/core/value.ts";
import { contradictions, type Facts, fatesOf } from "./rules.ts";
import { policyOf, taskSpecs } from "./tasks.ts";

const outputs = { type: "inline", text: '{"o0":{"type":"none"}}' } as const;

/** What happens, about an attempt `lag` before or after that which runs, `afterMs` after what was before it. */
type Happening = {
  readonly what: ActionEvent["type"];
  readonly lag: number;
  readonly kind: "user" | "system";
  readonly recoverable: boolean;
  readonly code: string;
  readonly afterMs: number;
};

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.constantFrom(
    ...(["claimed", "claimed", "claimed", "failed", "failed", "failed", "interrupted", "timer"] as const),
    ...(["waits", "woken", "succeeded", "reused", "signalled", "aborted"] as const),
  ),
  lag: fc.constantFrom(0, 0, 0, 0, -1, 1),
  kind: fc.constantFrom("user", "system"),
  recoverable: fc.constantFrom(true, true, true, false),
  code: fc.constantFrom("Broken", "Broken", "OOMKilled"),
  afterMs: fc.constantFrom(0, 0, 1_000, 4_000, 15_000, 70_000, -500, -60_000),
});

function eventOf({ what, lag, kind, recoverable, code }: Happening, action: Action): ActionEvent {
  const attempt = action.attempt + lag;
  switch (what) {
    case "claimed":
      return { type: what, owner: "e", cacheStatus: "off" };
    case "reused":
      // Conditions are recovered, when they are made, and never found in the cache.
      if (action.type === "condition") return { type: "woken" };
      return { type: what, how: "cache", outputs, from: "r/a0" };
    case "succeeded":
      return { type: what, attempt, outputs };
    case "failed":
      return { type: what, attempt, error: { ...systemError(code, "it broke"), kind, recoverable } };
    case "interrupted":
      return { type: what, attempt };
    case "signalled":
      return { type: what, outputs };
    case "aborted":
      return { type: what, reason: "enough" };
    default:
      return { type: what };
  }
}

/** All that people and executors have said: this very event, and nothing else. */
function factsOf(action: Action, event: ActionEvent, nowMs: number): Facts {
  const outcomes =
    event.type === "succeeded" || event.type === "failed" || event.type === "interrupted"
      ? [{ attempt: event.attempt, result: event }]
      : [];
  return {
    policy: policyOf(action),
    outcomes,
    signals: event.type === "signalled" ? [event.outputs] : [],
    isUnwanted: event.type === "aborted",
    isOrphaned: false,
    start: event.type === "claimed" ? event.cacheStatus : null,
    keyIsHeld: event.type === "waits",
    hit: event.type === "reused" ? { outputs: event.outputs, from: event.from } : null,
    clock: { fromMs: nowMs, toMs: nowMs },
  };
}

const calls: readonly NewAction[] = [
  ...taskSpecs.map((spec) => ({ type: "task", identity: spec.name, spec: specDigest(spec) }) as const),
  { type: "condition", identity: "approve 50000", spec: "c" } as const,
].map((part) => ({
  ...part,
  run: 1,
  name: "b",
  parent: "a0",
  depth: 1,
  label: "b",
  group: null,
  inputs: emptyPayload,
  inputsHash: "h",
  cacheKey: null,
  priority: 0,
  lane: 0,
}));

test("every step of an action has its reason, and every reason has its step", () => {
  const histories = fc.array(happening, { maxLength: 40, size: "max" });
  fc.assert(
    fc.property(fc.constantFrom(...calls), histories, (call, history) => {
      let nowMs = 1_000_000;
      let action = queuedAction(call, policyOf(call).timeouts, nowMs);
      const story: string[] = [];
      for (const each of history) {
        nowMs += each.afterMs;
        const event = eventOf(each, action);
        const facts = factsOf(action, event, nowMs);
        const after = step(action, facts.policy, event, nowMs);
        story.push(`${JSON.stringify(event)} at ${nowMs}: ${action.phase}#${action.attempt} → ${after.phase}`);
        assert.deepEqual(wrong(action, after, event, facts), [], story.join("\n"));
        action = after;
      }
    }),
    { numRuns: 2_000 },
  );
});

/** Time and waking happen by themselves: with other events they are no reason, but neither is it their time. */
function wrong(before: Action, after: Action, event: ActionEvent, facts: Facts): readonly string[] {
  const ownReasons = (why: string): boolean =>
    (why === "woken") === (event.type === "woken") && isOfTime(why, before, event);
  const fates = fatesOf(before, facts).filter(({ why }) => ownReasons(why));
  if (after === before) return fates.map(({ why, phase }) => `${why}, and is not ${phase}`);
  const found = fates.map((fate) => contradictions(before, after, fate, facts));
  return fates.length === 0 ? ["for no reason"] : found.some((each) => each.length === 0) ? [] : found.flat();
}

function isOfTime(why: string, before: Action, event: ActionEvent): boolean {
  if (event.type === "timer") return true;
  if (why === "its time is over") return false;
  // The fate of an attempt that took too long looks like that of one that failed, which is another event.
  const isReported = event.type === "failed" && event.attempt === before.attempt;
  return !/failure/.test(why) || isReported;
}
