// The cache as clients of the protocol use it, that execute something themselves: what they put under a key
// they find again, and by reservations they agree on who computes it. What actions of runs have left in the
// cache is found here by its key as well; what is put here is for such clients alone, since an engine believes
// no result but its own.
//
// R1  A reservation ends by itself when its owner has not been heard of for three heartbeats.
import type { CacheEntry } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import type { Change, RecordKey, StoreRecord } from "../store/store.ts";
import type { Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import type { Projects } from "./projects.ts";
import { changedRecord, checkWord, decide, documentOf, newRecord, readRecord } from "./records.ts";

export type CachedOutput =
  /** What a client put, opaque here. */
  | { readonly type: "put"; readonly value: string; readonly createdAtMs: number; readonly updatedAtMs: number }
  /** What an action has left. */
  | { readonly type: "computed"; readonly entry: CacheEntry };

export type HeldKey = {
  readonly key: string;
  readonly owner: string;
  readonly heartbeatMs: number;
  readonly expiresAtMs: number;
};

/** Of what exists: what was put for longer than `olderThanMs` ago; left out: all. */
export type Overwrite = { readonly olderThanMs?: number };

export interface CachedOutputs {
  get(scope: Scope, key: string): Promise<CachedOutput>;
  /** Refused with `already_exists` if there is one that is not to be overwritten. */
  put(scope: Scope, key: string, value: string, overwrite: Overwrite | null): Promise<void>;
  delete(scope: Scope, key: string): Promise<void>;
  /** Who holds the key now: the owner that asks, if nobody else does (R1). */
  reserve(scope: Scope, wanted: Pick<HeldKey, "key" | "owner" | "heartbeatMs">): Promise<HeldKey>;
  /** Nothing if somebody else holds it. */
  release(scope: Scope, held: Pick<HeldKey, "key" | "owner">): Promise<void>;
}

/** Characters: larger outputs are stored somewhere, and their URI is put. */
const maxValue = 256 * 1024;
const maxHeartbeatMs = 10_000;
const minHeartbeatMs = 1_000;
/** R1. */
const heartbeatsMissed = 3;
/** Expired ones that each new one removes. */
const sweptAtOnce = 10;

const keyOf = (kind: "cachedOutput" | "heldKey", { project, domain }: Scope, key: string): RecordKey => {
  checkWord("cache key", key);
  return { kind, project, domain, name: key, version: "" };
};

export const openCachedOutputs = (parts: Parts, projects: Projects): CachedOutputs => ({
  get: async (scope, key) => {
    const record = await readRecord(parts, keyOf("cachedOutput", scope, key));
    if (record !== null) {
      const { createdAtMs, updatedAtMs } = record;
      return { type: "put", ...documentOf<{ readonly value: string }>(record), createdAtMs, updatedAtMs };
    }
    return { type: "computed", entry: (await computed(parts, scope, key)) ?? missing(scope, key) };
  },
  put: (scope, key, value, overwrite) => put(parts, projects, scope, { key, value, overwrite }),
  delete: (scope, key) =>
    decide(parts, async () => {
      const record = await readRecord(parts, keyOf("cachedOutput", scope, key));
      const entry = await computed(parts, scope, key);
      if (record === null && entry === null) return missing(scope, key);
      const changes: readonly Change[] = [
        ...(record === null ? [] : [{ type: "deleteRecord", record } as const]),
        ...(entry === null ? [] : [{ type: "deleteCacheEntries", keys: [entry.key] } as const]),
      ];
      return { changes, answer: undefined };
    }),
  reserve: (scope, wanted) => reserve(parts, projects, scope, wanted),
  release: (scope, { key, owner }) =>
    decide(parts, async () => {
      const record = await readRecord(parts, keyOf("heldKey", scope, key));
      const isOwn = record !== null && documentOf<HeldDocument>(record).owner === owner;
      return { changes: isOwn ? [{ type: "deleteRecord", record }] : [], answer: undefined };
    }),
});

/** Of this project and domain only (core/cache.ts R2). */
async function computed(parts: Parts, { project, domain }: Scope, key: string): Promise<CacheEntry | null> {
  const [entry] = await parts.store.cacheEntries([key]);
  return entry !== undefined && entry.project === project && entry.domain === domain ? entry : null;
}

function missing({ project, domain }: Scope, key: string): never {
  throw new GodwitError("not_found", `The cache of ${project}/${domain} has nothing under the key "${key}".`);
}

type Put = { readonly key: string; readonly value: string; readonly overwrite: Overwrite | null };

async function put(parts: Parts, projects: Projects, scope: Scope, { key, value, overwrite }: Put): Promise<void> {
  if (value.length > maxValue)
    throw new GodwitError(
      "invalid_argument",
      `The outputs under "${key}" are too large for the cache: ${maxValue} characters are possible. Store them, and put their URI.`,
    );
  await projects.check(scope);
  return decide(parts, async () => {
    const nowMs = parts.nowMs();
    const existing = await readRecord(parts, keyOf("cachedOutput", scope, key));
    if (existing === null) {
      const record = newRecord(keyOf("cachedOutput", scope, key), { value }, nowMs);
      return { changes: [{ type: "putRecord", record }], answer: undefined };
    }
    const mayOverwrite = overwrite !== null && nowMs - existing.updatedAtMs >= (overwrite.olderThanMs ?? 0);
    if (!mayOverwrite)
      throw new GodwitError(
        "already_exists",
        `The cache of ${scope.project}/${scope.domain} already has something under the key "${key}", put ${new Date(existing.updatedAtMs).toISOString()}.`,
      );
    return { changes: [{ type: "putRecord", record: changedRecord(existing, { value }, nowMs) }], answer: undefined };
  });
}

type HeldDocument = { readonly owner: string; readonly heartbeatMs: number };

const heldOf = (record: StoreRecord): HeldKey => ({
  key: record.name,
  ...documentOf<HeldDocument>(record),
  expiresAtMs: record.dueAtMs ?? 0,
});

async function reserve(
  parts: Parts,
  projects: Projects,
  scope: Scope,
  wanted: Pick<HeldKey, "key" | "owner" | "heartbeatMs">,
): Promise<HeldKey> {
  checkWord("owner of a reservation", wanted.owner);
  await projects.check(scope);
  const { key, owner } = wanted;
  const asked = Number.isFinite(wanted.heartbeatMs) && wanted.heartbeatMs > 0 ? wanted.heartbeatMs : maxHeartbeatMs;
  const heartbeatMs = Math.min(maxHeartbeatMs, Math.max(minHeartbeatMs, asked));
  return decide(parts, async () => {
    const nowMs = parts.nowMs();
    const expiresAtMs = nowMs + heartbeatsMissed * heartbeatMs;
    const [working] = await parts.store.reservations([key]);
    if (working !== undefined) {
      const answer = { key, owner: `run ${working.run}, action ${working.action}`, heartbeatMs, expiresAtMs };
      return { changes: [], answer };
    }
    const before = await readRecord(parts, keyOf("heldKey", scope, key));
    const held = before === null ? null : heldOf(before);
    if (held !== null && held.owner !== owner && held.expiresAtMs > nowMs) return { changes: [], answer: held };
    const document: HeldDocument = { owner, heartbeatMs };
    const next =
      before === null
        ? newRecord(keyOf("heldKey", scope, key), document, nowMs)
        : changedRecord(before, document, nowMs);
    const changes: readonly Change[] = [
      { type: "putRecord", record: { ...next, dueAtMs: expiresAtMs } },
      ...(await expired(parts, next, nowMs)),
    ];
    return { changes, answer: { key, ...document, expiresAtMs } };
  });
}

/** R1. */
async function expired(parts: Parts, but: StoreRecord, nowMs: number): Promise<readonly Change[]> {
  const records = await parts.store.dueRecords("heldKey", nowMs, sweptAtOnce);
  return records
    .filter(({ project, domain, name }) => project !== but.project || domain !== but.domain || name !== but.name)
    .map((record) => ({ type: "deleteRecord", record }));
}
