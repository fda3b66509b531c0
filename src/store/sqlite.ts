// The embedded store: a SQLite file in WAL mode that several processes may open at once.
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { GodwitError } from "../core/error.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { allReads, waysToRead } from "./all-reads.ts";
import { ChangeFeed } from "./change-feed.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CommitQueue } from "./commit-queue.ts";
import { Connection, type ConnectionOptions, isBusy, memoryPath } from "./connection.ts";
import { DurableReads } from "./durable-reads.ts";
import { EngineLocks, MemoryEngineLocks } from "./engine-locks.ts";
import { allocate, engines, forget, publish, register } from "./engines.ts";
import { type Log, openLog } from "./log-file.ts";
import { migrate } from "./schema.ts";
import { findings } from "./soundness.ts";
import type { Committed, Store } from "./store.ts";
import { unservedRuns } from "./unserved-runs.ts";

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
  return sqliteStore(connection, logOf(connection));
}

function logOf(connection: Connection): Log | null {
  if (connection.path === memoryPath || connection.isReadOnly) return null;
  try {
    return openLog(connection.path);
  } catch (cause) {
    connection.close();
    const found = (cause as Error).message;
    const message = `The database ${connection.path} cannot be brought safely to the disk (${found}). Check that you may write to its directory and to all files in it that begin with its name.`;
    throw new GodwitError("permission_denied", message, { cause });
  }
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

/** The store over a connection whose file has been migrated. `log`: its own; null if nothing has to be synced. */
export function sqliteStore(connection: Connection, log: Log | null): Store {
  // log-file.ts R1.
  if (log !== null) connection.exec("pragma synchronous = normal");
  const feed = new ChangeFeed(connection);
  const acknowledgements = new Acknowledgements(connection.path, log, () => queue.wake());
  const checkpointer = new Checkpointer(connection, () => queue.wake());
  const onCommitted = (committed: Committed): void => feed.tell(committed);
  const queue = new CommitQueue({ connection, acknowledgements, checkpointer, onCommitted });
  const locks =
    connection.path === memoryPath
      ? new MemoryEngineLocks()
      : new EngineLocks(join(dirname(connection.path), "engines"));
  let closing: Promise<void> | null = null;
  const checkOpen = (): void => {
    if (closing === null && connection.isOpen) return;
    throw new GodwitError("failed_precondition", `The store ${connection.path} is closed. Open it again.`);
  };
  const close = async (): Promise<void> => {
    queue.drain();
    // What failed has told those who asked.
    await acknowledgements.settled()?.catch(() => {});
    feed.close();
    await checkpointer.close();
    locks.releaseAll();
    connection.close();
    await log?.close();
  };
  const ways = waysToRead(new DurableReads(connection, acknowledgements), checkOpen);
  const { read, told } = ways;
  return {
    commit: async (changes, durability = "synced") => {
      checkOpen();
      return queue.commit(changes, durability);
    },
    ...allReads(connection, ways),
    allocate: (engineId, held, totals) => read(() => allocate(connection, locks, engineId, { held, totals })),
    publish: (engineId, status) => read(() => publish(connection, engineId, status)),
    register: (engine) => read(() => register(connection, locks, engine)),
    engines: () => told(() => engines(connection, locks)),
    forget: (ids) => read(() => forget(connection, locks, ids)),
    unservedRuns: (limit) => ways.readRows(limit, () => unservedRuns(connection, locks, limit)),
    onChange: (listener) => feed.listen(listener),
    verify: () => read(() => findings(connection)),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
