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

/** An impossible state: a bug in Godwit, never a user's mistake. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GodwitError("internal", `Broken invariant: ${message}. This is a bug in Godwit.`);
}
