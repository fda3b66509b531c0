// Taking over a run: whatever an engine that is gone had under way is queued again, at no charge.
import { GodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import { batchSize, changesOf, type EngineParts, runOf } from "./parts.ts";
import { isServedElsewhere } from "./waiters.ts";

type AdoptionParts = Pick<EngineParts, "id" | "store" | "documents" | "nowMs">;

/** Makes this engine the run's owner. Refused if another live engine serves it. */
export async function adopt(parts: AdoptionParts, id: number): Promise<Run> {
  for (;;) {
    const run = await runOf(parts, id);
    if (run === null) throw new GodwitError("not_found", `There is no run with the id ${id}.`);
    if (await isServedElsewhere(parts, id)) {
      throw new GodwitError(
        "already_exists",
        `The run ${run.name} is being served by another process. \`godwit get run ${run.name}\` shows it.`,
      );
    }
    const result = await parts.store.commit([{ type: "updateRun", run: { ...run, owner: parts.id } }]);
    if (result.type !== "committed") continue;
    await requeueLeased(parts, id, await deadOwners(parts, run.owner));
    return run;
  }
}

async function deadOwners(parts: AdoptionParts, previous: string | null): Promise<readonly string[]> {
  const engines = await parts.store.engines();
  const dead = engines.filter(({ isLive }) => !isLive).map(({ id }) => id);
  const isKnown = engines.some(({ id }) => id === previous);
  return previous === null || isKnown ? dead : [...dead, previous];
}

/** Gives back what is leased to these engines. */
export async function requeueLeased(parts: AdoptionParts, run: number, owners: readonly string[]): Promise<void> {
  for (const owner of owners) {
    for (;;) {
      const leased = await parts.store.leased([run], owner, batchSize);
      if (leased.length === 0) break;
      await parts.documents.specs(leased.flatMap(({ spec }) => spec ?? []));
      await Promise.all(
        leased.map(async (action) => {
          const event = { type: "interrupted", attempt: action.attempt } as const;
          const changed = await changesOf(parts, action, parts.documents.policy(action), event);
          if (changed !== null) await parts.store.commit(changed.changes);
        }),
      );
    }
  }
}
