// What is known of how long tasks take, from what was measured.
import assert from "node:assert/strict";
import { test } from "node:test";
import { maxAhead, Pace } from "./pace.ts";

test("a task is quick only after it has proved so, by its name", () => {
  const pace = new Pace();
  assert.equal(pace.isQuick("a"), false);
  pace.note("a", 1);
  assert.equal(pace.isQuick("a"), true);
  assert.equal(pace.isQuick("b"), false);
});

test("a slow attempt is noticed at once, and a slow first one soon forgotten", () => {
  const pace = new Pace();
  pace.note("a", 60);
  for (const isQuick of [false, false, false, true]) {
    pace.note("a", 0.1);
    assert.equal(pace.isQuick("a"), isQuick);
  }
  pace.note("a", 20);
  assert.equal(pace.isQuick("a"), false);
  assert.equal(pace.isRecentlyQuick, false);
});

test("the shorter attempts are, the more go ahead: what lasts some 50 ms, within bounds", () => {
  const aheadAfter = (stretchMs: number): number => {
    const pace = new Pace();
    pace.note("a", stretchMs);
    return pace.ahead;
  };
  assert.deepEqual([1_000, 5, 1, 0.5, 0.01, 0].map(aheadAfter), [10, 10, 50, 100, maxAhead, maxAhead]);
});

test("a task that took a process down has to prove itself again", () => {
  const pace = new Pace();
  pace.note("a", 1);
  pace.distrust("a");
  assert.equal(pace.isQuick("a"), false);
});

test("10,000 tasks are remembered, and the one not seen for longest is forgotten", () => {
  const pace = new Pace();
  pace.note("first", 1);
  pace.note("second", 1);
  pace.note("first", 1);
  for (let index = 0; index < 9_999; index++) pace.note(`t${index}`, 1);
  assert.equal(pace.isQuick("first"), true);
  assert.equal(pace.isQuick("second"), false);
});
