// The pipes of other processes: what they print, and when all of it has been read.
import type { Readable, Writable } from "node:stream";
import { readLines } from "../worker/stream.ts";

/** How long to go on reading what a process wrote before it ended; a daemon may hold its pipes open. */
export const drainMs = 500;

/** When all that was written has been read, or `drainMs` later. Pipes to the process are given up. */
export function closed(pipes: readonly (Readable | Writable)[]): Promise<void> {
  return new Promise((resolve) => {
    let open = pipes.length;
    const timer = setTimeout(() => {
      for (const pipe of pipes) pipe.destroy();
      resolve();
    }, drainMs);
    const onClose = (): void => {
      open -= 1;
      if (open > 0) return;
      clearTimeout(timer);
      resolve();
    };
    for (const pipe of pipes) {
      if (pipe.closed) onClose();
      else pipe.once("close", onClose);
    }
    if (pipes.length === 0) onClose();
  });
}

/** Bytes; a longer line of raw output is not read on. */
const maxRawLineBytes = 1024 * 1024;

export function readRaw(pipe: Readable | null, onLine: (text: string) => void): void {
  if (pipe === null) return;
  const onTooLong = (): void => onLine(`(a line of more than ${maxRawLineBytes} bytes; the rest is left out)`);
  readLines(pipe, onLine, onTooLong, maxRawLineBytes);
}
