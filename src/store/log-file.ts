// Makes the write-ahead log durable without keeping the thread that commits: SQLite is told not to wait
// for the disk (`synchronous = normal`), and the wait is done here, by libuv.
//
// R1  The same as `synchronous = full`. There, SQLite syncs the log once after the frames of a commit
//     (wal.c, walFrames: `WAL_SYNC_FLAGS(sync_flags)`, set by pager.c only when full) before it returns;
//     that very call is made here, after it has returned. What has to be ordered around checkpoints is
//     synced in both modes (`CKPT_SYNC_FLAGS`): the header of a log that starts over, before its first
//     frames; the log, before its pages go to the database file; that file, before the log starts over.
//     So a commit that was synced is in the log or in the database, and one that was not is wholly gone
//     or wholly there, together with all before it. https://www.sqlite.org/pragma.html#pragma_synchronous
// R2  The descriptor is of the log that SQLite writes: it is made when the database is first read, and
//     only the last connection that closes removes it. SQLite keeps no locks on this file, so that closing
//     the descriptor takes none away.
import { close, closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** What a commit has to reach to be durable. */
export type Log = {
  /** Resolves when all that had been written at the call is on the disk. */
  readonly sync: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const syncFile = promisify(fdatasync);

/** Of a database in WAL mode that an open connection has read. */
export function openLog(databasePath: string): Log {
  const descriptor = openSync(`${databasePath}-wal`, "r+");
  syncDirectory(dirname(databasePath));
  return {
    sync: () => syncFile(descriptor),
    close: () => promisify(close)(descriptor),
  };
}

/** So that the names of files that were just made outlive a power failure. */
function syncDirectory(path: string): void {
  // Windows keeps names without being asked, and does not open directories.
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
