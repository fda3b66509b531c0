// The one error type of Godwit. Callers branch on `code`, people read `message`.

/** Connect's sixteen names, which are gRPC's: https://connectrpc.com/docs/protocol/#error-codes */
export type ErrorCode =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/**
 * A caller's mistake or a broken surrounding. The message names the thing that is wrong, what was
 * expected, and what to do next. A *task's* failure is not thrown: it is a value, see `ActionError`.
 */
export class GodwitError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GodwitError";
    this.code = code;
  }
}

export const isGodwitError = (error: unknown): error is GodwitError => error instanceof GodwitError;

/** What is recorded of an attempt that ended with such an error: `ResourceExhausted`. */
export const classOfCode = (code: ErrorCode): string =>
  code.replace(/(^|_)([a-z])/g, (_, _start, letter: string) => letter.toUpperCase());

/** A full disk, a locked database: nobody's mistake, and gone perhaps the next time. */
export const isOfSurroundings = ({ code }: GodwitError): boolean => surroundings.includes(code);

const surroundings: readonly ErrorCode[] = ["resource_exhausted", "unavailable", "data_loss", "internal"];

/** An impossible state: a bug in Godwit, never a user's mistake. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GodwitError("internal", `Broken invariant: ${message}. This is a bug in Godwit.`);
}
