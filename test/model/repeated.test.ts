// A call that is asked for again while the first asking is under way, as by a client that got no answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { called } from "./asking.ts";
import { checked } from "./comparison.ts";
import { drain } from "./ending.ts";
import { begun } from "./plans.ts";
import { callOf, kindOf } from "./tasks.ts";
import { World } from "./world.ts";

const task = callOf("b", kindOf("plain"), 0);
const traced = callOf("e", kindOf("trace"), 0);

for (const [what, first] of [
  ["alone", [task]],
  // What a trace has done is synced, and answered later than what is only asked for.
  ["beside a trace", [traced, task]],
] as const)
  for (const turns of [0, 1, 2, 3, 5, 8])
    test(`a call ${what} that is asked for again ${turns} turns later starts once, and holds its share`, async () => {
      const world = new World("memory");
      await world.open();
      try {
        const parent = await begun(world, "plain");
        world.start(called(world, parent, first));
        for (let times = 0; times < 3; times++) {
          await world.turns(turns);
          world.start(called(world, parent, [task]));
        }
        await checked(world);
        assert.equal(world.openEngines[0]?.executor.running().length, 2, "the parent and the called one run");
        await drain(world);
      } finally {
        await world.close();
      }
    });
