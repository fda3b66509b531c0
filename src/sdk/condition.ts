// Waiting for a signal from outside: a person's decision, another system's answer.

import { fromPayload } from "../blob/payload.ts";
import { isSuccess } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson, hashParts } from "../core/hash.ts";
import type { Call, CallState, ConditionSpec } from "../core/messages.ts";
import { checkName } from "../core/names.ts";
import { type Duration, durationMs } from "../core/quantities.ts";
import { type Literal, soleOutput } from "../core/value.ts";
import { current } from "./current.ts";
import { TaskError } from "./errors.ts";

type Values = { readonly boolean: boolean; readonly integer: number; readonly float: number; readonly string: string };

export type ConditionOptions<T extends keyof Values> = {
  /** How the signal names it: `godwit signal RUN approve true`. */
  readonly name: string;
  readonly type: T;
  /** What the person who answers is asked. */
  readonly prompt?: string;
  /** After this the condition fails with `TimedOut`. Default: it waits for ever. */
  readonly timeout?: Duration;
};

/**
 * Waits until somebody signals the condition, and returns the signal's value. Waiting costs nothing and
 * survives restarts. Rejects with `TaskError` (`TimedOut`, `Aborted`). Only inside a run.
 */
export async function condition<T extends keyof Values>(options: ConditionOptions<T>): Promise<Values[T]> {
  const spec: ConditionSpec = {
    name: checkName("condition", options.name),
    valueType: checkType(options.type, options.name),
    prompt: options.prompt ?? null,
    timeoutMs: options.timeout === undefined ? null : durationMs(options.timeout, `condition ${options.name}: timeout`),
  };
  const attempt = current();
  if (attempt === null || attempt.trace !== null) {
    throw new GodwitError(
      "failed_precondition",
      `The condition "${options.name}" can only be awaited inside a task of a run, and not inside a trace. In a test, use the engine of "godwit/testing".`,
    );
  }
  const { session } = attempt;
  const identity = hashParts("condition", canonicalJson({ name: spec.name, type: spec.valueType }));
  const name = session.nextName({ type: "condition", identity, inputsHash: "" });
  const state = await new Promise<CallState>((ended, failed) => {
    const call: Call = { type: "condition", name, label: spec.name, identity, condition: spec };
    session.call(call, { label: spec.name, owner: null, ended, failed });
  });
  if (state.phase !== null && isSuccess(state.phase) && state.outputs !== null) {
    return signalled((await fromPayload(state.outputs, session.blobs))[soleOutput]) as Values[T];
  }
  if (state.error === null)
    throw new GodwitError("internal", `The condition "${options.name}" ended as ${state.phase} without an error.`);
  throw new TaskError({ task: options.name, action: name, attempt: 0 }, state.error);
}

const types: readonly ConditionSpec["valueType"][] = ["boolean", "integer", "float", "string"];

function checkType(type: ConditionSpec["valueType"], name: string): ConditionSpec["valueType"] {
  if (types.includes(type)) return type;
  throw new GodwitError(
    "invalid_argument",
    `condition ${name}: type has to be one of ${types.join(", ")}, not ${JSON.stringify(type)}.`,
  );
}

function signalled(literal: Literal | undefined): unknown {
  switch (literal?.type) {
    case "boolean":
    case "string":
      return literal.value;
    case "integer":
    case "float":
      return Number(literal.value);
    default:
      throw new GodwitError("internal", "A signal carried a value of a type that no condition has.");
  }
}
