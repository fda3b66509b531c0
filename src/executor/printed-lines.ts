// Turns what a process prints into lines, as they come.
import { StringDecoder } from "node:string_decoder";

/** A line without an end is passed on when it gets so long. */
const maxLineChars = 64 * 1024;

export class PrintedLines {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  /** The lines that this chunk completes, without their ends. */
  push(chunk: Uint8Array): readonly string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > maxLineChars) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    return lines.map(asShown);
  }

  /** What was printed after the last line's end, if anything. */
  end(): readonly string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    return rest === "" ? [] : [asShown(rest)];
  }
}

/** What a terminal would show: a progress bar writes over itself with carriage returns. */
function asShown(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}
