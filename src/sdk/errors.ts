// What tasks throw and what calls throw, and how an error becomes a value that can be stored.
import type { ActionError } from "../core/action.ts";
import { errorCodes } from "../core/action.ts";
import { classOfCode, type ErrorCode, type GodwitError, isGodwitError, isOfSurroundings } from "../core/error.ts";
import { locate } from "./call-sites.ts";

/** Throw it from a task when trying again cannot help: no retry follows, whatever the task allows. */
export class NonRecoverableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NonRecoverableError";
  }
}

/** What awaiting a call throws when the called action did not succeed. */
export class TaskError extends Error {
  /** The class of the error that the callee threw, or Godwit's code: `TimedOut`, `Aborted`, `WorkerLost` … */
  readonly code: string;
  /** Full name of the task, or the name of the trace or condition. */
  readonly task: string;
  /** Name of the action that was called. */
  readonly action: string;
  /** Its last attempt. */
  readonly attempt: number;
  /** As it was recorded, with the callee's own stack and location. */
  readonly error: ActionError;

  constructor(call: { readonly task: string; readonly action: string; readonly attempt: number }, error: ActionError) {
    super(`${call.task} failed: ${error.code}: ${error.message}`);
    this.name = "TaskError";
    this.code = error.code;
    this.task = call.task;
    this.action = call.action;
    this.attempt = call.attempt;
    this.error = error;
  }
}

/** Error messages longer than this are cut: rows stay small. */
const maxMessageLength = 8_000;

const cut = (text: string): string =>
  text.length <= maxMessageLength ? text : `${text.slice(0, maxMessageLength)} … (cut)`;

/** What a task's function threw, as a value. */
export function actionError(thrown: unknown): ActionError {
  if (thrown instanceof TaskError) {
    const { error } = thrown;
    return {
      ...error,
      // The called action has ended for good under its name: trying again would find the same end.
      recoverable: false,
      kind: "user",
      origin: isOwnMistake(thrown)
        ? error.origin
        : (error.origin ?? { action: thrown.action, attempt: thrown.attempt, task: thrown.task }),
      location: error.location ?? locate(thrown),
    };
  }
  if (!(thrown instanceof Error)) {
    return {
      code: "Error",
      message: cut(`The task threw ${describe(thrown)}, which is not an Error.`),
      kind: "user",
      recoverable: true,
      stack: null,
      location: null,
      origin: null,
    };
  }
  if (isGodwitError(thrown)) return godwitError(thrown);
  return {
    code: thrown.name === "Error" ? thrown.constructor.name : thrown.name,
    message: cut(causes(thrown)),
    kind: "user",
    recoverable: !(thrown instanceof NonRecoverableError),
    stack: thrown.stack === undefined ? null : cut(thrown.stack),
    location: locate(thrown),
    origin: null,
  };
}

/** A refused call has run nothing (attempt 0): who made it has failed. */
const isOwnMistake = ({ code, attempt }: TaskError): boolean => code === errorCodes.nonDeterministic && attempt === 0;

/** Godwit's own words are whole without those of the cause. */
const godwitError = (thrown: GodwitError): ActionError => ({
  code: classOfCode(thrown.code),
  message: cut(thrown.message),
  kind: isOfSurroundings(thrown) ? "system" : "user",
  recoverable: !permanent.includes(thrown.code),
  stack: thrown.stack === undefined ? null : cut(thrown.stack),
  location: locate(thrown),
  origin: null,
});

/** Of Godwit's own errors inside a task, those that come back the same on every try. */
const permanent: readonly ErrorCode[] = ["invalid_argument", "failed_precondition", "unimplemented", "not_found"];

/** A mistake that no retry mends. */
export const permanentError = (code: keyof typeof errorCodes, message: string): ActionError => ({
  code: errorCodes[code],
  message: cut(message),
  kind: "user",
  recoverable: false,
  stack: null,
  location: null,
  origin: null,
});

function causes(error: Error): string {
  const messages = [error.message];
  let { cause } = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    messages.push(cause.message);
    cause = cause.cause;
  }
  return messages.filter((message) => message !== "").join(": ");
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
