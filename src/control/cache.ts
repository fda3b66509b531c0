// The cache as people see it: what is in it, and why an action took from it or did not.
import type { Action } from "../core/action.ts";
import { type CacheEntry, differences, hashInputs, type KeyParts, keyParts, unkeyedReason } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { TaskSpec } from "../core/task.ts";
import { findAction } from "./actions.ts";
import type { CacheExplanation, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun } from "./runs.ts";

/** Newest entries of a task that are compared to find the nearest. */
const maxCompared = 200;
/** Keys deleted in one commit. */
const deleteBatch = 500;
/** Of which names are looked through for a short one. */
const maxTasks = 10_000;

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
      ...nothing,
      status: "overwritten",
      summary: "The run was started to overwrite the cache, so nothing was looked up.",
    };
  return { ...found, status: "miss", summary: missSummary(found.nearest, found.differences.length) };
}

function missSummary(entry: CacheEntry | null, count: number): string {
  if (entry === null) return "Miss: there was no entry for this task, or its bytes were gone.";
  const nearest = `the nearest entry, made by ${entry.runName}/${entry.action}`;
  if (count === 0) return `Miss: ${nearest}, has the same key, but its bytes were gone.`;
  return `Miss: ${count === 1 ? "1 part of its key differs" : `${count} parts of its key differ`} from ${nearest}.`;
}

/** Of those that were there when it was looked up, as far as they still are. */
async function nearest(parts: Parts, scope: Scope, spec: TaskSpec, action: Action, now: KeyParts) {
  const entries = await parts.store.listCacheEntries(
    { project: scope.project, domain: scope.domain, task: spec.name },
    maxCompared,
  );
  const lookedUpAtMs = action.startedAtMs ?? action.createdAtMs;
  const others = entries.filter(
    (entry) =>
      action.cacheStatus === "hit" ||
      (entry.createdAtMs <= lookedUpAtMs && (entry.run !== action.run || entry.action !== action.name)),
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

export async function listCache(
  parts: Parts,
  scope: Scope,
  task: string | null,
  limit: number,
): Promise<readonly CacheEntry[]> {
  const place = { project: scope.project, domain: scope.domain };
  if (task === null) return parts.store.listCacheEntries(place, limit);
  const { found } = await cachedTask(parts, scope, task);
  return found === null ? [] : parts.store.listCacheEntries({ ...place, task: found }, limit);
}

/** By full name, or by short name if only one task with entries has it. */
async function cachedTask(
  parts: Parts,
  { project, domain }: Scope,
  wanted: string,
): Promise<{ readonly found: string | null; readonly known: readonly string[] }> {
  const known = await parts.store.cachedTasks({ project, domain }, maxTasks);
  const fits = known.includes(wanted) ? [wanted] : known.filter((name) => name.endsWith(`.${wanted}`));
  if (fits.length > 1)
    throw new GodwitError("invalid_argument", `"${wanted}" is ambiguous: ${fits.join(", ")}. Use a full name.`);
  return { found: fits[0] ?? null, known };
}

export async function removeCache(
  parts: Parts,
  scope: Scope,
  which: { readonly key?: string; readonly task?: string; readonly all?: true },
): Promise<number> {
  if (which.key !== undefined) return removeKey(parts, scope, which.key);
  if (which.task === undefined && which.all !== true) {
    throw new GodwitError("invalid_argument", "Say which entries to remove: a key, a task, or all.");
  }
  const task = which.task === undefined ? null : await taskToRemove(parts, scope, which.task);
  for (let removed = 0; ; ) {
    const keys = (await listCache(parts, scope, task, deleteBatch)).map(({ key }) => key);
    if (keys.length > 0) await parts.store.commit([{ type: "deleteCacheEntries", keys }]);
    removed += keys.length;
    if (keys.length < deleteBatch) return removed;
  }
}

async function taskToRemove(parts: Parts, scope: Scope, wanted: string): Promise<string> {
  const { found, known } = await cachedTask(parts, scope, wanted);
  if (found !== null) return found;
  // Without the environment, which people leave out.
  const names = new Set(known.flatMap((name) => [name, name.slice(name.indexOf(".") + 1)]));
  const hint = didYouMean(wanted, names);
  throw new GodwitError("not_found", `The cache has nothing of a task "${wanted}".${hint}`);
}

/** An entry too many would be gone: the beginning of a key has to fit one only. */
async function removeKey(parts: Parts, { project, domain }: Scope, key: string): Promise<number> {
  const prefix = key.toLowerCase();
  const entries = /^[0-9a-f]{1,64}$/.test(prefix)
    ? await parts.store.listCacheEntries({ project, domain, keyPrefix: prefix }, 2)
    : [];
  const [entry] = entries;
  if (entry === undefined)
    throw new GodwitError(
      "not_found",
      `No cache entry has a key that begins with "${key}". \`godwit cache ls\` lists them.`,
    );
  if (entries.length > 1)
    throw new GodwitError("invalid_argument", `Several keys begin with "${key}". Give more of the one you mean.`);
  await parts.store.commit([{ type: "deleteCacheEntries", keys: [entry.key] }]);
  return 1;
}
