// A task that calls itself with the inputs it has: who is called works on the caller's key beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { aborted, called, created, report } from "./asking.ts";
import { checked } from "./comparison.ts";
import { drain } from "./ending.ts";
import { keyOf } from "./ledger.ts";
import { callOf, inputsOf, kindOf, manifest } from "./tasks.ts";
import { scope, World } from "./world.ts";

const failure = {
  type: "failed",
  error: {
    code: "Broken",
    message: "it broke",
    kind: "user",
    recoverable: true,
    stack: null,
    location: null,
    origin: null,
  },
} as const;

const wanted = {
  name: "r0",
  manifest,
  task: "m.cached",
  inputs: inputsOf(0),
  source: { file: "model.ts", projectDir: "/" },
  overwriteCache: false,
  recovers: null,
};

test("when both are tried again the caller does not wait for its own key, whatever becomes of the called", async () => {
  const world = new World("memory");
  await world.open();
  try {
    world.start(created(world, wanted));
    await checked(world);
    const [caller] = [...world.ledger.launches.values()];
    assert.ok(caller !== undefined);
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
