// The runs that a recovering run may take results and checkpoints from: the one that it recovers, the one
// that this one recovered, and so on. What a recovery had not come to when it ended is still in the run
// before it.
import { assert } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import type { Store } from "./store.ts";

export type Ancestor = { readonly run: number; readonly name: string };

/** Recoveries of recoveries are followed so far back. */
export const maxAncestors = 100;

/** Nearest first. One step is read when it is asked for. */
export async function* ancestors(
  store: Pick<Store, "runsById">,
  { recovers }: Pick<Run, "recovers">,
): AsyncIterable<Ancestor> {
  for (let at = recovers, count = 0; at !== null && count < maxAncestors; count++) {
    yield at;
    const [run] = await store.runsById([at.run]);
    assert(run !== undefined, `the recovered run ${at.name} is there`);
    at = run.recovers;
  }
}
