// The end of a server, for whoever is in the middle of something.
//
// R1  Listening costs the same however many listen: an AbortSignal looks through all its listeners for each one that
//     comes or goes, and with ten thousand streams that was most of what the server did.
// R2  Streams end with `unavailable`, never with `canceled`, which clients take for good.
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

export const endingText = "The server is being stopped or restarted. Call again: it may be back in a moment.";
/** R2. */
export const endingError = (): ConnectError => new ConnectError(endingText, Code.Unavailable);

/** R1. */
export class Ending {
  readonly #listeners = new Set<() => void>();
  #hasBegun = false;

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Called once, at once if it has begun. Returns how not to be called any more. */
  on(listener: () => void): () => void {
    if (this.#hasBegun) listener();
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  begin(): void {
    this.#hasBegun = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/** Ends streams when `streams` begins, and everything else when `all` does. */
export const endingWith =
  (streams: Ending, all: Ending): Interceptor =>
  (next) =>
  async (request) => {
    // A handler that does not listen to its signal is left behind.
    const response = await unlessEnding(next(request), all);
    return response.stream ? { ...response, message: untilEnding(response.message, streams) } : response;
  };

function unlessEnding<T>(work: Promise<T>, ending: Ending): Promise<T> {
  return new Promise((resolve, reject) => {
    const off = ending.on(() => reject(endingError()));
    work.then(resolve, reject).finally(off);
  });
}

async function* untilEnding<T>(messages: AsyncIterable<T>, ending: Ending): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  // Of the message that is waited for. One listener for the whole stream: a race with one promise would keep
  // something of each message.
  let stop = (): void => {};
  const off = ending.on(() => stop());
  try {
    for (;;) {
      if (ending.hasBegun) throw endingError();
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stop = () => reject(endingError());
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    off();
    void iterator.return?.(undefined)?.catch(() => {});
  }
}
