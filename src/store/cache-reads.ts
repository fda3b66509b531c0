// Reads of cached results and of who is computing one.
import type { CacheEntry, Reservation } from "../core/cache.ts";
import type { Connection } from "./connection.ts";
import { digestColumn, type SqlValue } from "./sql.ts";
import type { CacheFilter } from "./store.ts";
import { cacheEntryOf, reservationOf, selectCacheEntries, selectReservation } from "./tables.ts";

const entryByKey = `${selectCacheEntries} where cache_key = ?`;

export const cacheEntries = (connection: Connection, keys: readonly string[]): readonly CacheEntry[] =>
  connection.reading(() => keys.flatMap((key) => connection.all(entryByKey, digestColumn(key)).map(cacheEntryOf)));

export const reservations = (connection: Connection, keys: readonly string[]): readonly Reservation[] =>
  connection.reading(() =>
    keys.flatMap((key) => connection.all(selectReservation, digestColumn(key)).map(reservationOf)),
  );

const digestLength = 64;

export function listCacheEntries(connection: Connection, filter: CacheFilter, limit: number): readonly CacheEntry[] {
  const { project, domain, task, keyPrefix } = filter;
  const conditions = ["project = ?", "domain = ?"];
  const values: SqlValue[] = [project, domain];
  if (task !== undefined) {
    conditions.push("task = ?");
    values.push(task);
  }
  if (keyPrefix !== undefined) {
    conditions.push("cache_key between ? and ?");
    values.push(digestColumn(keyPrefix.padEnd(digestLength, "0")), digestColumn(keyPrefix.padEnd(digestLength, "f")));
  }
  const where = `where ${conditions.join(" and ")} order by created_at_ms desc, rowid desc limit ?`;
  return connection.all(`${selectCacheEntries} ${where}`, ...values, limit).map(cacheEntryOf);
}

const tasksOfDomain = "select distinct task from cache_entry where project = ? and domain = ? order by task limit ?";

export const cachedTasks = (
  connection: Connection,
  { project, domain }: Pick<CacheFilter, "project" | "domain">,
  limit: number,
): readonly string[] => connection.all(tasksOfDomain, project, domain, limit).map(([task]) => task as string);
