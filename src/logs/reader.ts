// Reads a file of JSON lines, and goes on reading while it grows.
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { GodwitError } from "../core/error.ts";
import type { LogLine } from "../core/messages.ts";

export type Following = {
  readonly follow: boolean;
  readonly signal: AbortSignal;
  readonly isEnded: () => Promise<boolean> | boolean;
  /** Resolves when this process has written what it has queued for the file. */
  readonly written: () => Promise<void>;
};

/** How often a growing file is looked at: soon enough for a person who watches. */
const pollMs = 100;
const chunkBytes = 64 * 1024;
/** No line that was written whole is longer; what is, is damage and is passed over. */
const maxLineBytes = 1024 * 1024;

export async function* readLines(path: string, following: Following): AsyncIterable<LogLine> {
  const { follow, signal } = following;
  const file = new GrowingFile(path);
  try {
    for (let endedRounds = 0; !signal.aborted; ) {
      if (!follow || (await following.isEnded())) endedRounds++;
      await following.written();
      for await (const line of file.newLines()) {
        if (signal.aborted) return;
        yield line;
      }
      // Another process may write its last lines a moment after the attempt's end is known: one more round.
      if (endedRounds > (follow ? 1 : 0)) return;
      await setTimeout(pollMs, undefined, { signal }).catch(() => {}); // Only an abort rejects: the loop ends.
    }
  } finally {
    await file.close();
  }
}

class GrowingFile {
  readonly #path: string;
  #file: FileHandle | null = null;
  #position = 0;
  /** The line whose newline is still to come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  async *newLines(): AsyncIterable<LogLine> {
    // Most tasks print nothing, and asking costs far less than failing to open.
    if (this.#file === null && !existsSync(this.#path)) return;
    this.#file ??= await openOrNull(this.#path);
    if (this.#file === null) return;
    const chunk = Buffer.alloc(chunkBytes);
    for (;;) {
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#rest = bytes.length - end > maxLineBytes ? Buffer.alloc(0) : bytes.subarray(end);
      for (const text of bytes.toString("utf8", 0, end).split("\n")) {
        const line = parsed(text);
        if (line !== null) yield line;
      }
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await open(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null; // Nothing has been printed yet.
    throw new GodwitError("failed_precondition", `Cannot read the log ${path}: ${message}.`, { cause: error });
  }
}

/** Null for what is no line: the empty text behind the last one, and what a crash has torn. */
function parsed(text: string): LogLine | null {
  if (text === "") return null;
  try {
    const line = JSON.parse(text) as LogLine;
    return typeof line?.text === "string" ? line : null;
  } catch {
    return null;
  }
}
