// The embedded store: a SQLite file in WAL mode that several processes may open at once.
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { GodwitError } from "../core/error.ts";
import * as actionReads from "./action-reads.ts";
import * as cacheReads from "./cache-reads.ts";
import { ChangeFeed } from "./change-feed.ts";
import * as claimReads from "./claim-reads.ts";
import { CommitQueue } from "./commit-queue.ts";
import { Connection, type ConnectionOptions, isBusy, memoryPath } from "./connection.ts";
import { EngineLocks, MemoryEngineLocks } from "./engine-locks.ts";
import { allocate, engines, forget, publish, register } from "./engines.ts";
import * as runReads from "./run-reads.ts";
import { migrate } from "./schema.ts";
import { findings } from "./soundness.ts";
import { maxRowsPerRead, type Store } from "./store.ts";

export type SqliteOptions = ConnectionOptions;

/**
 * Opens the store in the file, which is made if there is none, or ":memory:". Engines' marks of life
 * are in the directory `engines` beside it. Rejects with `failed_precondition` if a newer Godwit wrote
 * the file, and with `data_loss` if it is damaged or something else.
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  if (options.path !== memoryPath) makeDirectory(options.path);
  checkFiles(options.path);
  const connection = new Connection(options);
  try {
    await migrateWhenFree(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
  return sqliteStore(connection);
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    const isFull = (cause as NodeJS.ErrnoException).code === "ENOSPC";
    const found = (cause as Error).message;
    const message = `The directory of the database ${path} cannot be made (${found}). Check the disk and who may write there.`;
    throw new GodwitError(isFull ? "resource_exhausted" : "permission_denied", message, { cause });
  }
}

// SQLite takes a file that is missing or empty for a new database, and removes the log beside it.
function checkFiles(path: string): void {
  const hasBytes = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (path === memoryPath || hasBytes(path) || !hasBytes(`${path}-wal`)) return;
  throw new GodwitError(
    "data_loss",
    `The database ${path} is missing or empty, but its log ${path}-wal is there. Nothing has been touched: run \`godwit doctor --repair\` to make the database again from its log, or restore both from a backup.`,
  );
}

const openTries = 50;
const openRetryMs = 100;

// The switch to WAL needs the file for itself for a moment, and SQLite does not wait for that.
async function migrateWhenFree(connection: Connection): Promise<void> {
  for (let left = openTries; ; left--) {
    try {
      migrate(connection);
      return;
    } catch (error) {
      if (left === 0 || !isBusy(error)) throw error;
      await delay(openRetryMs);
    }
  }
}

/** The store over a connection whose file has been migrated. */
export function sqliteStore(connection: Connection): Store {
  const feed = new ChangeFeed(connection);
  const queue = new CommitQueue(connection, (committed) => feed.tell(committed));
  const locks =
    connection.path === memoryPath
      ? new MemoryEngineLocks()
      : new EngineLocks(join(dirname(connection.path), "engines"));
  const read = async <T>(query: () => T): Promise<T> => {
    checkOpen(connection);
    return query();
  };
  const limited = async <T>(rows: number, query: () => T): Promise<T> => {
    checkLimit(rows);
    return read(query);
  };
  return {
    commit: async (changes, durability = "synced") => {
      checkOpen(connection);
      return queue.commit(changes, durability);
    },
    run: (project, domain, name) => read(() => runReads.run(connection, project, domain, name)),
    runsById: (ids) => limited(ids.length, () => runReads.runsById(connection, ids)),
    runs: (filter, limit) => limited(limit, () => runReads.runs(connection, filter, limit)),
    counts: (run, parent) => read(() => actionReads.counts(connection, run, parent)),
    actions: (keys) => limited(keys.length, () => actionReads.actions(connection, keys)),
    listActions: (filter, limit) => limited(limit, () => actionReads.listActions(connection, filter, limit)),
    changedActions: (query) => limited(query.limit, () => actionReads.changedActions(connection, query)),
    attempts: (key) => read(() => runReads.attempts(connection, key)),
    lanes: (run, limit) => limited(limit, () => claimReads.lanes(connection, run, limit)),
    claimable: (lane, nowMs, limit) => limited(limit, () => claimReads.claimable(connection, lane, nowMs, limit)),
    due: (runs, nowMs, limit) => limited(limit, () => actionReads.due(connection, runs, nowMs, limit)),
    nextMomentMs: (runs, nowMs) => read(() => claimReads.nextMomentMs(connection, runs, nowMs)),
    leased: (runs, owner, limit) => limited(limit, () => actionReads.leased(connection, runs, owner, limit)),
    waiting: (cacheKeys, limit) => limited(limit, () => actionReads.waiting(connection, cacheKeys, limit)),
    activeChildren: (parent, limit) => limited(limit, () => actionReads.activeChildren(connection, parent, limit)),
    sweeps: (runs, limit) => limited(limit, () => runReads.sweeps(connection, runs, limit)),
    documents: (digests) => limited(digests.length, () => runReads.documents(connection, digests)),
    attachments: (keys, kind) => limited(keys.length, () => runReads.attachments(connection, keys, kind)),
    cacheEntries: (keys) => limited(keys.length, () => cacheReads.cacheEntries(connection, keys)),
    reservations: (keys) => limited(keys.length, () => cacheReads.reservations(connection, keys)),
    listCacheEntries: (filter, limit) => limited(limit, () => cacheReads.listCacheEntries(connection, filter, limit)),
    cachedTasks: (filter, limit) => limited(limit, () => cacheReads.cachedTasks(connection, filter, limit)),
    allocate: (engineId, held, totals) => read(() => allocate(connection, locks, engineId, { held, totals })),
    publish: (engineId, status) => read(() => publish(connection, engineId, status)),
    register: (engine) => read(() => register(connection, locks, engine)),
    engines: () => read(() => engines(connection, locks)),
    forget: (ids) => read(() => forget(connection, locks, ids)),
    onChange: (listener) => feed.listen(listener),
    verify: () => read(() => findings(connection)),
    close: async () => {
      if (!connection.isOpen) return;
      queue.drain();
      feed.close();
      locks.releaseAll();
      connection.close();
    },
  };
}

function checkOpen(connection: Connection): void {
  if (!connection.isOpen)
    throw new GodwitError("failed_precondition", `The store ${connection.path} is closed. Open it again.`);
}

function checkLimit(rows: number): void {
  if (Number.isInteger(rows) && rows >= 0 && rows <= maxRowsPerRead) return;
  throw new GodwitError(
    "invalid_argument",
    `A read of ${rows} rows is not possible: ask for at most ${maxRowsPerRead} at a time.`,
  );
}
