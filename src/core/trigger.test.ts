// What triggers promise, under any course of looks, clocks, restarts and other processes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type CatchUp, catchUps, type Overlap, overlaps } from "./automation.ts";
import { checkRunName } from "./names.ts";
import { type Ticks, ticksOf, ticksWithin } from "./schedule.ts";
import {
  decide,
  lateAfterMs,
  maxTicksPerLook,
  maxWaitingTicks,
  nextLookMs,
  type Trigger,
  tickRunName,
} from "./trigger.ts";
import { deployed, switched, timeLiteral } from "./trigger-changes.ts";
import { emptyPayload } from "./value.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 1);
const key = { project: "p", domain: "d", task: "env.main", name: "nightly" };
const launch = {
  bundle: "b",
  source: { file: "f", projectDir: "d" },
  overwriteCache: false,
  maxConcurrency: null,
  labels: {},
  origin: { taskVersion: "1", env: {}, message: null },
  spec: "s",
  priority: null,
};

const content = (catchUp: CatchUp, overlap: Overlap, everyMinutes = 1): Trigger["content"] => ({
  description: "",
  automation: {
    type: "schedule",
    schedule: { type: "rate", everyMinutes, startAtMs: startMs },
    timeInput: null,
    catchUp,
    overlap,
  },
  inputs: emptyPayload,
  launch,
});

const made = (catchUp: CatchUp, overlap: Overlap, everyMinutes = 1): Trigger => {
  const deployment = { key, content: content(catchUp, overlap, everyMinutes), isActive: true, expectedRevision: null };
  const changed = deployed(null, deployment, 0, { nowMs: startMs, by: "me" });
  assert.ok(changed !== null);
  return changed.trigger;
};

const ticksFor = (trigger: Trigger): Ticks => {
  const { automation } = trigger.content;
  assert.ok(automation.type === "schedule");
  return ticksOf(automation.schedule, trigger.anchorMs, () => () => null);
};

const look = (trigger: Trigger, nowMs: number, isBusy = false) =>
  decide(trigger, { ticks: ticksFor(trigger), nowMs, isBusy });

const minutes = (...numbers: readonly number[]): readonly number[] => numbers.map((n) => startMs + n * minuteMs);
const at = (minute: number): number => startMs + minute * minuteMs;

describe("trigger", () => {
  test("the first tick is the first one after it was activated", () => {
    const trigger = made("all", "allow");
    assert.deepEqual(look(trigger, startMs + 1).starts, []);
    assert.equal(nextLookMs(trigger, ticksFor(trigger), startMs), at(1));
    assert.deepEqual(look(trigger, at(1)).starts, minutes(1));
  });

  test("after downtime all missed ticks start, the newest, or none, as the policy says", () => {
    const nowMs = at(10.5);
    assert.deepEqual(look(made("all", "allow"), nowMs).starts, minutes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    // The tenth is on time: nobody is late within a minute.
    assert.deepEqual(look(made("latest", "allow"), nowMs).starts, minutes(10));
    assert.deepEqual(look(made("none", "allow"), nowMs).starts, minutes(10));
    const hourly = at(90 + 60);
    assert.deepEqual(look(made("latest", "allow", 60), hourly).starts, minutes(120));
    const none = look(made("none", "allow", 60), hourly);
    assert.deepEqual(none.starts, []);
    assert.deepEqual(none.trigger.passedOver, { fromMs: at(60), untilMs: at(120) });
  });

  test("what was missed and not caught up with is remembered", () => {
    const { trigger } = look(made("latest", "allow", 60), at(60 * 5 + 30));
    assert.deepEqual(trigger.passedOver, { fromMs: at(60), untilMs: at(240) });
    assert.equal(look(made("all", "allow", 60), at(60 * 5 + 30)).trigger.passedOver, null);
  });

  test("one look starts a bounded number of ticks, and the next one goes on where it ended", () => {
    let trigger = made("all", "allow");
    const nowMs = at(250);
    const starts: number[] = [];
    for (let looks = 0; looks < 3; looks++) {
      const decided = look(trigger, nowMs);
      assert.ok(decided.starts.length <= maxTicksPerLook);
      starts.push(...decided.starts);
      trigger = decided.trigger;
      const next = nextLookMs(trigger, ticksFor(trigger), nowMs) as number;
      assert.equal(next <= nowMs, looks < 2);
    }
    assert.deepEqual(starts, ticksWithin(ticksFor(trigger), startMs, nowMs, 1000));
  });

  test("a tick at which the last run goes on starts another, none, one after it, or one in its place", () => {
    const of = (overlap: Overlap) => look(made("all", overlap), at(1), true);
    assert.deepEqual(of("allow").starts, minutes(1));
    assert.deepEqual([of("skip").starts, of("skip").trigger.skipped], [[], 1]);
    assert.deepEqual([of("queue").starts, of("queue").trigger.waiting], [[], minutes(1)]);
    assert.deepEqual([of("replace").starts, of("replace").replaces], [minutes(1), true]);
    assert.equal(look(made("all", "replace"), at(1), false).replaces, false);
  });

  test("what is queued starts one at a time and in order, and what does not fit stays due", () => {
    let { trigger } = look(made("all", "queue"), at(maxWaitingTicks + 20), true);
    assert.equal(trigger.waiting.length, maxWaitingTicks);
    const starts: number[] = [];
    for (let n = 0; n < maxWaitingTicks + 20; n++) {
      const decided = look(trigger, at(maxWaitingTicks + 20), false);
      trigger = decided.trigger;
      starts.push(...decided.starts);
    }
    assert.deepEqual(starts, ticksWithin(ticksFor(trigger), startMs, at(maxWaitingTicks + 20), 1000));
  });

  test("a full queue is not looked at without end", () => {
    const { trigger } = look(made("all", "queue"), at(300), true);
    const next = nextLookMs(trigger, ticksFor(trigger), at(300));
    assert.ok(next !== null && next > at(300));
  });

  test("a clock that is put back repeats nothing", () => {
    const { trigger } = look(made("all", "allow"), at(10));
    assert.deepEqual(look(trigger, at(3)).starts, []);
    assert.deepEqual(look(trigger, at(11)).starts, minutes(11));
  });

  test("who is not active has no ticks and is not looked at", () => {
    const changed = switched(made("all", "allow"), false, { nowMs: at(1), by: "me" });
    assert.ok(changed !== null);
    assert.deepEqual(look(changed.trigger, at(10)).starts, []);
    assert.equal(nextLookMs(changed.trigger, ticksFor(changed.trigger), at(10)), null);
  });

  test("runs are named by trigger and tick, within what names allow, and two never meet", () => {
    const name = tickRunName(key, startMs);
    assert.equal(name, tickRunName({ ...key }, startMs));
    assert.match(name, /^nightly-202601010000-[0-9a-z]{10}$/);
    const others = [
      tickRunName({ ...key, task: "env.other" }, startMs),
      tickRunName({ ...key, project: "q" }, startMs),
      tickRunName(key, startMs + 1),
      tickRunName(key, startMs, "again"),
    ];
    assert.equal(new Set([name, ...others]).size, 5);
    for (const odd of ["Über/Nacht!", "---", "x".repeat(200), "_a_"])
      checkRunName(tickRunName({ ...key, name: odd }, 0));
    checkRunName(tickRunName(key, 8.64e15));
  });

  test("the scheduled time is given as a time, as text, or as the member of a union that can be one", () => {
    const simple = (name: "datetime" | "string" | "none" | "integer") => ({ type: "simple", simple: name }) as const;
    const value = "2026-01-01T00:00:00.000Z";
    assert.deepEqual(timeLiteral(simple("datetime"), startMs), { type: "datetime", value });
    assert.deepEqual(timeLiteral(simple("string"), startMs), { type: "string", value });
    const variants = [
      { tag: "none", type: simple("none") },
      { tag: "datetime", type: simple("datetime") },
    ];
    const literal = timeLiteral({ type: "union", variants }, startMs);
    assert.deepEqual(literal, { type: "union", tag: "datetime", value: { type: "datetime", value } });
    assert.equal(timeLiteral(simple("integer"), startMs), null);
  });
});

describe("changes of triggers", () => {
  const doing = { nowMs: at(30), by: "you" };
  const deploy = (before: Trigger | null, more: Partial<Parameters<typeof deployed>[1]> = {}) =>
    deployed(
      before,
      { key, content: content("all", "allow"), isActive: true, expectedRevision: null, ...more },
      4,
      doing,
    );

  test("the same content again is no revision, and other content is the next one", () => {
    const before = made("all", "allow");
    assert.equal(deploy(before), null);
    const changed = deploy(before, { content: { ...before.content, description: "new" } });
    assert.equal(changed?.trigger.revision, 2);
  });

  test("a trigger of a name that was removed goes on counting its revisions", () => {
    assert.equal(deploy(null)?.trigger.revision, 5);
  });

  test("a change that was made of an older revision is refused", () => {
    const before = made("all", "allow");
    const change = { content: { ...before.content, description: "new" }, expectedRevision: 7 };
    assert.throws(() => deploy(before, change), { code: "failed_precondition" });
  });

  test("a deployment that leaves the schedule as it is loses no tick, and one that changes it begins anew", () => {
    const before = made("all", "allow");
    const other = deploy(before, { content: { ...before.content, description: "new" } });
    assert.equal(other?.trigger.cursorMs, before.cursorMs);
    const faster = deploy(before, { content: content("all", "allow", 2) });
    assert.equal(faster?.trigger.cursorMs, at(30));
  });

  test("deactivated and activated again, it starts nothing of what came in between", () => {
    const off = switched(look(made("all", "queue"), at(2), true).trigger, false, { nowMs: at(3), by: "me" });
    assert.ok(off !== null && off.trigger.waiting.length === 0 && off.trigger.skipped === 2);
    const on = switched(off.trigger, true, doing);
    assert.ok(on !== null && on.action === "activate");
    assert.equal(switched(on.trigger, true, doing), null);
    assert.deepEqual(look(on.trigger, at(31)).starts, minutes(31));
  });
});

/** What a process does: looks after a time, with the last run going on or not, and may die before it commits. */
type Step = { readonly forwardMs: number; readonly isBusy: boolean; readonly dies: boolean; readonly isStale: boolean };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    forwardMs: fc.oneof(fc.integer({ min: -600_000, max: 600_000 }), fc.integer({ min: 0, max: 7_200_000 })),
    isBusy: fc.boolean(),
    dies: fc.boolean(),
    isStale: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

/** Several processes over one row: whoever decided on an older one is refused, as a store refuses it. */
function course(first: Trigger, all: readonly Step[]) {
  let row = { trigger: first, revision: 1 };
  let old = row;
  let nowMs = startMs;
  let latestMs = nowMs;
  const starts: number[] = [];
  const skips: number[] = [];
  for (const { forwardMs, isBusy, dies, isStale } of all) {
    nowMs += forwardMs;
    latestMs = Math.max(latestMs, nowMs);
    const read = isStale ? old : row;
    const decided = look(read.trigger, nowMs, isBusy);
    old = row;
    if (dies || read.revision !== row.revision) continue;
    assert.ok(decided.trigger.cursorMs >= row.trigger.cursorMs, "the cursor never goes back");
    for (const start of decided.starts) assert.ok(start <= latestMs, "nothing starts before its time");
    starts.push(...decided.starts);
    skips.push(decided.trigger.skipped - row.trigger.skipped);
    row = { trigger: decided.trigger, revision: row.revision + 1 };
  }
  return { trigger: row.trigger, starts, nowMs, skipped: skips.reduce((sum, each) => sum + each, 0) };
}

for (const catchUp of catchUps) {
  for (const overlap of overlaps) {
    test(`catching up with ${catchUp} and overlap ${overlap}: ticks rise, none comes twice, and none is lost but as the policy says`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 90 }), steps, (everyMinutes, all) => {
          const { trigger, starts, skipped } = course(made(catchUp, overlap, everyMinutes), all);
          assert.deepEqual(
            starts,
            [...new Set(starts)].sort((a, b) => a - b),
          );
          const decided = ticksWithin(ticksFor(trigger), startMs, trigger.cursorMs, 1e6);
          for (const start of starts) assert.ok(decided.includes(start));
          if (catchUp !== "all") return;
          const outcome = starts.length + trigger.waiting.length + skipped;
          assert.equal(outcome, decided.length, "each tick started, waits, or was counted as skipped");
          if (overlap === "allow") assert.deepEqual(starts, decided);
          if (overlap === "queue") assert.deepEqual([...starts, ...trigger.waiting], decided);
        }),
        { numRuns: 150 },
      );
    });
  }
}

test("whoever looks often enough misses nothing under any policy", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...catchUps),
      fc.array(fc.integer({ min: 1, max: lateAfterMs - 1 }), { minLength: 1, maxLength: 200 }),
      (catchUp, gaps) => {
        const all = gaps.map((forwardMs) => ({ forwardMs, isBusy: false, dies: false, isStale: false }));
        const { trigger, starts, nowMs } = course(made(catchUp, "allow"), all);
        assert.deepEqual(starts, ticksWithin(ticksFor(trigger), startMs, nowMs, 1e6));
        assert.equal(trigger.passedOver, null);
      },
    ),
    { numRuns: 100 },
  );
});
