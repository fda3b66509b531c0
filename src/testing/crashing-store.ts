// A store that dies before or after its n-th commit, for crash sweeps: whoever uses it sees what it
// would see if its process had been killed there, and a new one, on the same database, starts over.
import { GodwitError } from "../core/error.ts";
import type { Store } from "../store/store.ts";

/** `at` counts commits from 0. "before": that commit never happens. "after": it is durable, but its caller never learns of it. */
export type Crash = { readonly at: number; readonly when: "before" | "after" };

export type CrashingStore = {
  /** Refuses everything from the crash on, with `unavailable`; only `close` still works, and closes the store below. */
  readonly store: Store;
  readonly hasCrashed: () => boolean;
  /** Resolves at the crash; never, if there are fewer commits. */
  readonly crashed: Promise<void>;
  /** Commits asked for so far, the refused ones left out. */
  readonly commitTotal: () => number;
};

export function crashingStore(store: Store, crash: Crash): CrashingStore {
  let commitTotal = 0;
  let isDead = false;
  const { promise: crashed, resolve: tellCrashed } = Promise.withResolvers<void>();
  const die = (): void => {
    isDead = true;
    tellCrashed();
  };
  const alive = <T>(value: T): T => {
    if (isDead) throw new GodwitError("unavailable", "The store has crashed, as the test wanted.");
    return value;
  };
  const commit: Store["commit"] = async (changes, durability) => {
    alive(null);
    const isLast = commitTotal++ === crash.at;
    if (isLast && crash.when === "before") die();
    const result = await alive(store).commit(changes, durability);
    if (isLast) die();
    // A commit in flight when the process died may be durable; nobody was told.
    return alive(result);
  };
  const onChange: Store["onChange"] = (listener) =>
    alive(store).onChange((committed) => (isDead ? undefined : listener(committed)));
  const replaced: Partial<Store> = { commit, onChange, close: () => store.close() };
  const wrapped = new Proxy(store, {
    get(target, property: keyof Store) {
      const method = replaced[property] ?? target[property];
      if (property in replaced || typeof method !== "function") return method;
      const call = method.bind(target) as (...values: unknown[]) => Promise<unknown>;
      return async (...values: unknown[]) => alive(await alive(call)(...values));
    },
  });
  return { store: wrapped, hasCrashed: () => isDead, crashed, commitTotal: () => commitTotal };
}
