// Whatever is asked, reported, and done to clocks and engines, in any order: every step of every action
// has a reason, nothing is left waiting without one, and it all comes to an end.
//
// GODWIT_MODEL_RUNS=n tries n histories, of each kind, instead of those that fit into `npm test`. When one fails, fast-check prints the
// seed and the path that try it again, and the shortest history it could find.
import { test } from "node:test";
import fc from "fast-check";
import { commands } from "./commands.ts";
import { checked } from "./comparison.ts";
import { drain } from "./ending.ts";
import { type Ground, World } from "./world.ts";

const given = Number(process.env.GODWIT_MODEL_RUNS ?? 0);

async function holds(ground: Ground, numRuns: number, maxCommands: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(commands(maxCommands), async (history) => {
      const world = new World(ground);
      await world.open();
      try {
        await fc.asyncModelRun(() => ({ model: world.ledger, real: world }), history);
        await checked(world);
        await drain(world);
      } catch (error) {
        for (const remember of world.onFailure) remember();
        throw error;
      } finally {
        await world.close();
      }
    }),
    { numRuns: given || numRuns },
  );
}

test("any history of calls, reports, ends and jumps of the clock is what the rules make of it", () =>
  holds("memory", 200, 40));

test("the same when each engine has a connection of its own to one database file", () => holds("file", 40, 30));
