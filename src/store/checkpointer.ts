// Keeps the log short: what has been committed is moved into the database file beside the commits.
//
// R1  While pages are moved, commits go on. As long as they do, the log does not end where the moving
//     ends, and cannot start over; so the last few pages are moved while no commit of this process runs.
//     Those who wait for that have to wait for some milliseconds, and the loop for nothing.
// R2  The log is bounded: from `maxLogPages` on the thread waits for other processes and keeps them from
//     committing. If it cannot be kept below `lastLogPages`, commits are refused, with the reason.
// R3  If there can be no thread, or it dies, the connection does its work, after commits: with SQLite
//     before 3.51.3, which could damage a database that two connections moved pages to
//     (https://www.sqlite.org/wal.html#walresetbug), and cannot tell how long the log is.
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { CheckpointAnswer, CheckpointMode } from "./checkpoint-thread.ts";
import { type Connection, checkpointPages, databaseError, memoryPath } from "./connection.ts";

// 512 MiB, and 1 GiB.
const maxLogPages = 128_000;
const lastLogPages = 256_000;

/** So little is left that commits can wait for it (R1). */
const lastPages = 256;

/** Rounds beside commits before the last one. Each is as long as what was committed during the one before. */
const maxRounds = 5;

export class Checkpointer {
  readonly #connection: Connection;
  readonly #onFree: () => void;
  #thread: Worker | null = null;
  #isMoving = false;
  #isExclusive = false;
  #isClosed = false;
  #round = 0;
  #threshold = checkpointPages;
  #failure: unknown = null;

  /** `onFree` is called when commits may go on. */
  constructor(connection: Connection, onFree: () => void) {
    this.#connection = connection;
    this.#onFree = onFree;
    if (connection.path === memoryPath || !connection.canMoveBeside()) this.#isMoving = true;
    else connection.exec("pragma wal_autocheckpoint = 0");
  }

  /** Commits have to wait for `onFree` (R1). */
  get isExclusive(): boolean {
    return this.#isExclusive;
  }

  /** After each transaction. */
  committed(): void {
    if (this.#isMoving) return;
    const pages = this.#connection.logPages();
    if (pages < this.#threshold) return;
    this.#round = 0;
    this.#move(pages > maxLogPages ? "restart" : "passive");
  }

  /** R2: throws if the log has grown too long. */
  check(): void {
    if (this.#failure === null || this.#connection.logPages() < lastLogPages) return;
    throw databaseError(this.#failure, this.#connection.path);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    const exited = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
    thread.ref();
    thread.postMessage("close");
    await exited;
  }

  #move(mode: CheckpointMode): void {
    this.#thread ??= this.#start();
    this.#isMoving = true;
    // Commits may wait for it, and for nothing else.
    this.#thread.ref();
    this.#thread.postMessage(mode);
  }

  #start(): Worker {
    const program = new URL(`./checkpoint-thread${extname(import.meta.filename)}`, import.meta.url);
    const thread = new Worker(program, { workerData: this.#connection.path });
    thread.on("message", (answer: CheckpointAnswer) => this.#take(answer));
    thread.on("error", (error) => {
      this.#thread = null;
      this.#failure = error;
      this.#takeOver();
      this.#onFree();
    });
    return thread;
  }

  #take(answer: CheckpointAnswer): void {
    this.#isMoving = false;
    this.#thread?.unref();
    const wasExclusive = this.#isExclusive;
    this.#isExclusive = false;
    if (answer.type === "failed") {
      this.#failure = answer.failure;
      this.#threshold = this.#connection.isOpen ? this.#connection.logPages() + checkpointPages : 0;
    } else {
      this.#failure = null;
      this.#goOn(answer, wasExclusive);
    }
    if (wasExclusive && !this.#isExclusive) this.#onFree();
  }

  #goOn({ log, moved }: Extract<CheckpointAnswer, { type: "done" }>, wasExclusive: boolean): void {
    // Long reads, of other processes, keep what they need in the log.
    this.#threshold = Math.max(0, log - moved) + checkpointPages;
    if (wasExclusive || this.#isClosed || !this.#connection.isOpen) return;
    const left = this.#connection.logPages() - moved;
    if (left <= 0) return;
    this.#round++;
    this.#isExclusive = left <= lastPages || this.#round >= maxRounds;
    this.#move("passive");
  }

  /** R3. SQLite's own way, for good: whoever commits moves the pages. */
  #takeOver(): void {
    this.#isMoving = true;
    this.#isExclusive = false;
    if (this.#connection.isOpen) this.#connection.exec(`pragma wal_autocheckpoint = ${checkpointPages}`);
  }
}
