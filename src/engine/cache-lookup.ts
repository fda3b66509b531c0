// What the cache has for the actions that are about to start.
import { hasBytes } from "../blob/payload.ts";
import type { Action } from "../core/action.ts";
import type { CacheEntry, Reservation } from "../core/cache.ts";
import type { EngineParts } from "./parts.ts";
import type { RunQueue } from "./ready-queue.ts";

export type Lookup = {
  /** Those whose bytes are all there. */
  readonly entries: ReadonlyMap<string, CacheEntry>;
  /** Key → who works on it; what is decided in this round is added. */
  readonly reservations: Map<string, Reservation>;
  /** The keys that were looked up; of others nothing is known. */
  readonly seen: ReadonlySet<string>;
  /** How many of each lane were looked up. */
  readonly depth: number;
};

/** Keys looked up in one round. */
const maxKeys = 2_000;

export async function lookUp(parts: EngineParts, queues: readonly RunQueue[]): Promise<Lookup> {
  const lanes = queues.flatMap((queue) => [...queue.lanes.values()].filter((lane) => lane.peek()?.cacheKey != null));
  const depth = Math.max(1, Math.floor(maxKeys / Math.max(1, lanes.length)));
  const actions: Action[] = [];
  for (const lane of lanes) {
    let left = depth;
    for (const action of lane.entries()) {
      if (left === 0 || actions.length >= maxKeys) break;
      actions.push(action);
      left -= 1;
    }
  }
  const keyed = actions.flatMap(({ cacheKey, run }) => (cacheKey === null ? [] : [{ cacheKey, run }]));
  const seen = new Set(keyed.map(({ cacheKey }) => cacheKey));
  if (keyed.length === 0) return { entries: new Map(), reservations: new Map(), seen, depth };
  const wanted = keyed.filter(({ run }) => parts.served.get(run)?.overwriteCache !== true);
  // First: who holds no key any more by then has left its result there.
  const held = await parts.store.reservations([...seen]);
  const found = await parts.store.cacheEntries([...new Set(wanted.map(({ cacheKey }) => cacheKey))]);
  const whole = await Promise.all(found.map((entry) => hasBytes(entry.outputs, parts.blobs)));
  return {
    entries: new Map(found.filter((_, index) => whole[index]).map((entry) => [entry.key, entry])),
    reservations: new Map(held.map((reservation) => [reservation.key, reservation])),
    seen,
    depth,
  };
}
