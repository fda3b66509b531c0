// What tasks print, line by line, with the attempt that printed it. Everything that is written to
// `process.stdout` and `process.stderr` (the console's lines too) is taken here; what goes past them,
// such as the output of child processes, comes to the pool through the process's own pipes.
import { type AttemptId, type AttemptRef, attemptId, type LogLine } from "../core/messages.ts";

type Stream = LogLine["stream"];

/** Lines of one attempt, or of none. */
export type Printed = { readonly attempt: AttemptRef | null; readonly lines: readonly LogLine[] };

export type OutputOptions = {
  /** Whose code is running; null if nobody's. */
  readonly owner: () => AttemptRef | null;
  readonly nowMs: () => number;
  /** Called when `take` has something new; `isMuch` if it should not wait. */
  readonly onLines: (isMuch: boolean) => void;
};

/** Characters; a longer line is cut into several. */
export const maxLineLength = 16 * 1024;

/** Characters held before they have to be taken. */
const muchLength = 1024 * 1024;

type Source = { readonly attempt: AttemptRef | null; readonly lines: LogLine[]; readonly partial: Map<Stream, string> };

export class Output {
  readonly #options: OutputOptions;
  readonly #sources = new Map<AttemptId | null, Source>();
  readonly #changed = new Set<Source>();
  #heldLength = 0;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Takes the place of the stream's `write`, for good. */
  capture(stream: NodeJS.WriteStream, name: Stream): void {
    const decoder = new TextDecoder();
    const write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      this.print(
        this.#options.owner(),
        name,
        typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }),
      );
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done as () => void);
      return true;
    };
    stream.write = write as typeof stream.write;
  }

  print(attempt: AttemptRef | null, stream: Stream, text: string): void {
    const source = this.#source(attempt);
    const [first = "", ...others] = text.split("\n");
    let line = (source.partial.get(stream) ?? "") + first;
    for (const next of others) {
      this.#add(source, stream, line.endsWith("\r") ? line.slice(0, -1) : line);
      line = next;
    }
    while (line.length > maxLineLength) {
      this.#add(source, stream, line.slice(0, maxLineLength));
      line = line.slice(maxLineLength);
    }
    source.partial.set(stream, line);
  }

  log(attempt: AttemptRef, line: LogLine): void {
    for (const text of line.text.split("\n")) this.#keep(this.#source(attempt), { ...line, text });
  }

  /** Lets go of an attempt: what it printed without an end of line is a line too. */
  end(attempt: AttemptRef): void {
    const source = this.#sources.get(attemptId(attempt));
    if (source === undefined) return;
    this.#endLines(source);
    this.#sources.delete(attemptId(attempt));
  }

  /** Before the process ends. */
  endAll(): void {
    for (const source of this.#sources.values()) this.#endLines(source);
  }

  take(): readonly Printed[] {
    const printed = [...this.#changed].map(({ attempt, lines }) => ({ attempt, lines: lines.splice(0) }));
    this.#changed.clear();
    this.#heldLength = 0;
    return printed;
  }

  #endLines(source: Source): void {
    for (const [stream, text] of source.partial) if (text !== "") this.#add(source, stream, text);
    source.partial.clear();
  }

  #source(attempt: AttemptRef | null): Source {
    const key = attempt === null ? null : attemptId(attempt);
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = { attempt, lines: [], partial: new Map() };
      this.#sources.set(key, source);
    }
    return source;
  }

  #add(source: Source, stream: Stream, text: string): void {
    this.#keep(source, { atMs: this.#options.nowMs(), stream, text });
  }

  #keep(source: Source, line: LogLine): void {
    for (let from = 0; from === 0 || from < line.text.length; from += maxLineLength) {
      const text = line.text.slice(from, from + maxLineLength);
      source.lines.push({ ...line, text });
      this.#heldLength += text.length + 1;
    }
    this.#changed.add(source);
    const isMuch = this.#heldLength > muchLength;
    this.#options.onLines(isMuch);
  }
}
