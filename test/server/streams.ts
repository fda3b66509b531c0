// Streams of the server, read message by message over HTTP/2: many on one connection, each at a pace of its own.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

export type Stream = {
  /** Messages so far, as JSON; kept only if asked for. */
  readonly messages: readonly unknown[];
  readonly count: () => number;
  /** Null while it is open: then the code it ended with, "ok" or Connect's, or "cut" when the connection broke. */
  readonly end: () => string | null;
  readonly ended: Promise<string>;
  pause(): void;
  resume(): void;
  close(): void;
};

/** Streams that one connection may have open. */
const streamsPerSession = 900;

export class Streams {
  readonly #url: string;
  readonly #keeps: boolean;
  readonly #sessions: ClientHttp2Session[] = [];
  #open = 0;

  constructor(url: string, { keeps }: { readonly keeps: boolean }) {
    this.#url = url;
    this.#keeps = keeps;
  }

  open(method: string, request: unknown): Stream {
    if (this.#open++ % streamsPerSession === 0) {
      const session = connect(this.#url);
      session.on("error", () => {});
      session.setMaxListeners(0);
      this.#sessions.push(session);
    }
    const session = this.#sessions.at(-1) as ClientHttp2Session;
    const stream = session.request({
      ":method": "POST",
      ":path": `/flyteidl2.${method}`,
      "content-type": "application/connect+json",
    });
    stream.end(enveloped(Buffer.from(JSON.stringify(request))));
    return readerOf(stream, this.#keeps);
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

function readerOf(stream: ClientHttp2Stream, keeps: boolean): Stream {
  const messages: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  let count = 0;
  let end: string | null = null;
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (piece: Buffer) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (;;) {
      const size = rest.length < 5 ? Number.POSITIVE_INFINITY : 5 + rest.readUInt32BE(1);
      if (rest.length < size) return;
      const text = rest.subarray(5, size);
      if (((rest[0] as number) & 2) !== 0) end = JSON.parse(text.toString()).error?.code ?? "ok";
      else {
        count++;
        if (keeps) messages.push(JSON.parse(text.toString()));
      }
      rest = rest.subarray(size);
    }
  });
  stream.on("error", () => {});
  stream.on("close", () => {
    end ??= "cut";
    resolve(end);
  });
  return {
    messages,
    count: () => count,
    end: () => end,
    ended: promise,
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    close: () => stream.destroy(),
  };
}

function enveloped(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
