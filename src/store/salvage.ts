// Saves the rows of a database file that is damaged: what can be read is copied into a new file, row by
// row around what cannot; the old file is kept. A third door of the store, for `godwit doctor --repair`.
//
// R1  The damaged file is only read, never opened by SQLite: that would drop what its log still holds.
// R2  The new file is whole and durable before it takes the old one's place.
// R3  What is copied belongs together: an action without its run or its parent is left out. A parent that
//     runs again makes the same call, so that what was left out is computed anew.
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { Connection } from "./connection.ts";
import { EngineLocks } from "./engine-locks.ts";
import { adoptRows, copyTable } from "./row-copy.ts";
import { migrate } from "./schema.ts";
import { mendRows } from "./soundness.ts";
import { readWal, type WalFile } from "./wal-file.ts";

export type Salvage = {
  /** Where the damaged file and its log lie now. */
  readonly keptIn: string;
  /** Rows that were copied, by table. */
  readonly copied: { readonly [table: string]: number };
  /** Stretches of rows that could not be read, over all tables. */
  readonly gaps: number;
  /** Names of runs that had actions left out. */
  readonly incompleteRuns: readonly string[];
};

/** What is wrong with the files before SQLite looks at them; null if nothing. */
export function fileDamage(path: string): string | null {
  const sizeBytes = existsSync(path) ? statSync(path).size : null;
  const wal = readWal(`${path}-wal`);
  if (sizeBytes === null || sizeBytes === 0) {
    if (wal === null) return null;
    return `The database ${path} is ${sizeBytes === null ? "missing" : "empty"}, but its log ${path}-wal has ${wal.offsets.size} pages of it.`;
  }
  if (wal === null || wal.damagedFrames === 0) return null;
  return `The log ${path}-wal is damaged: ${wal.damagedFrames} of its ${wal.frames} records cannot be read.`;
}

// Of every Godwit database; see https://www.sqlite.org/fileformat2.html for what lies where.
const pageBytes = 4_096;
const headerBytes = 100;

// Not attempt, attachment and sweep: those belong to actions, see row-copy.ts. Counts are counted anew;
// engines and reservations are of processes that have ended.
const tables = ["document", "run", "action", "cache_entry", "record"];

/** Rejects with `failed_precondition` if a living process uses the file, or if it is another program's. */
export function salvage(path: string, keepIn: string): Salvage {
  checkUnused(path);
  const [image, fresh] = [`${path}-image`, `${path}-new`];
  for (const file of [image, fresh, `${fresh}-wal`, `${fresh}-shm`]) rmSync(file, { force: true });
  try {
    writeImage(path, image, readWal(`${path}-wal`));
    const result = copyRows(image, fresh);
    swap(path, fresh, keepIn);
    return { ...result, keptIn: keepIn };
  } finally {
    for (const file of [image, fresh, `${fresh}-wal`, `${fresh}-shm`]) rmSync(file, { force: true });
  }
}

function checkUnused(path: string): void {
  const directory = join(dirname(path), "engines");
  const locks = new EngineLocks(directory);
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".lock")) : [];
  const live = names.filter((name) => locks.isHeld(name.slice(0, -".lock".length)));
  if (live.length === 0) return;
  throw new GodwitError(
    "failed_precondition",
    `${live.length} godwit ${live.length === 1 ? "process serves" : "processes serve"} runs of ${dirname(path)} right now. End them, then repair.`,
  );
}

/** R1. The file as its last commit left it, as far as it is there. */
function writeImage(path: string, image: string, wal: WalFile | null): void {
  if (existsSync(path)) copyFileSync(path, image);
  const file = openSync(image, existsSync(image) ? "r+" : "w+");
  try {
    if (wal !== null) overlay(file, `${path}-wal`, wal);
    const pages = Math.floor(statSync(image).size / pageBytes);
    ftruncateSync(file, pages * pageBytes);
    const header = Buffer.alloc(headerBytes);
    if (readSync(file, header, 0, headerBytes, 0) === headerBytes)
      writeSync(file, fitted(header, pages), 0, headerBytes, 0);
  } finally {
    closeSync(file);
  }
}

/** The first page's header as one that SQLite opens, with a log that there is not and a size that is not any more put right. */
function fitted(header: Buffer, pages: number): Buffer {
  header.fill(1, 18, 20); // No write-ahead log.
  header.writeUInt32BE(pages, 28);
  header.fill(0, 32, 40); // No free pages, as far as we know.
  header.copy(header, 92, 24, 28); // The size is of the last change.
  return header;
}

function overlay(file: number, walPath: string, { offsets, pages }: WalFile): void {
  const log = openSync(walPath, "r");
  try {
    const page = Buffer.alloc(pageBytes);
    for (const [number, offset] of offsets) {
      readSync(log, page, 0, pageBytes, offset);
      writeSync(file, page, 0, pageBytes, (number - 1) * pageBytes);
    }
    ftruncateSync(file, pages * pageBytes);
  } finally {
    closeSync(log);
  }
}

function copyRows(image: string, fresh: string): Omit<Salvage, "keptIn"> {
  const to = new Connection({ path: fresh });
  try {
    migrate(to);
    // One sync at the end is enough (R2); the tables' first page has to be in the file now.
    to.exec("pragma foreign_keys = off; pragma wal_checkpoint(truncate); pragma synchronous = off");
    const from = opened(image, fresh);
    const copied: Record<string, number> = {};
    let gaps = 0;
    if (from === null) return { copied, gaps: 1, incompleteRuns: [] };
    try {
      for (const table of tables) {
        const result = copyTable(from, to, table);
        copied[table] = result.rows;
        gaps += result.gaps;
      }
      const incompleteRuns = adoptRows(from, to);
      to.exec("pragma foreign_keys = on");
      mendRows(to);
      return { copied, gaps, incompleteRuns };
    } finally {
      from.close();
    }
  } finally {
    to.exec("pragma synchronous = full; pragma wal_checkpoint(truncate)");
    to.close();
  }
}

/** Null if nothing of it can be read. */
function opened(image: string, fresh: string): Connection | null {
  const usable = connectionOrNull(image);
  if (usable !== null) return usable;
  // The tables of every Godwit database begin at the same pages: its first page can be had from a new one.
  if (statSync(image).size <= pageBytes) return null;
  replaceFirstPage(image, fresh);
  return connectionOrNull(image);
}

function connectionOrNull(image: string): Connection | null {
  let connection: Connection | null = null;
  try {
    connection = new Connection({ path: image });
    const names = connection.all("select name from sqlite_schema where type = 'table'").flat();
    if (names.includes("run") && names.includes("action")) return connection;
    if (names.length > 0)
      throw new GodwitError(
        "failed_precondition",
        "The file is another program's database. Use another data directory, with --data-dir.",
      );
  } catch (error) {
    if (error instanceof GodwitError && error.code === "failed_precondition") {
      connection?.close();
      throw error;
    }
    // Whatever it is that cannot be read: the caller tries otherwise.
  }
  connection?.close();
  return null;
}

function replaceFirstPage(image: string, fresh: string): void {
  const [from, to] = [openSync(fresh, "r"), openSync(image, "r+")];
  try {
    const page = Buffer.alloc(pageBytes);
    readSync(from, page, 0, pageBytes, 0);
    fitted(page, statSync(image).size / pageBytes);
    writeSync(to, page, 0, pageBytes, 0);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** R2. The log goes first: it must never be applied to the new file. */
function swap(path: string, fresh: string, keepIn: string): void {
  mkdirSync(keepIn, { recursive: true });
  if (existsSync(path)) linkSync(path, join(keepIn, basename(path)));
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, join(keepIn, `${basename(path)}-wal`));
  rmSync(`${path}-shm`, { force: true });
  renameSync(fresh, path);
  for (const directory of [keepIn, dirname(path)]) syncDirectory(directory);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  fsyncSync(directory);
  closeSync(directory);
}
