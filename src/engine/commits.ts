// Many decisions, each about an action of its own, as one commit: what a thousand of them cost is then
// their rows, and not a thousand commits. If one of them is refused, each is committed for itself.
import type { Action } from "../core/action.ts";
import type { Change, CommitResult, Durability, Store } from "../store/store.ts";

/** In their order, what became of each. */
export async function commitEach(
  store: Pick<Store, "commit">,
  sets: readonly (readonly Change[])[],
  durability: Durability,
): Promise<readonly CommitResult[]> {
  if (sets.length > 1) {
    const result = await store.commit(sets.flat(), durability);
    if (result.type === "committed") return shares(sets, result.actions);
  }
  return Promise.all(sets.map((changes) => store.commit(changes, durability)));
}

/** The rows of each set, of those of all together. */
function shares(sets: readonly (readonly Change[])[], rows: readonly Action[]): readonly CommitResult[] {
  let next = 0;
  return sets.map((changes): CommitResult => {
    const first = next;
    for (const { type } of changes) if (type === "updateAction" || type === "insertAction") next += 1;
    return { type: "committed", actions: rows.slice(first, next) };
  });
}
