// The body of a request, read at the pace of whoever takes it.
//
// R1  Not reading on to the end does not end the connection before the answer is out: the client shall read why.
// R2  A client that begins a body and sends nothing for a while is let go.
import { GodwitError } from "../core/error.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";

/** What is still taken in and thrown away once the answer is clear. */
const unreadBytes = 256 * 1024 * 1024;
const unreadMs = 5_000;

/** R1, R2. `idleMs`: null where a body may be silent, as that of a stream may. */
export async function* bodyOf(request: NodeRequest, idleMs: number | null): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await within(chunks.next(), idleMs);
      if (next.done === true) break;
      yield next.value as Uint8Array;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNRESET") throw brokenOff();
    throw error;
  } finally {
    // Not awaited: a read that is under way would hold it up.
    void chunks.return?.(undefined)?.catch(() => {});
  }
  if (!request.complete) throw brokenOff();
}

const brokenOff = (): GodwitError => new GodwitError("canceled", "The connection ended in the middle of the request.");

function within<T>(work: Promise<T>, ms: number | null): Promise<T> {
  if (ms === null) return work;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `Nothing more of the request has come for ${ms / 1_000} s.`;
      reject(new GodwitError("deadline_exceeded", message));
    }, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** R1. After the answer: takes what is on its way, within bounds, so that the client gets to read it. */
export function leaveUnread(request: NodeRequest, response: NodeResponse): void {
  if (request.complete || request.destroyed) return;
  let left = unreadBytes;
  const end = (): void => {
    clearTimeout(timer);
    request.destroy();
  };
  const timer = setTimeout(end, unreadMs);
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) end();
  });
  request.once("end", () => clearTimeout(timer));
  request.once("error", end);
  response.once("close", () => clearTimeout(timer));
  request.resume();
}
