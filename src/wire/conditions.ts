// Conditions: what they wait for, and the value that a signal brings, in the protocol's words.

import { create } from "@bufbuild/protobuf";
import type { Literal } from "#idl/flyteidl2/core/literals_pb.js";
import { type LiteralType, SimpleType } from "#idl/flyteidl2/core/types_pb.js";
import {
  type ConditionAction,
  ConditionActionSchema,
  ConditionPromptType,
  type ConditionWebhook,
} from "#idl/flyteidl2/workflow/run_definition_pb.js";
import { GodwitError } from "../core/error.ts";
import type { ConditionSpec } from "../core/messages.ts";
import { literalOf } from "../idl/literal-message.ts";
import type { EventPayload } from "../idl/newer.ts";
import { durationOfMs, msOfDuration } from "../idl/time-message.ts";
import { typeMessage } from "../idl/type-message.ts";

/** `answerUrl`: where the answer may be sent to, for whom the condition tells that it waits. */
export function conditionOf(message: ConditionAction, answerUrl: () => string): ConditionSpec {
  return {
    name: message.name,
    valueType: valueTypeOf(message.name, message.type),
    prompt: message.prompt === "" ? null : message.prompt,
    timeoutMs: message.timeout === undefined ? null : msOfDuration(message.timeout),
    ...(message.description === "" ? {} : { description: message.description }),
    ...(message.promptType === ConditionPromptType.MARKDOWN ? { promptFormat: "markdown" } : {}),
    ...(message.webhook === undefined ? {} : { webhook: webhookOf(message.webhook, answerUrl()) }),
  };
}

/** In every text of the payload `{callback_uri}` is where the answer goes. */
function webhookOf({ url, payload }: ConditionWebhook, answerUrl: string): NonNullable<ConditionSpec["webhook"]> {
  const filled = (_key: string, value: unknown): unknown =>
    typeof value === "string" ? value.replaceAll("{callback_uri}", answerUrl) : value;
  return { url, body: JSON.stringify(payload ?? {}, filled) };
}

export const conditionMessage = (condition: ConditionSpec): ConditionAction =>
  create(ConditionActionSchema, {
    name: condition.name,
    type: typeMessage({ type: "simple", simple: condition.valueType }),
    prompt: condition.prompt ?? "",
    description: condition.description ?? "",
    promptType: condition.promptFormat === "markdown" ? ConditionPromptType.MARKDOWN : ConditionPromptType.TEXT,
    ...(condition.timeoutMs === null ? {} : { timeout: durationOfMs(condition.timeoutMs) }),
  });

const valueTypes: { readonly [type in SimpleType]?: ConditionSpec["valueType"] } = {
  [SimpleType.BOOLEAN]: "boolean",
  [SimpleType.INTEGER]: "integer",
  [SimpleType.FLOAT]: "float",
  [SimpleType.STRING]: "string",
};

function valueTypeOf(name: string, type: LiteralType | undefined): ConditionSpec["valueType"] {
  const valueType = type?.type.case === "simple" ? valueTypes[type.type.value] : undefined;
  if (valueType !== undefined) return valueType;
  throw new GodwitError(
    "invalid_argument",
    `The condition "${name}" has to wait for a boolean, an integer, a float or a string.`,
  );
}

/** JSON, as control takes it. */
export function signalValue(payload: EventPayload | undefined): boolean | number | string {
  const value = payload?.value;
  switch (value?.case) {
    case "boolValue":
    case "floatValue":
    case "stringValue":
      return value.value;
    case "intValue":
      return Number(value.value);
    default:
      throw new GodwitError(
        "invalid_argument",
        "A signal needs a payload: bool_value, int_value, float_value or string_value.",
      );
  }
}

/** The same of a literal. */
export function literalValue(message: Literal): boolean | number | string {
  const literal = literalOf(message, null);
  switch (literal.type) {
    case "boolean":
    case "string":
      return literal.value;
    case "integer":
    case "float":
      return Number(literal.value);
    default:
      throw new GodwitError(
        "invalid_argument",
        `A signal is a boolean, a number or a string, and not a ${literal.type}.`,
      );
  }
}
