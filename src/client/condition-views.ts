// What a condition waits for, as the protocol tells it; and the value that a signal brings.
import { create } from "@bufbuild/protobuf";
import type { ActionDetails } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import { GodwitError } from "../core/error.ts";
import type { ConditionSpec } from "../core/messages.ts";
import { type EventPayload, EventPayloadSchema, newer, newerField } from "../idl/newer.ts";
import { msOfDuration } from "../idl/time-message.ts";
import { typeOf } from "../idl/type-message.ts";

/** Null: the action is no condition. */
export function conditionSpecOf(details: ActionDetails): ConditionSpec | null {
  const message = newerField(details, newer.actionDetails.condition);
  const type = message?.type === undefined ? null : typeOf(message.type);
  if (message === undefined || type?.type !== "simple") return null;
  return {
    name: message.name,
    valueType: type.simple as ConditionSpec["valueType"],
    prompt: message.prompt === "" ? null : message.prompt,
    timeoutMs: message.timeout === undefined ? null : msOfDuration(message.timeout),
  };
}

/** JSON in the protocol's words: what the condition waits for decides, and the server says what is wrong. */
export function payloadOf(value: unknown, valueType: ConditionSpec["valueType"] | null): EventPayload {
  const of = (payload: EventPayload["value"]): EventPayload => create(EventPayloadSchema, { value: payload });
  if (typeof value === "boolean") return of({ case: "boolValue", value });
  if (typeof value === "string") return of({ case: "stringValue", value });
  if (typeof value === "bigint") return of({ case: "intValue", value });
  if (typeof value !== "number")
    throw new GodwitError(
      "invalid_argument",
      `A condition takes true or false, a number or a text, not ${JSON.stringify(value)}.`,
    );
  const isInteger = valueType === "float" ? false : Number.isSafeInteger(value);
  return isInteger ? of({ case: "intValue", value: BigInt(value) }) : of({ case: "floatValue", value });
}
