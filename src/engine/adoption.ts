// Taking over a run: whatever an engine that is gone had under way is queued again, at no charge.
//
// R1  What is leased in a run is leased to the run's owner: the leases of the one before are given back
//     first, and the run changes hands by compare-and-set. So whoever takes over needs to know nobody
//     but the owner, and the marks of all dead engines can be removed, whatever else they served.
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
    if (run.owner !== null && run.owner !== parts.id) await requeueLeased(parts, id, run.owner);
    const result = await parts.store.commit([{ type: "updateRun", run: { ...run, owner: parts.id } }]);
    if (result.type !== "committed") continue;
    await forgetDead(parts);
    return run;
  }
}

async function forgetDead({ store }: Pick<EngineParts, "store">): Promise<void> {
  const dead = (await store.engines()).filter(({ isLive }) => !isLive);
  if (dead.length > 0) await store.forget(dead.map(({ id }) => id));
}

/** Gives back what is leased to that engine. */
export async function requeueLeased(parts: AdoptionParts, run: number, owner: string): Promise<void> {
  for (;;) {
    const leased = await parts.store.leased([run], owner, batchSize);
    if (leased.length === 0) return;
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
