// What is said to a caller, in the way that the protocol of the call has for errors. One table from Godwit's
// codes to HTTP's; Connect's own are the same names.
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, GodwitError } from "../core/error.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";

/** https://connectrpc.com/docs/protocol/#error-codes: gRPC's number, and the HTTP status that goes with it. */
const codes: Record<ErrorCode, { readonly code: Code; readonly status: number }> = {
  canceled: { code: Code.Canceled, status: 499 },
  unknown: { code: Code.Unknown, status: 500 },
  invalid_argument: { code: Code.InvalidArgument, status: 400 },
  deadline_exceeded: { code: Code.DeadlineExceeded, status: 504 },
  not_found: { code: Code.NotFound, status: 404 },
  already_exists: { code: Code.AlreadyExists, status: 409 },
  permission_denied: { code: Code.PermissionDenied, status: 403 },
  resource_exhausted: { code: Code.ResourceExhausted, status: 429 },
  failed_precondition: { code: Code.FailedPrecondition, status: 400 },
  aborted: { code: Code.Aborted, status: 409 },
  out_of_range: { code: Code.OutOfRange, status: 400 },
  unimplemented: { code: Code.Unimplemented, status: 501 },
  internal: { code: Code.Internal, status: 500 },
  unavailable: { code: Code.Unavailable, status: 503 },
  data_loss: { code: Code.DataLoss, status: 500 },
  unauthenticated: { code: Code.Unauthenticated, status: 401 },
};

/** gRPC says them in a header, for which clients have little room. */
const maxMessageChars = 4_000;

/** Within the bound, and in whole characters. */
function told(message: string): string {
  const text = message.length <= maxMessageChars ? message : `${message.slice(0, maxMessageChars)}…`;
  return text.toWellFormed();
}

export const statusOf = (code: ErrorCode): number => codes[code].status;

export const codeName = (code: Code): ErrorCode =>
  (Object.keys(codes) as readonly ErrorCode[]).find((name) => codes[name].code === code) ?? "internal";

/** `onBug` hears of what is nobody's mistake but ours. No caller is ever told `unknown`. */
export function connectErrorOf(error: unknown, onBug: (error: unknown) => void): ConnectError {
  if (error instanceof GodwitError) {
    if (error.code === "internal" || error.code === "unknown") onBug(error);
    return new ConnectError(told(error.message), error.code === "unknown" ? Code.Internal : codes[error.code].code);
  }
  if (error instanceof ConnectError && error.code !== Code.Unknown && error.code !== Code.Internal)
    return error.rawMessage === told(error.rawMessage) ? error : new ConnectError(told(error.rawMessage), error.code);
  onBug(error);
  return new ConnectError("This should not have happened; the server's log says more.", Code.Internal);
}

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

export function headerOf(request: NodeRequest, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}
