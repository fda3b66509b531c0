// The cache as people see it: what is in it, and why an action took from it or did not.
import type { Action } from "../core/action.ts";
import { type CacheEntry, differences, hashInputs, type KeyParts, keyParts, unkeyedReason } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import { findAction } from "./actions.ts";
import type { CacheExplanation, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun } from "./runs.ts";

/** Newest entries of a task that are compared to find the nearest. */
const maxCompared = 200;
/** Keys deleted in one commit. */
const deleteBatch = 500;

export async function explain(parts: Parts, scope: Scope, runName: string, wanted: string): Promise<CacheExplanation> {
  const action = await findAction(parts, await getRun(parts, scope, runName), wanted);
  const spec = await parts.documents.taskSpec(action);
  const nothing = { action, nearest: null, differences: [] } as const;
  if (spec === null)
    return { ...nothing, status: "unkeyed", summary: `A ${action.type} is recorded in its run and is not cached.` };
  if (action.phase === "recovered")
    return {
      ...nothing,
      status: "recovered",
      summary: `Its result was taken from ${action.reusedFrom}, which this run recovers.`,
    };
  const now = keyParts(spec, hashInputs(await parts.literals(action.inputs)));
  if (now === null)
    return { ...nothing, status: "unkeyed", summary: `It is not looked up in the cache: ${unkeyedReason(spec)}.` };
  if (action.cacheStatus === null)
    return { ...nothing, status: "undecided", summary: "It has not been looked up yet." };
  const entry = await nearest(parts, scope, spec, action, now);
  const found = { action, nearest: entry?.entry ?? null, differences: entry?.differences ?? [] };
  if (action.cacheStatus === "hit")
    return {
      ...found,
      differences: [],
      status: "hit",
      summary: `Hit: all parts of its key are those of ${action.reusedFrom}.`,
    };
  if (action.cacheStatus === "overwritten")
    return {
      ...found,
      status: "overwritten",
      summary: "The run was started to overwrite the cache, so nothing was looked up.",
    };
  return { ...found, status: "miss", summary: missSummary(found.nearest, found.differences.length) };
}

function missSummary(entry: CacheEntry | null, count: number): string {
  if (entry === null) return "Miss: there was no entry for this task.";
  if (count === 0) return "Miss: there was no such entry at that time, or its bytes were gone; there is one now.";
  return `Miss: ${count === 1 ? "1 part" : `${count} parts`} of its key differ from the nearest entry, made by ${entry.runName}/${entry.action}.`;
}

/** Not counting the entry that the action itself made. */
async function nearest(parts: Parts, scope: Scope, spec: TaskSpec, action: Action, now: KeyParts) {
  const entries = await parts.store.listCacheEntries(
    { project: scope.project, domain: scope.domain, task: spec.name },
    maxCompared,
  );
  const others = entries.filter(
    (entry) => action.cacheStatus === "hit" || entry.run !== action.run || entry.action !== action.name,
  );
  const specs = await parts.documents.specs(others.map((entry) => entry.spec));
  const compared = others.flatMap((entry) => {
    const entrySpec = specs.get(entry.spec) as TaskSpec | undefined;
    const then = entrySpec === undefined ? null : keyParts(entrySpec, entry.inputHashes);
    return then === null ? [] : [{ entry, differences: differences(then, now) }];
  });
  // Sorting is stable and entries come newest first: of equally near ones the newest is told.
  return compared.sort((a, b) => a.differences.length - b.differences.length)[0] ?? null;
}

export const listCache = (
  parts: Parts,
  scope: Scope,
  task: string | null,
  limit: number,
): Promise<readonly CacheEntry[]> =>
  parts.store.listCacheEntries(
    { project: scope.project, domain: scope.domain, ...(task === null ? {} : { task }) },
    limit,
  );

export async function removeCache(
  parts: Parts,
  scope: Scope,
  which: { readonly key?: string; readonly task?: string; readonly all?: true },
): Promise<number> {
  if (which.key === undefined && which.task === undefined && which.all !== true) {
    throw new GodwitError("invalid_argument", "Say which entries to remove: a key, a task, or all.");
  }
  let removed = 0;
  for (;;) {
    const entries = await listCache(
      parts,
      scope,
      which.task ?? null,
      which.key === undefined ? deleteBatch : Number.MAX_SAFE_INTEGER,
    );
    const keys = entries.map(({ key }) => key).filter((key) => which.key === undefined || key.startsWith(which.key));
    if (keys.length === 0) break;
    await parts.store.commit([{ type: "deleteCacheEntries", keys }]);
    removed += keys.length;
    if (which.key !== undefined || keys.length < deleteBatch) break;
  }
  if (removed === 0 && which.key !== undefined)
    throw new GodwitError("not_found", `No cache entry has a key that begins with "${which.key}".`);
  return removed;
}
