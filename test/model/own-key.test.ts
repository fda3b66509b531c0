// A task that calls itself with the inputs it has: who is called works on the caller's key beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { aborted, called, report, resultOf } from "./asking.ts";
import { checked } from "./comparison.ts";
import { drain } from "./ending.ts";
import { keyOf } from "./ledger.ts";
import { begun } from "./plans.ts";
import { callOf, kindOf } from "./tasks.ts";
import { scope, World } from "./world.ts";

const failure = resultOf(2).result;

test("when both are tried again the caller does not wait for its own key, whatever becomes of the called", async () => {
  const world = new World("memory");
  await world.open();
  try {
    const caller = await begun(world, "cached");
    world.start(called(world, caller, [callOf("b", kindOf("cached"), 0)]));
    await checked(world);
    report(world, { run: caller.run, name: "a0" }, 1, failure);
    report(world, { run: caller.run, name: "b" }, 1, failure);
    await checked(world);
    // Both are due again in the same moment, and the called one goes first.
    world.pass(1_000);
    await checked(world);
    const row = world.ledger.rows.get(keyOf(caller.run, "b"));
    assert.equal(row?.attempt, 2);
    world.start(aborted(world, row, () => world.control.abortAction(scope, "r0", "b", "enough")));
    await checked(world);
    await drain(world);
    assert.equal(world.ledger.rows.get(keyOf(caller.run, "a0"))?.phase, "succeeded");
  } finally {
    await world.close();
  }
});
