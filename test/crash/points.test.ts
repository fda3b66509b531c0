// A sample of the crash points: one of each kind, at a place that changes with each run of the tests.
// `npm run test:crash` tries them all.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { candidates, commandOf } from "./campaign.ts";
import { pointKinds, type Victim } from "./points.ts";
import { type Course, openCourse } from "./trial.ts";

const seed = randomInt(2 ** 31);
let course: Course;

before(async () => {
  course = await openCourse();
});
after(() => course.remove());

const victims: { readonly [victim in Victim]: string } = {
  engine: "the process that serves a run",
  worker: "a worker",
};

describe("killed at any moment", { concurrency: 2 }, () => {
  for (const [index, kind] of pointKinds.entries()) {
    // Workers die in every other kind: the sample is to be quick.
    const victim: Victim = index % 4 === 1 ? "worker" : "engine";
    test(`${victims[victim]}, killed at a point of the kind ${kind}, changes nothing in the end`, async (t) => {
      const all = candidates(course.totals, seed).filter((each) => each.point.kind === kind && each.victim === victim);
      const chosen = all[randomInt(all.length)];
      assert.ok(chosen !== undefined, "there are such points");
      t.diagnostic(`again: ${commandOf(chosen)}`);
      const { problems, kills } = await course.try(chosen);
      assert.deepEqual(problems, [], `killed at ${kills.join(", then ")}`);
    });
  }
});
