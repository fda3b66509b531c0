// Actions that wait because identical work is in flight. All are woken when its result is in the cache,
// and then take it. When it has none, one of them is woken, and does the work itself: of a thousand that
// fail one after another, each is woken once.
import { type Action, isTerminal } from "../core/action.ts";
import type { Reservation } from "../core/cache.ts";
import { batchSize, changesOf, type EngineParts } from "./parts.ts";

/** Wakes all that wait for these keys. */
export async function wakeWaiters(parts: EngineParts, keys: readonly string[]): Promise<void> {
  for (;;) {
    const waiting = await parts.store.waiting(keys, batchSize);
    const woken = await Promise.all(waiting.map((action) => wake(parts, action)));
    if (waiting.length < batchSize || !woken.some(Boolean)) return;
  }
}

/** Of those that have waited longest, how many are looked at for one of a run that is served here. */
const heirsLookedAt = 10;

/** The holder of each key came to no result: wakes one to be the next. */
export async function wakeNext(parts: EngineParts, keys: readonly string[]): Promise<void> {
  await Promise.all(
    keys.map(async (key) => {
      const waiting = await parts.store.waiting([key], heirsLookedAt);
      const heir = waiting.find(({ run }) => parts.served.has(run));
      // One of another process might be of a run that nobody serves any more.
      if (heir === undefined && waiting.length > 0) await wakeWaiters(parts, [key]);
      else if (heir !== undefined) await wake(parts, heir);
    }),
  );
}

async function wake(parts: EngineParts, action: Action): Promise<boolean> {
  await parts.documents.specs(action.spec === null ? [] : [action.spec]);
  const changed = await changesOf(parts, action, parts.documents.policy(action), { type: "woken" });
  return changed !== null && (await parts.store.commit(changed.changes)).type === "committed";
}

/**
 * Looks after the waiting actions of these runs: frees keys whose holder has ended, or is in a run that
 * no live engine serves, and wakes those that wait for a free key. The runs in which some still wait.
 */
export async function checkWaiters(parts: EngineParts, runs: Iterable<number>): Promise<ReadonlySet<number>> {
  const waitingRuns = new Set<number>();
  for (const run of runs) {
    if (((await parts.store.counts(run)).waiting_for_resources ?? 0) === 0) continue;
    waitingRuns.add(run);
    const waiting = await parts.store.listActions({ run, phases: ["waiting_for_resources"] }, batchSize);
    const keys = [...new Set(waiting.flatMap(({ cacheKey }) => (cacheKey === null ? [] : [cacheKey])))];
    const held = await heldKeys(parts, keys);
    await wakeForFree(
      parts,
      waiting,
      keys.filter((key) => !held.has(key)),
    );
  }
  return waitingRuns;
}

/** Nobody works on these keys: there may be a result, or it was lost with who worked on it. */
async function wakeForFree(parts: EngineParts, waiting: readonly Action[], free: readonly string[]): Promise<void> {
  if (free.length === 0) return;
  const done = new Set((await parts.store.cacheEntries(free)).map(({ key }) => key));
  if (done.size > 0) await wakeWaiters(parts, [...done]);
  const heirs = free.flatMap((key) => (done.has(key) ? [] : (waiting.find(({ cacheKey }) => cacheKey === key) ?? [])));
  await Promise.all(heirs.map((heir) => wake(parts, heir)));
}

async function heldKeys(parts: EngineParts, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const reservations = await parts.store.reservations(keys);
  const isHeld = await Promise.all(reservations.map((reservation) => checkHolder(parts, reservation)));
  return new Set(reservations.filter((_, index) => isHeld[index]).map(({ key }) => key));
}

async function checkHolder(parts: EngineParts, reservation: Reservation): Promise<boolean> {
  const [holder] = await parts.store.actions([{ run: reservation.run, name: reservation.action }]);
  const isWorking =
    holder !== undefined &&
    !isTerminal(holder.phase) &&
    (parts.served.has(holder.run) || (await isServedElsewhere(parts, holder.run)));
  if (!isWorking) await parts.store.commit([{ type: "release", reservation }]);
  return isWorking;
}

/** Whether a live engine has adopted the run. */
export async function isServedElsewhere(parts: Pick<EngineParts, "store" | "id">, run: number): Promise<boolean> {
  const [row] = await parts.store.runsById([run]);
  if (row === undefined || row.owner === null || row.owner === parts.id) return false;
  return (await parts.store.engines()).some(({ id, isLive }) => isLive && id === row.owner);
}
