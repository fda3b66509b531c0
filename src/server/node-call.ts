// A call as Connect's handlers take it, made of Node's request. Connect's own adapter for Node does this too, but
// brings its clients along, and with them a second HTTP client.
//
// R1  A client that is gone is told to the handler by its signal, as a cancellation.
// R2  What is unpacked is bounded before it is.
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import type { Compression, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { type Ending, endingError } from "./ending.ts";
import { headersOf } from "./headers.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";

export const gone = (): ConnectError => new ConnectError("The client is gone.", Code.Canceled);

export type NodeCall = {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly body: AsyncIterable<Uint8Array>;
  readonly contextValues: ContextValues;
  /** That of the server, which ends the call as well. */
  readonly ending: Ending;
};

export function universalRequest({ request, response, body, contextValues, ending }: NodeCall): UniversalServerRequest {
  const ended = new AbortController();
  const off = ending.on(() => ended.abort(endingError()));
  // R1. Also after a whole answer, when nobody listens any more.
  response.once("close", () => {
    off();
    ended.abort(gone());
  });
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: new URL(request.url ?? "/", "http://localhost").toString(),
    header: headersOf(request),
    body,
    signal: ended.signal,
    contextValues,
  };
}

const pack = promisify(gzip);
const unpack = promisify(gunzip) as (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number },
) => Promise<Buffer<ArrayBuffer>>;

export const gzipCompression: Compression = {
  name: "gzip",
  compress: async (bytes) => pack(bytes),
  decompress: async (bytes, maxBytes) => {
    if (bytes.length === 0) return new Uint8Array(0);
    try {
      return await unpack(bytes, { maxOutputLength: maxBytes });
    } catch (error) {
      throw unpackingError(error as NodeJS.ErrnoException, maxBytes);
    }
  },
};

/** R2. */
function unpackingError(error: NodeJS.ErrnoException, maxBytes: number): ConnectError {
  if (error.code === "ERR_BUFFER_TOO_LARGE")
    return new ConnectError(`The message has more than ${maxBytes} bytes, unpacked.`, Code.ResourceExhausted);
  return new ConnectError(`The message cannot be unpacked: ${error.message}.`, Code.InvalidArgument);
}
