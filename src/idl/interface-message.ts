// The interface of a task as the protocol's message (core/interface.proto) and back. What a task does without
// an input is no part of it there: defaults are a list of their own (TaskSpec.default_inputs).
import { create } from "@bufbuild/protobuf";
import {
  type TypedInterface as Message,
  ParameterSchema,
  TypedInterfaceSchema,
  type VariableMap,
} from "#idl/flyteidl2/core/interface_pb.js";
import { type NamedParameter, NamedParameterSchema } from "#idl/flyteidl2/task/common_pb.js";
import type { Literal, Literals, TypedInterface, Variable } from "../core/value.ts";
import { literalFromJson, literalToJson } from "./literal-json.ts";
import { literalMessage, literalOf } from "./literal-message.ts";
import { acceptingType, typeMessage, typeOf } from "./type-message.ts";

export const interfaceMessage = (types: TypedInterface): Message =>
  create(TypedInterfaceSchema, { inputs: variablesInit(types.inputs), outputs: variablesInit(types.outputs) });

/** Of a task of ours, for whoever calls it from Python. */
export const acceptingInterface = (types: TypedInterface): Message =>
  create(TypedInterfaceSchema, {
    inputs: variablesInit(types.inputs, acceptingType),
    outputs: variablesInit(types.outputs),
  });

/** Sorted, as the SDK's hash of an interface wants them. */
const variablesInit = (variables: readonly Variable[], messageOf: typeof typeMessage = typeMessage) => ({
  variables: [...variables]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, description }) => ({
      key: name,
      value: { type: messageOf(type), description: description ?? "" },
    })),
});

/** Throws `invalid_argument` for a variable without a type. */
export const interfaceOf = (
  message: Message | undefined,
  defaults: readonly NamedParameter[] = [],
): TypedInterface => ({
  inputs: variablesOf(message?.inputs, parameters(defaults)),
  outputs: variablesOf(message?.outputs, new Map()),
});

type Parameters = ReadonlyMap<string, NamedParameter["parameter"]>;

const parameters = (defaults: readonly NamedParameter[]): Parameters =>
  new Map(defaults.map(({ name, parameter }) => [name, parameter]));

const variablesOf = (map: VariableMap | undefined, defaults: Parameters): readonly Variable[] =>
  (map?.variables ?? []).map(({ key, value }): Variable => {
    const type = typeOf(value?.type);
    const behavior = defaults.get(key)?.behavior;
    const required = !defaults.has(key) || (behavior?.case === "required" && behavior.value);
    const defaultText =
      behavior?.case === "default" ? JSON.stringify(literalToJson(literalOf(behavior.value, type))) : null;
    return { name: key, type, required, description: value?.description || null, defaultText };
  });

/** The values of inputs that are left out, as far as they are known without running the task. */
export function defaultInputsOf(defaults: readonly NamedParameter[]): Literals {
  const literals: Record<string, Literals[string]> = {};
  for (const { name, parameter } of defaults) {
    const { var: variable, behavior } = parameter ?? {};
    if (behavior?.case !== "default") continue;
    const type = variable?.type;
    literals[name] = literalOf(behavior.value, type === undefined ? null : typeOf(type));
  }
  return literals;
}

/** What need not be given: with its value where that can be told, so that other SDKs send it. */
export const defaultsMessage = (types: TypedInterface): NamedParameter[] =>
  types.inputs
    .filter(({ required }) => !required)
    .map((variable) => {
      const { name, type, description } = variable;
      const literal = defaultOf(variable);
      const behavior =
        literal === null
          ? ({ case: "required", value: false } as const)
          : ({ case: "default", value: literalMessage(literal, type) } as const);
      const parameter = create(ParameterSchema, {
        var: { type: typeMessage(type), description: description ?? "" },
        behavior,
      });
      return create(NamedParameterSchema, { name, parameter });
    });

function defaultOf({ name, type, defaultText }: Variable): Literal | null {
  if (defaultText === null) return null;
  try {
    return literalFromJson(type, JSON.parse(defaultText), name);
  } catch {
    return null; // The text is for people, and says no value of the type.
  }
}
