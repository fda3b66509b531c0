// Lines over pipes, for the two ends of protocol.ts. Everything that is said in one turn of the event
// loop is written at once, so that a thousand small messages cost one system call and not a thousand.
//
// R1  The pool's end never blocks: while the pipe is full, messages wait in memory.
// R2  The worker's end blocks while the pipe is full. A task that prints faster than the pool reads is
//     slowed down, and what was said just before the process ends is not lost.
import { writeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { GodwitError } from "../core/error.ts";

/** 64 MiB: a thousand calls with inline inputs are 5. */
export const maxLineBytes = 64 * 1024 * 1024;

const newline = 10;

/** Calls back with each whole line, without its end. `onTooLong` once, then no more lines. */
export function readLines(
  readable: Readable,
  onLine: (line: string) => void,
  onTooLong: () => void,
  limitBytes: number = maxLineBytes,
): void {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  let isOver = false;
  readable.on("data", (chunk: Buffer) => {
    if (isOver) return;
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const rest = chunk.subarray(from, at);
      from = at + 1;
      if (parts.length === 0) {
        onLine(rest.toString("utf8"));
        continue;
      }
      parts.push(rest);
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      sizeBytes = 0;
      onLine(line);
    }
    if (from === chunk.length) return;
    parts.push(chunk.subarray(from));
    sizeBytes += chunk.length - from;
    if (sizeBytes > limitBytes) {
      isOver = true;
      parts = [];
      onTooLong();
    }
  });
}

function lineOf(message: unknown): string {
  const text = JSON.stringify(message);
  // UTF-8 takes at most three bytes for each of JavaScript's characters.
  if (text.length * 3 > maxLineBytes && Buffer.byteLength(text) >= maxLineBytes) {
    throw new GodwitError(
      "resource_exhausted",
      `A message of ${text.length} characters is too long; pass large values as files.`,
    );
  }
  return text;
}

/** How long what nobody waits for may wait for company. */
const laterMs = 10;

/** R1. */
export class MessageWriter<Message> {
  readonly #pipe: Writable;
  #lines: string[] = [];
  #isScheduled = false;
  #isFull = false;
  #whenWritable: PromiseWithResolvers<void> | null = null;
  #later: NodeJS.Timeout | null = null;

  constructor(pipe: Writable) {
    this.#pipe = pipe;
    pipe.on("drain", () => {
      this.#isFull = false;
      this.#flush();
      if (!this.#isFull) this.#release();
    });
    // A reader that is gone is noticed by its exit; nobody is to wait for it until then.
    pipe.on("error", () => this.#release());
    pipe.on("close", () => this.#release());
  }

  /** Throws `resource_exhausted` if the message is longer than a line may be. */
  send(message: Message): void {
    this.#lines.push(lineOf(message));
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** For what nobody waits for: it goes with the next message, and wakes the reader by itself only `laterMs` later. */
  sendLater(message: Message): void {
    this.#lines.push(lineOf(message));
    this.#later ??= setTimeout(() => this.#flush(), laterMs).unref();
  }

  /** For senders that can wait: resolves when the pipe takes more, or is gone. */
  writable(): Promise<void> {
    if (!this.#isFull || this.#pipe.destroyed) return Promise.resolve();
    this.#whenWritable ??= Promise.withResolvers();
    return this.#whenWritable.promise;
  }

  /** Lets the reader come to the end of what was sent. */
  end(): void {
    this.#isFull = false;
    this.#flush();
    this.#pipe.end();
  }

  #flush(): void {
    if (this.#later !== null) clearTimeout(this.#later);
    this.#later = null;
    if (this.#isFull || this.#lines.length === 0 || !this.#pipe.writable) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#isFull = !this.#pipe.write(`${lines.join("\n")}\n`);
  }

  #release(): void {
    this.#whenWritable?.resolve();
    this.#whenWritable = null;
  }
}

/** More than this many characters do not wait for the end of the turn: the pool begins with them meanwhile. */
const flushLength = 128 * 1024;

/** R2. */
export class BlockingWriter<Message> {
  readonly #fd: number;
  #lines: string[] = [];
  #length = 0;
  #isScheduled = false;
  /** Called before each flush: what is told in sums is added up there, and may be sent from there. */
  beforeFlush: () => void = () => undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Throws `resource_exhausted` if the message is longer than a line may be. */
  send(message: Message): void {
    const line = lineOf(message);
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length > flushLength) this.flush();
    else this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      try {
        this.flush();
      } finally {
        // Only now: what `beforeFlush` sends goes with this flush.
        this.#isScheduled = false;
      }
    });
  }

  flush(): void {
    this.beforeFlush();
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#length = 0;
    writeAll(this.#fd, Buffer.from(text));
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The pool is gone: the end of the other pipe will end this process.
      if (code === "EPIPE" || code === "ECONNRESET") return;
      if (code !== "EAGAIN") throw error;
      // Somebody made the pipe non-blocking. Let the reader catch up.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
