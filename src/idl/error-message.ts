// Failures of attempts as the protocol writes them: in error.pb, and as the error of an action.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ContainerError_Kind,
  ErrorDocumentSchema,
  type ExecutionError,
  ExecutionError_ErrorKind,
  ExecutionErrorSchema,
} from "#idl/flyteidl2/core/execution_pb.js";
import { type ActionError, errorCodes } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";

/** The bytes of error.pb (flyteidl2.core.ErrorDocument). */
export function errorBytes(error: ActionError): Uint8Array {
  const { message } = error;
  const document = create(ErrorDocumentSchema, {
    error: { code: codeMessage(error), message, kind: recoverabilityOf(error), origin: kindMessage(error) },
  });
  return toBinary(ErrorDocumentSchema, document);
}

/** The failure in the bytes of error.pb. Throws `data_loss` if they are no such document. */
export function containerErrorOf(bytes: Uint8Array): ActionError {
  const error = decodedDocument(bytes).error;
  if (error === undefined) throw new GodwitError("data_loss", "An error.pb has no error in it.");
  const isRecoverable = error.kind === ContainerError_Kind.RECOVERABLE;
  return actionError(error.code, error.message, error.origin, isRecoverable);
}

function decodedDocument(bytes: Uint8Array) {
  try {
    return fromBinary(ErrorDocumentSchema, bytes);
  } catch (cause) {
    throw new GodwitError("data_loss", "An error.pb is no flyteidl2.core.ErrorDocument.", { cause });
  }
}

/** As an action's update carries it. Its recoverability is that of error.pb, which the SDK goes by when it replays. */
export const executionErrorMessage = (error: ActionError): ExecutionError =>
  create(ExecutionErrorSchema, {
    code: codeMessage(error),
    message: error.message,
    kind: kindMessage(error),
    recoverability: recoverabilityOf(error),
  });

export function executionErrorOf({ code, message, kind, recoverability }: ExecutionError): ActionError {
  return actionError(code, message, kind, recoverability === ContainerError_Kind.RECOVERABLE);
}

function actionError(code: string, message: string, kind: ExecutionError_ErrorKind, recoverable: boolean): ActionError {
  return {
    code: code.slice(code.indexOf("|") + 1).trim(),
    message,
    // Unknown is what an exception has that no class of the SDK wraps: the user's code raised it.
    kind: kind === ExecutionError_ErrorKind.SYSTEM ? "system" : "user",
    recoverable,
    stack: null,
    location: null,
    origin: null,
  };
}

const kindMessage = ({ kind }: ActionError): ExecutionError_ErrorKind =>
  kind === "system" ? ExecutionError_ErrorKind.SYSTEM : ExecutionError_ErrorKind.USER;

const recoverabilityOf = ({ recoverable }: ActionError): ContainerError_Kind =>
  recoverable ? ContainerError_Kind.RECOVERABLE : ContainerError_Kind.NON_RECOVERABLE;

/** A server's word before the bar, the error's own behind it: Python's SDK raises the class that the first one names. */
const codeMessage = ({ code }: ActionError): string => (code === errorCodes.outOfMemory ? `OOM|${code}` : code);
