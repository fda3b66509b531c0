// Keeps what tasks print: one file of JSON lines per attempt, `<run>/<action>/<attempt>.jsonl`.
//
// R1  `append` never waits, and fails only for a name that is no attempt's. What cannot be kept (the queue or the attempt's share is
//     full, the disk is) is counted, and a line in its place says how much is missing and why.
// R2  A file can be read while it is written, by other processes too. A line counts once its newline
//     is there: one that was torn by a crash is skipped, and what comes after it starts a line anew.
// R3  One process at a time appends to an attempt: the one that runs it.
import { appendFile, mkdir, open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { type AttemptId, type AttemptRef, attemptId, type LogLine } from "../core/messages.ts";
import { readLines } from "./reader.ts";

export type ReadOptions = {
  /** Go on until the attempt has ended. */
  readonly follow: boolean;
  /** Ends the reading, without an error. */
  readonly signal: AbortSignal;
  /** Whether the attempt can print nothing more. Asked now and then while following. */
  readonly isEnded: () => Promise<boolean> | boolean;
};

export type LogProblem = { readonly path: string; readonly message: string; readonly lostLines: number };

export interface Logs {
  /** R1. */
  append(attempt: AttemptRef, lines: readonly LogLine[]): void;
  /** In the order in which they were printed. Nothing if nothing was printed. */
  read(attempt: AttemptRef, options: ReadOptions): AsyncIterable<LogLine>;
  /** Numbers of the attempts that have printed something, ascending. */
  attempts(run: number, action: string): Promise<readonly number[]>;
  /** Attempts of which lines are missing now because they could not be written. */
  problems(): readonly LogProblem[];
  /** Writes what is queued. */
  close(): Promise<void>;
}

export type LogLimits = {
  /** Characters of one line; a longer one becomes several, marked. */
  readonly lineChars: number;
  /** Of one attempt's file; what comes after is left out, and a last line says so. */
  readonly attemptBytes: number;
  /** Characters that wait to be written, of all attempts together. */
  readonly queueChars: number;
};

export const logLimits: LogLimits = {
  lineChars: 64 * 1024,
  attemptBytes: 64 * 1024 * 1024,
  queueChars: 16 * 1024 * 1024,
};

/** A file is open only while a batch is written to it, so this bounds the open files. */
const maxWriters = 8;
/** Attempts remembered; of others the file itself says all that is needed. */
const maxRemembered = 10_000;

/** The directory is made with the first line. */
export const openLogs = (dir: string, limits: LogLimits = logLimits): Logs => new FileLogs(dir, limits);

/** Stands for so many lines that were printed: more than one if it says how many are missing. */
type Queued = { readonly line: LogLine; readonly standsFor: number };

type Writer = {
  readonly path: string;
  queue: Queued[];
  /** Size of the file; null: not known, look at it first. */
  sizeBytes: number | null;
  /** Not told of in the queue yet. */
  lostLines: number;
  reason: string;
  /** Settles when everything that was queued when it began has been written or given up. */
  writing: Promise<void> | null;
};

class FileLogs implements Logs {
  readonly #dir: string;
  readonly #limits: LogLimits;
  /** Least recently used first. */
  readonly #writers = new Map<AttemptId, Writer>();
  readonly #ready = new Set<Writer>();
  #queuedChars = 0;
  #running = 0;

  constructor(dir: string, limits: LogLimits) {
    this.#dir = dir;
    this.#limits = limits;
  }

  append(attempt: AttemptRef, lines: readonly LogLine[]): void {
    const writer = this.#writer(attempt);
    for (const line of lines) {
      for (const part of split(line, this.#limits.lineChars)) {
        if (this.#queuedChars + weight(part) > this.#limits.queueChars) {
          lose(writer, 1, "it was printed faster than the disk could take it");
          continue;
        }
        tellLost(writer, part.atMs);
        this.#queuedChars += weight(part);
        writer.queue.push({ line: part, standsFor: 1 });
      }
    }
    if (writer.queue.length === 0) return;
    this.#ready.add(writer);
    this.#pump();
  }

  async *read(attempt: AttemptRef, options: ReadOptions): AsyncIterable<LogLine> {
    const path = this.#path(attempt);
    const written = (): Promise<void> => this.#written(attemptId(attempt));
    yield* readLines(path, { ...options, written });
  }

  async attempts(run: number, action: string): Promise<readonly number[]> {
    const folder = dirname(this.#path({ run, action, attempt: 1 }));
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw new GodwitError("failed_precondition", `Cannot read the logs in ${folder}: ${error.message}.`, {
        cause: error,
      });
    });
    return names
      .map((name) => Number(/^(\d+)\.jsonl$/.exec(name)?.[1] ?? Number.NaN))
      .filter((attempt) => !Number.isNaN(attempt))
      .sort((a, b) => a - b);
  }

  problems(): readonly LogProblem[] {
    return [...this.#writers.values()]
      .filter(({ lostLines }) => lostLines > 0)
      .map(({ path, reason, lostLines }) => ({ path, message: reason, lostLines }));
  }

  async close(): Promise<void> {
    // A last try to say what is missing.
    for (const writer of this.#writers.values()) {
      if (writer.lostLines === 0) continue;
      tellLost(writer, Date.now());
      this.#ready.add(writer);
    }
    this.#pump();
    while (this.#running > 0) await Promise.all([...this.#writers.values()].map(({ writing }) => writing));
  }

  /** When all that was appended before this call is written or given up. */
  async #written(id: AttemptId): Promise<void> {
    const writer = this.#writers.get(id);
    while (writer !== undefined && (writer.writing !== null || this.#ready.has(writer))) {
      await (writer.writing ?? Promise.race([...this.#writers.values()].flatMap((other) => other.writing ?? [])));
    }
  }

  #writer(attempt: AttemptRef): Writer {
    const id = attemptId(attempt);
    const known = this.#writers.get(id);
    const writer = known ?? {
      path: this.#path(attempt),
      queue: [],
      sizeBytes: null,
      lostLines: 0,
      reason: "",
      writing: null,
    };
    this.#writers.delete(id);
    this.#writers.set(id, writer);
    if (known === undefined && this.#writers.size > maxRemembered) this.#forget();
    return writer;
  }

  /** The one used longest ago that nothing is due for. */
  #forget(): void {
    for (const [id, writer] of this.#writers) {
      if (writer.writing === null && !this.#ready.has(writer)) {
        this.#writers.delete(id);
        return;
      }
    }
  }

  #pump(): void {
    for (const writer of this.#ready) {
      if (this.#running >= maxWriters) return;
      if (writer.writing !== null) continue;
      this.#ready.delete(writer);
      this.#running++;
      writer.writing = this.#write(writer).finally(() => {
        writer.writing = null;
        this.#running--;
        this.#pump();
      });
    }
  }

  async #write(writer: Writer): Promise<void> {
    const queued = writer.queue;
    writer.queue = [];
    for (const { line, standsFor } of queued) if (standsFor === 1) this.#queuedChars -= weight(line);
    try {
      const lead = writer.sizeBytes === null ? await inspect(writer) : "";
      const bytes = Buffer.from(lead + this.#fitting(writer, queued));
      await appendFile(writer.path, bytes);
      writer.sizeBytes = (writer.sizeBytes ?? 0) + bytes.length;
      if (writer.lostLines === 0 || writer.queue.length > 0) return;
      tellLost(writer, Date.now());
      this.#ready.add(writer);
    } catch (error) {
      writer.sizeBytes = null;
      const count = queued.reduce((sum, { standsFor }) => sum + standsFor, 0);
      lose(writer, count, `it could not be written (${(error as Error).message})`);
    }
  }

  /** The lines as text, up to the attempt's share. */
  #fitting(writer: Writer, queued: readonly Queued[]): string {
    const { attemptBytes } = this.#limits;
    let sizeBytes = writer.sizeBytes ?? 0;
    let text = "";
    for (const { line } of queued) {
      if (sizeBytes >= attemptBytes) break;
      const json = `${JSON.stringify(line)}\n`;
      sizeBytes += Buffer.byteLength(json);
      text += json;
      if (sizeBytes < attemptBytes) continue;
      const message = `This attempt has printed ${attemptBytes} bytes, which is all that is kept; the rest was left out.`;
      text += `${JSON.stringify(note(message, line.atMs))}\n`;
    }
    return text;
  }

  #path({ run, action, attempt }: AttemptRef): string {
    const isSafe =
      Number.isSafeInteger(run) && Number.isSafeInteger(attempt) && /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/.test(action);
    if (!isSafe) {
      const name = JSON.stringify(`${run}/${action}/${attempt}`);
      throw new GodwitError(
        "invalid_argument",
        `${name} is not the name of an attempt: run/action/attempt was expected, with letters, digits, "_", "-" and "." in the action.`,
      );
    }
    return join(this.#dir, String(run), action, `${attempt}.jsonl`);
  }
}

/** Empty lines take memory too. */
const weight = (line: LogLine): number => line.text.length + 64;

function lose(writer: Writer, lines: number, reason: string): void {
  writer.lostLines += lines;
  writer.reason = reason;
}

/** Queues the notice where the lines are missing. */
function tellLost(writer: Writer, atMs: number): void {
  if (writer.lostLines === 0) return;
  const lines = writer.lostLines === 1 ? "1 line is" : `${writer.lostLines} lines are`;
  writer.queue.push({ line: note(`${lines} missing here: ${writer.reason}.`, atMs), standsFor: writer.lostLines });
  writer.lostLines = 0;
}

/** Godwit's own words among those of the task. */
const note = (message: string, atMs: number): LogLine => ({ atMs, stream: "stderr", text: `[godwit] ${message}` });

/** Makes the directory and learns the file's size. Returns what has to come first: a newline after a torn line (R2). */
async function inspect(writer: Writer): Promise<string> {
  await mkdir(dirname(writer.path), { recursive: true });
  const file = await open(writer.path, "a+");
  try {
    const { size } = await file.stat();
    writer.sizeBytes = size;
    if (size === 0) return "";
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer.toString() === "\n" ? "" : "\n";
  } finally {
    await file.close();
  }
}

function split(line: LogLine, lineChars: number): readonly LogLine[] {
  if (line.text.length <= lineChars) return [line];
  const parts: LogLine[] = [];
  for (let start = 0; start < line.text.length; ) {
    let end = Math.min(start + lineChars, line.text.length);
    // Not between the halves of one character.
    if (end < line.text.length && /[\uD800-\uDBFF]/.test(line.text.charAt(end - 1))) end--;
    const mark = end < line.text.length ? " […]" : "";
    parts.push({ ...line, text: line.text.slice(start, end) + mark });
    start = end;
  }
  return parts;
}
