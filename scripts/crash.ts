// Kills a run at every point there is, one per trial, and says which of them lost anything.
//
//   npm run test:crash
//   npm run test:crash -- --point commit-after:117      one point again
//   npm run test:crash -- --kind blob-mid --kind blob-synced
//   npm run test:crash -- --victim worker               its workers die instead of the engine's process
//   npm run test:crash -- --point blob-mid:2 --on-resume commit-before:5    killed again while it resumes
//   npm run test:crash -- --seed 7                      for the choice of second kills
//   npm run test:crash -- --every 10 --at-once 1
import { parseArgs } from "node:util";
import { type Candidate, candidates, commandOf, trySome } from "../test/crash/campaign.ts";
import { pointKinds, pointOf, type Victim } from "../test/crash/points.ts";
import { openCourse } from "../test/crash/trial.ts";

const { values } = parseArgs({
  options: {
    point: { type: "string", multiple: true, default: [] },
    kind: { type: "string", multiple: true, default: [] },
    victim: { type: "string", multiple: true, default: [] },
    "on-resume": { type: "string", multiple: true, default: [] },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    every: { type: "string", default: "1" },
    "at-once": { type: "string", default: "2" },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const unknown = values.kind.find((kind) => !pointKinds.some((known) => known === kind));
if (unknown !== undefined) throw new Error(`There is no kind "${unknown}"; there are ${pointKinds.join(", ")}.`);

const victims = (values.victim.length === 0 ? ["engine", "worker"] : values.victim) as readonly Victim[];
const course = await openCourse();
try {
  const named = values.point.map(pointOf);
  const all: readonly Candidate[] =
    named.length === 0
      ? candidates(course.totals, Number(values.seed))
      : named.flatMap((point) =>
          victims.map((victim) => ({ point, victim, onResume: values["on-resume"].map(pointOf) })),
        );
  const chosen = all
    .filter(({ point }) => values.kind.length === 0 || values.kind.includes(point.kind))
    .filter(({ victim }) => victims.includes(victim))
    .filter((_, index) => index % Number(values.every) === 0);
  const text = pointKinds.map((kind) => `${kind} ${course.totals[kind]}`).join(", ");
  say(`Points of an undisturbed run: ${text}. Seed ${values.seed}.`);
  let tried = 0;
  const counts = await trySome(course, chosen, Number(values["at-once"]), (candidate, { problems, kills }) => {
    tried += 1;
    if (problems.length > 0)
      say(`LOST, killed at ${kills.join(", then ")}:\n  ${problems.join("\n  ")}\n  again: ${commandOf(candidate)}`);
    else if (tried % 50 === 0) say(`${tried} of ${chosen.length} tried`);
  });
  say(`Points tried: ${counts.passed + counts.failed}, points lost: ${counts.failed}, not reached: ${counts.skipped}.`);
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 || chosen.length === 0 ? 1 : 0;
} finally {
  course.remove();
}
