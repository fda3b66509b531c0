// Marks of life that end with their process, however it ends (store.ts R7): an engine holds an
// exclusive transaction on a small SQLite file of its own. The lock belongs to the process, so the
// operating system takes it away even after `kill -9`; a file that is left behind means nothing.
// Locks of one process end when it closes any descriptor of the file: open these files, like the
// database itself, through SQLite only, which knows.
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { GodwitError } from "../core/error.ts";
import { cannotOpen, databaseError, isBusy } from "./connection.ts";

// How long to wait for someone who is looking, just now, whether a dead engine of that id lives.
const probeMs = 100;

const idPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Locks of engines, as files of one directory. */
export class EngineLocks {
  readonly #directory: string;
  readonly #held = new Map<string, DatabaseSync>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  hold(id: string): void {
    checkId(id);
    if (this.#held.has(id)) throw alreadyHeld(id);
    mkdirSync(this.#directory, { recursive: true });
    const path = this.#path(id);
    try {
      while (!this.#tryHold(id, path));
    } catch (error) {
      throw isBusy(error) ? alreadyHeld(id) : databaseError(error, path);
    }
  }

  /** False: the file that was locked had lost its name meanwhile (`release`), which others can lock anew. */
  #tryHold(id: string, path: string): boolean {
    const before = inodeOf(path);
    const lock = new DatabaseSync(path, { timeout: probeMs });
    try {
      lock.exec("begin exclusive");
    } catch (error) {
      lock.close();
      throw error;
    }
    if (before === null || inodeOf(path) !== before) {
      lock.close();
      return false;
    }
    this.#held.set(id, lock);
    return true;
  }

  isHeld(id: string): boolean {
    if (this.#held.has(id)) return true;
    const path = this.#path(id);
    let lock: DatabaseSync | null = null;
    try {
      // A shared lock is enough to meet the exclusive one, and two who look do not meet each other.
      lock = new DatabaseSync(path, { readOnly: true, timeout: 0 });
      lock.prepare("select count(*) from sqlite_schema").get();
      return false;
    } catch (error) {
      if (isBusy(error)) return true;
      if (cannotOpen(error)) return false;
      throw databaseError(error, path);
    } finally {
      lock?.close();
    }
  }

  release(id: string): void {
    const lock = this.#held.get(id);
    this.#held.delete(id);
    // The name goes before the lock does, so that nobody can take the lock of a file that vanishes.
    rmSync(this.#path(id), { force: true });
    lock?.close();
  }

  releaseAll(): void {
    for (const id of [...this.#held.keys()]) this.release(id);
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.lock`);
  }
}

/** Null: there is no such file. */
const inodeOf = (path: string): number | null => statSync(path, { throwIfNoEntry: false })?.ino ?? null;

/** For a database in memory, which no other process can see. */
export class MemoryEngineLocks {
  readonly #held = new Set<string>();

  hold(id: string): void {
    checkId(id);
    if (this.#held.has(id)) throw alreadyHeld(id);
    this.#held.add(id);
  }

  isHeld(id: string): boolean {
    return this.#held.has(id);
  }

  release(id: string): void {
    this.#held.delete(id);
  }

  releaseAll(): void {
    this.#held.clear();
  }
}

// The id becomes a file's name.
function checkId(id: string): void {
  if (idPattern.test(id)) return;
  throw new GodwitError(
    "invalid_argument",
    `The engine id ${JSON.stringify(id)} is not allowed: use up to 100 letters, digits, dashes and underscores.`,
  );
}

const alreadyHeld = (id: string): GodwitError =>
  new GodwitError("already_exists", `An engine with the id ${id} is live. Register under another id.`);
