// What a process prints, line by line to the logs, and its last lines, which explain a failure.
import type { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { assert } from "../core/error.ts";
import type { AttemptRef, LogLine } from "../core/messages.ts";
import type { LogSink } from "./executor.ts";
import { drainMs } from "./pipes.ts";
import { PrintedLines } from "./printed-lines.ts";

const tailLines = 20;
const tailLineChars = 500;

export type Tails = { readonly stdout: readonly string[]; readonly stderr: readonly string[] };

export type Printing = {
  readonly attempt: AttemptRef;
  readonly logs: LogSink;
  /** For the time of log lines. */
  readonly clock?: Pick<Clock, "nowMs"> | undefined;
};

/** Both streams of one process. */
export class Captures {
  readonly #stdout: Capture;
  readonly #stderr: Capture;

  constructor(streams: { readonly stdout: Readable | null; readonly stderr: Readable | null }, printing: Printing) {
    const log = (stream: LogLine["stream"], texts: readonly string[]): void => {
      const atMs = printing.clock?.nowMs() ?? Date.now();
      printing.logs.append(
        printing.attempt,
        texts.map((text) => ({ atMs, stream, text })),
      );
    };
    this.#stdout = new Capture(streams.stdout, (texts) => log("stdout", texts));
    this.#stderr = new Capture(streams.stderr, (texts) => log("stderr", texts));
  }

  /** After the process has ended. */
  async drained(): Promise<void> {
    await Promise.all([this.#stdout.drained(), this.#stderr.drained()]);
  }

  get tails(): Tails {
    return { stdout: this.#stdout.tail, stderr: this.#stderr.tail };
  }
}

/** Reads one stream to its end. */
class Capture {
  tail: readonly string[] = [];
  readonly #stream: Readable;
  readonly #closed: Promise<void>;
  readonly #onLines: (lines: readonly string[]) => void;

  constructor(stream: Readable | null, onLines: (lines: readonly string[]) => void) {
    assert(stream !== null, "a captured stream is a pipe");
    this.#stream = stream;
    this.#onLines = onLines;
    const lines = new PrintedLines();
    stream.on("data", (chunk: Uint8Array) => this.#take(lines.push(chunk)));
    this.#closed = new Promise((resolve) => {
      stream.once("error", () => stream.destroy()); // The other end is gone: there is nothing more.
      stream.once("close", () => {
        this.#take(lines.end());
        resolve();
      });
    });
  }

  async drained(): Promise<void> {
    const late = setTimeout(() => this.#stream.destroy(), drainMs);
    await this.#closed;
    clearTimeout(late);
  }

  #take(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.tail = [...this.tail, ...lines].slice(-tailLines).map((line) => line.slice(0, tailLineChars));
    this.#onLines(lines);
  }
}
