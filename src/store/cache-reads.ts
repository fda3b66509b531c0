// Reads of cached results and of who is computing one.
import type { CacheEntry, Reservation } from "../core/cache.ts";
import type { Connection } from "./connection.ts";
import { digestColumn } from "./sql.ts";
import type { CacheFilter } from "./store.ts";
import { cacheEntryOf, reservationOf, selectCacheEntries, selectReservation } from "./tables.ts";

const entryByKey = `${selectCacheEntries} where cache_key = ?`;

export const cacheEntries = (connection: Connection, keys: readonly string[]): readonly CacheEntry[] =>
  connection.reading(() => keys.flatMap((key) => connection.all(entryByKey, digestColumn(key)).map(cacheEntryOf)));

export const reservations = (connection: Connection, keys: readonly string[]): readonly Reservation[] =>
  connection.reading(() =>
    keys.flatMap((key) => connection.all(selectReservation, digestColumn(key)).map(reservationOf)),
  );

const newestOfDomain = `${selectCacheEntries} where project = ? and domain = ? order by created_at_ms desc, rowid desc limit ?`;
const newestOfTask = `${selectCacheEntries} where project = ? and domain = ? and task = ?
  order by created_at_ms desc, rowid desc limit ?`;

export function listCacheEntries(connection: Connection, filter: CacheFilter, limit: number): readonly CacheEntry[] {
  const { project, domain, task } = filter;
  const rows =
    task === undefined
      ? connection.all(newestOfDomain, project, domain, limit)
      : connection.all(newestOfTask, project, domain, task, limit);
  return rows.map(cacheEntryOf);
}
