// A durable step inside a task: its value is recorded, and a later attempt takes it from there.

import { fromPayload, toPayload } from "../blob/payload.ts";
import type { ActionError } from "../core/action.ts";
import { isSuccess } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { hashParts } from "../core/hash.ts";
import type { TraceResult } from "../core/messages.ts";
import { checkName } from "../core/names.ts";
import { type Current, current, runAs } from "./current.ts";
import { actionError, TaskError } from "./errors.ts";
import type { TraceCall } from "./trace-batch.ts";
import { decodeUntyped, encodeUntyped } from "./untyped.ts";

/**
 * Runs the function once and records what it returns under the name; when the task is tried again or
 * its run is resumed, the recorded value comes back and the function does not run. Several traces of one
 * name are told apart by their order. A function that throws is recorded as failed and runs again on the
 * next attempt, unless it threw `NonRecoverableError`. Outside a run it just runs the function.
 */
export async function trace<T>(name: string, step: () => T | Promise<T>): Promise<T> {
  checkName("trace", name);
  const attempt = current();
  if (attempt === null) return step();
  if (attempt.trace !== null) {
    throw new GodwitError(
      "failed_precondition",
      `The trace "${name}" is inside the trace "${attempt.trace}". A trace is one step: put them one after the other.`,
    );
  }
  attempt.session.checkOpen(`trace ${name}`);
  const call = traceCall(attempt, name);
  const recorded = attempt.session.hasPast ? await attempt.session.trace(call) : null;
  if (recorded === null) return runStep(attempt, name, call, step);
  if (recorded.phase !== null && isSuccess(recorded.phase) && recorded.outputs !== null) {
    return (await decodeUntyped(
      await fromPayload(recorded.outputs, attempt.session.blobs),
      attempt.session.blobs,
    )) as T;
  }
  if (recorded.error !== null && !recorded.error.recoverable)
    throw new TaskError({ task: name, action: call.name, attempt: 1 }, recorded.error);
  return runStep(attempt, name, call, step);
}

function traceCall({ session }: Current, name: string): TraceCall {
  const identity = hashParts("trace", name);
  return {
    type: "trace",
    name: session.nextName({ type: "trace", identity, inputsHash: "" }),
    label: name,
    identity,
    inputsHash: "",
    result: null,
  };
}

async function runStep<T>(attempt: Current, name: string, call: TraceCall, step: () => T | Promise<T>): Promise<T> {
  const startedAtMs = Date.now();
  const record = async (outcome: Pick<TraceResult, "outputs" | "error">): Promise<void> => {
    await attempt.session.trace({ ...call, result: { startedAtMs, endedAtMs: Date.now(), ...outcome } });
  };
  let value: T;
  try {
    value = await runAs({ ...attempt, trace: name }, step);
  } catch (thrown) {
    const error: ActionError = actionError(thrown);
    await record({ outputs: null, error });
    throw thrown;
  }
  const literals = await encodeUntyped(value, attempt.session.blobs, `trace ${name}`);
  await record({ outputs: await toPayload(literals, attempt.session.blobs), error: null });
  return value;
}
