// Actions that wait because identical work is in flight. They are woken when its key is free; the first
// to be claimed then finds the result, or does the work itself.
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
    const free = keys.filter((key) => !held.has(key));
    if (free.length > 0) await wakeWaiters(parts, free);
  }
  return waitingRuns;
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
