// Many trials: which points there are, and trying some of them, a few at a time.
import { randomFrom } from "../../src/sdk/context.ts";
import { type Point, type PointTotals, pointKinds, pointText } from "./points.ts";
import type { Course, Plan, Verdict } from "./trial.ts";

export type Candidate = Plan & { readonly point: Point };

/** How many of the trials are killed a second time, while they resume. */
const shareKilledTwice = 0.3;

/** Of the points of a whole run, so many may come while one resumes. */
const shareOnResume = 0.4;

/** Every point there is, with the engine as the victim, and with a worker. Chance decides on second kills. */
export function candidates(totals: PointTotals, seed: number): readonly Candidate[] {
  const random = randomFrom(seed);
  const pointOnResume = (): Point => {
    const kind = pointKinds[Math.floor(random() * pointKinds.length)] ?? "commit-before";
    return { kind, at: 1 + Math.floor(random() * totals[kind] * shareOnResume) };
  };
  return pointKinds.flatMap((kind) =>
    Array.from({ length: totals[kind] }, (_, index): readonly Candidate[] => {
      const point: Point = { kind, at: index + 1 };
      return [
        { point, victim: "engine", onResume: random() < shareKilledTwice ? [pointOnResume()] : [] },
        { point, victim: "worker", onResume: [] },
      ];
    }).flat(),
  );
}

/** The command that tries it again. */
export function commandOf({ point, victim, onResume }: Candidate): string {
  const later = onResume.map((each) => ` --on-resume ${pointText(each)}`).join("");
  return `npm run test:crash -- --point ${pointText(point)} --victim ${victim}${later}`;
}

export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** Skipped are those that the process did not come to: how commits gather is a matter of time. */
export async function trySome(
  course: Course,
  chosen: readonly Candidate[],
  atOnce: number,
  onTried: (candidate: Candidate, verdict: Verdict) => void,
): Promise<Counts> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const left = chosen.values();
  const work = async (): Promise<void> => {
    for (const candidate of left) {
      const verdict = await course.try(candidate);
      counts[verdict.problems.length > 0 ? "failed" : verdict.isReached ? "passed" : "skipped"] += 1;
      onTried(candidate, verdict);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return counts;
}
