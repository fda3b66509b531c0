// What is said to a caller, in the way that the protocol of the call has for errors. One table from Godwit's
// codes to HTTP's; Connect's own are the same names. Knows nothing of Connect's library, which may not be loaded yet.
import type { ErrorCode } from "../core/error.ts";
import { headerOf } from "./headers.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";

/** https://connectrpc.com/docs/protocol/#error-codes: gRPC's number, and the HTTP status that goes with it. */
const codes: Record<ErrorCode, { readonly code: number; readonly status: number }> = {
  canceled: { code: 1, status: 499 },
  unknown: { code: 2, status: 500 },
  invalid_argument: { code: 3, status: 400 },
  deadline_exceeded: { code: 4, status: 504 },
  not_found: { code: 5, status: 404 },
  already_exists: { code: 6, status: 409 },
  permission_denied: { code: 7, status: 403 },
  resource_exhausted: { code: 8, status: 429 },
  failed_precondition: { code: 9, status: 400 },
  aborted: { code: 10, status: 409 },
  out_of_range: { code: 11, status: 400 },
  unimplemented: { code: 12, status: 501 },
  internal: { code: 13, status: 500 },
  unavailable: { code: 14, status: 503 },
  data_loss: { code: 15, status: 500 },
  unauthenticated: { code: 16, status: 401 },
};

/** gRPC says them in a header, for which clients have little room. */
const maxMessageChars = 4_000;
/** What to do stands at the end. */
const lastChars = 1_000;

/** Within the bound, and in whole characters: what is long in a message is what it quotes. */
export function told(message: string): string {
  if (message.length <= maxMessageChars) return message.toWellFormed();
  return `${message.slice(0, maxMessageChars - lastChars)} … ${message.slice(-lastChars)}`.toWellFormed();
}

export const statusOf = (code: ErrorCode): number => codes[code].status;

/** gRPC's, which are Connect's as well. */
export const numberOf = (code: ErrorCode): number => codes[code].code;

export const codeOfNumber = (number: number): ErrorCode =>
  (Object.keys(codes) as readonly ErrorCode[]).find((name) => codes[name].code === number) ?? "internal";

/** Answers a call that no handler takes, so that a client of its protocol reads code and message. */
export function refuse(
  request: NodeRequest,
  response: NodeResponse,
  code: ErrorCode,
  message: string,
  /** Of plain HTTP, where it is another than that of the code. */
  httpStatus: number = codes[code].status,
): void {
  const type = headerOf(request, "content-type");
  const { headers, status, body } = refusalFor(type, code, message, httpStatus);
  response.writeHead(status, { ...headers, "content-length": body.length });
  response.end(body);
}

function refusalFor(type: string, code: ErrorCode, words: string, httpStatus: number) {
  const message = told(words);
  const json = JSON.stringify({ code, message });
  if (type.startsWith("application/grpc-web")) {
    const trailer = envelope(0x80, `grpc-status: ${codes[code].code}\r\ngrpc-message: ${percent(message)}\r\n`);
    return { status: 200, headers: { "content-type": type }, body: trailer };
  }
  if (type.startsWith("application/grpc")) {
    const headers = { "grpc-status": String(codes[code].code), "grpc-message": percent(message) };
    return { status: 200, headers: { "content-type": type, ...headers }, body: Buffer.alloc(0) };
  }
  if (type.startsWith("application/connect+")) {
    return { status: 200, headers: { "content-type": type }, body: envelope(2, `{"error":${json}}`) };
  }
  return { status: httpStatus, headers: { "content-type": "application/json" }, body: Buffer.from(json) };
}

function envelope(flags: number, text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** As gRPC writes messages in headers. */
const percent = (message: string): string => encodeURIComponent(message).replaceAll("%20", " ");
