// The cases that are Godwit's alone: peers have no such thing, or would not get through it in a day.
import { join } from "node:path";
import type { Fact } from "../figures.ts";
import { makeProject } from "../godwit.ts";
import type { CaseName } from "../options.ts";
import type { Case, Place } from "./case.ts";
import { lookups } from "./lookups.ts";
import { packageSize } from "./package-size.ts";
import { recovery } from "./recovery.ts";
import { starts } from "./starts.ts";
import { tree } from "./tree.ts";

const cases: { readonly [name in CaseName]?: Case } = {
  recovery,
  lookups,
  tree,
  start: starts,
  package: packageSize,
};

/** A failure is told in words, and the next case is measured all the same. */
export async function casesOfGodwit(
  place: Place,
): Promise<{ readonly facts: readonly Fact[]; readonly failures: readonly string[] }> {
  const facts: Fact[] = [];
  const failures: string[] = [];
  for (const name of place.options.cases) {
    const measure = cases[name];
    if (measure === undefined) continue;
    try {
      const found = await measure(makeProject(join(place.dir, `case-${name}`), place.godwit), place);
      facts.push(...found.map((fact) => ({ case: name, ...fact })));
      place.note(`godwit, ${name}: done`);
    } catch (error) {
      failures.push(`godwit, ${name}: FAILED: ${(error as Error).message}`);
    }
  }
  return { facts, failures };
}
