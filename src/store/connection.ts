// One connection to a SQLite file: its settings, its prepared statements, and its errors in words.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { type ReadOnlySource, readOnlySource } from "./read-only.ts";
import type { Row, SqlValue } from "./sql.ts";

export const memoryPath = ":memory:";

// How long another process may hold the database before a commit is refused. Its transactions take
// milliseconds; only a stopped process (a debugger, a suspended machine) gets here.
const busyTimeoutMs = 10_000;

/** Pages of 4 KiB in the log from which on it is moved into the database file: 16 MiB. SQLite's 1,000 are too few under load. */
export const checkpointPages = 4_000;

// A log that a long read kept from being reused is cut back to this, in bytes.
const maxIdleLogBytes = 64 * 1024 * 1024;

// In KiB. Taken as needed: the random index of a run of millions does not fit SQLite's default of 2 MiB.
const pageCacheKib = 64 * 1024;

const pageBytes = 4_096;

/** What opens a connection. */
export type ConnectionOptions = {
  readonly path: string;
  /** Writes that would make the database larger are refused with `resource_exhausted`. */
  readonly maxSizeBytes?: number;
};

const readOnlyWords = "is on a read-only file system: what is in it can be read, but nothing can run or be changed";

export class Connection {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #source: ReadOnlySource | null;
  // Bounded by the program: statements are texts of the source, and none is built from values.
  readonly #statements = new Map<string, StatementSync>();

  constructor(options: ConnectionOptions) {
    this.path = options.path;
    this.#source = options.path === memoryPath ? null : readOnlySource(options.path);
    const settings = { timeout: busyTimeoutMs, readOnly: this.#source !== null };
    this.#database = this.translated(() => new DatabaseSync(this.#source?.location ?? options.path, settings));
    this.exec(`pragma synchronous = full; pragma cache_size = ${-pageCacheKib};
      pragma wal_autocheckpoint = ${checkpointPages}; pragma journal_size_limit = ${maxIdleLogBytes}`);
    if (options.maxSizeBytes !== undefined) {
      this.exec(`pragma max_page_count = ${Math.ceil(options.maxSizeBytes / pageBytes)}`);
    }
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly Row[] {
    return this.translated(() => this.#statement(sql).all(...values) as unknown as Row[]);
  }

  first(sql: string, ...values: readonly SqlValue[]): Row | null {
    return this.translated(() => (this.#statement(sql).get(...values) as unknown as Row | undefined) ?? null);
  }

  /** The number in the first column of the first row. */
  number(sql: string, ...values: readonly SqlValue[]): number | null {
    return (this.first(sql, ...values)?.[0] ?? null) as number | null;
  }

  /** The id of the row that was inserted, if one was. */
  run(sql: string, ...values: readonly SqlValue[]): number {
    return this.translated(() => this.#statement(sql).run(...values).lastInsertRowid as number);
  }

  /** `run`, with its values in an array: for rows of many columns. */
  put(sql: string, row: readonly SqlValue[]): number {
    return this.translated(() => this.#statement(sql).run(...row).lastInsertRowid as number);
  }

  /** Statements without values, not kept prepared. */
  exec(sql: string): void {
    this.translated(() => this.#database.exec(sql));
  }

  /** Several reads that see one state, also while other processes commit. */
  reading<T>(read: () => T): T {
    if (this.#database.isTransaction) return read();
    this.run("begin");
    try {
      return read();
    } finally {
      // A failing disk may have ended it already.
      if (this.#database.isTransaction) this.run("rollback");
    }
  }

  /** All or nothing. */
  writing<T>(write: () => T): T {
    this.checkWritable();
    this.run("begin immediate");
    try {
      const result = write();
      this.run("commit");
      return result;
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (this.#database.isTransaction) this.run("rollback");
      throw error;
    }
  }

  /** How SQLite executes each statement it was asked so far, for tests of R5. */
  plans(): ReadonlyMap<string, string> {
    const plans = new Map<string, string>();
    for (const sql of this.#statements.keys()) {
      const steps = this.#database.prepare(`explain query plan ${sql}`).all();
      plans.set(sql, steps.map((step) => step.detail).join("; "));
    }
    return plans;
  }

  /** Pages of the log that are not, or were last, moved into the database file. */
  logPages(): number {
    return this.first("pragma wal_checkpoint(noop)")?.[1] as number;
  }

  /** Whether another connection of this process may move pages from the log (checkpointer.ts R3). */
  canMoveBeside(): boolean {
    const [major = 0, minor = 0, patch = 0] = (process.versions.sqlite ?? "0").split(".").map(Number);
    return major * 1_000_000 + minor * 1_000 + patch >= 3_051_003;
  }

  /** Changes when another connection has committed, and not when this one has. */
  dataVersion(): number {
    return this.number("pragma data_version") as number;
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  /** Its disk is: what is there can be read. */
  get isReadOnly(): boolean {
    return this.#source !== null;
  }

  checkWritable(): void {
    if (this.isReadOnly)
      throw new GodwitError(
        "permission_denied",
        `The database ${this.path} ${readOnlyWords}. Mount it writable first.`,
      );
  }

  close(): void {
    if (this.isOpen) this.#database.close();
    this.#source?.dispose();
  }

  #statement(sql: string): StatementSync {
    const prepared = this.#statements.get(sql);
    if (prepared !== undefined) return prepared;
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    this.#statements.set(sql, statement);
    return statement;
  }

  translated<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw databaseError(error, this.path);
    }
  }
}

/** SQLite's result code, without its extension, or null if the error is none of SQLite's. */
export function resultCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : null;
}

// https://www.sqlite.org/rescode.html
const busyCode = 5;
const lockedCode = 6;
const readOnlyCode = 8;
const ioErrorCode = 10;
const corruptCode = 11;
const fullCode = 13;
const cannotOpenCode = 14;
const constraintCode = 19;
const notADatabaseCode = 26;

/** Whether the error, in SQLite's words or ours, means that others hold the file. */
export const isBusy = (error: unknown): boolean => hasCode(error, busyCode) || hasCode(error, lockedCode);

/** Whether the error means that a constraint refused a row. */
export const isRefused = (error: unknown): boolean => hasCode(error, constraintCode);

/** Whether the error means that there is no such file. */
export const cannotOpen = (error: unknown): boolean => hasCode(error, cannotOpenCode);

const hasCode = (error: unknown, code: number): boolean =>
  resultCode(isGodwitError(error) ? error.cause : error) === code;

/** What a database's failure means to people, and what they can do. */
export function databaseError(cause: unknown, path: string): unknown {
  if (isGodwitError(cause)) return cause;
  const code = resultCode(cause);
  if (code === null) return cause;
  const found = (cause as Error).message;
  switch (code) {
    case busyCode:
    case lockedCode:
      return new GodwitError(
        "unavailable",
        `Another process kept the database ${path} locked for ${busyTimeoutMs / 1000} seconds. Look for a stopped godwit process, end it and try again.`,
        { cause },
      );
    case fullCode:
      return new GodwitError(
        "resource_exhausted",
        `There is no space left for the database ${path}. Nothing acknowledged is lost: free some space, then continue with \`godwit resume\`.`,
        { cause },
      );
    case notADatabaseCode:
    case corruptCode:
      return new GodwitError(
        "data_loss",
        `The file ${path} is damaged or is not a Godwit database (${found}). Run \`godwit doctor\` to see what is wrong, or restore the file from a backup.`,
        { cause },
      );
    case readOnlyCode:
    case cannotOpenCode:
      return new GodwitError(
        "permission_denied",
        `The database ${path} cannot be opened for writing (${found}). Check that its directory exists and that you may write to it and to the file.`,
        { cause },
      );
    case ioErrorCode:
      return new GodwitError(
        "unavailable",
        `Reading or writing the database ${path} failed (${found}). Check the disk, then continue with \`godwit resume\`.`,
        { cause },
      );
    default:
      return new GodwitError(
        "internal",
        `The database ${path} refused a row that Godwit made (${found}). This is a bug in Godwit.`,
        { cause },
      );
  }
}
