// Inputs and outputs as named lists of literals (task/common.proto), in messages and in the files inputs.pb and
// outputs.pb.
//
// R1  Declared names come first, in the order of the interface; what is not declared follows.
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type Inputs,
  InputsSchema,
  type NamedLiteral,
  NamedLiteralSchema,
  type Outputs,
  OutputsSchema,
} from "#idl/flyteidl2/task/common_pb.js";
import { GodwitError } from "../core/error.ts";
import type { Literals, LiteralType, TypedInterface, Variable } from "../core/value.ts";
import { literalMessage, literalOf } from "./literal-message.ts";

/** What a caller passes to everything below it beside the inputs: Flyte's custom context. */
export type CallContext = { readonly [key: string]: string };

export const inputsMessage = (literals: Literals, types: TypedInterface, context: CallContext = {}): Inputs =>
  create(InputsSchema, {
    literals: namedLiterals(literals, types.inputs),
    context: Object.entries(context).map(([key, value]) => ({ key, value })),
  });

export const outputsMessage = (literals: Literals, types: TypedInterface): Outputs =>
  create(OutputsSchema, { literals: namedLiterals(literals, types.outputs) });

export const literalsOfInputs = (message: Inputs | undefined, types: TypedInterface): Literals =>
  literalsOf(message?.literals ?? [], types.inputs);

export const literalsOfOutputs = (message: Outputs | undefined, types: TypedInterface): Literals =>
  literalsOf(message?.literals ?? [], types.outputs);

export const contextOf = (message: Inputs | undefined): CallContext =>
  Object.fromEntries((message?.context ?? []).map(({ key, value }) => [key, value]));

/** The bytes of inputs.pb. */
export const inputsBytes = (literals: Literals, types: TypedInterface, context: CallContext = {}): Uint8Array =>
  toBinary(InputsSchema, inputsMessage(literals, types, context));

/** Throws `data_loss` for bytes that are no such file. */
export const inputsOf = (bytes: Uint8Array, types: TypedInterface): Literals =>
  literalsOfInputs(decoded(InputsSchema, bytes, "inputs.pb"), types);

/** The bytes of outputs.pb. */
export const outputsBytes = (literals: Literals, types: TypedInterface): Uint8Array =>
  toBinary(OutputsSchema, outputsMessage(literals, types));

/** Throws `data_loss` for bytes that are no such file. */
export const outputsOf = (bytes: Uint8Array, types: TypedInterface): Literals =>
  literalsOfOutputs(decoded(OutputsSchema, bytes, "outputs.pb"), types);

function decoded<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array, name: string): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new GodwitError("data_loss", `The file ${name} is no ${schema.typeName}.`, { cause });
  }
}

/** R1. */
function namedLiterals(literals: Literals, variables: readonly Variable[]): NamedLiteral[] {
  const types = typesOf(variables);
  const names = [...types.keys(), ...Object.keys(literals).filter((name) => !types.has(name))];
  return names.flatMap((name) => {
    const literal = Object.hasOwn(literals, name) ? literals[name] : undefined;
    if (literal === undefined) return [];
    return [create(NamedLiteralSchema, { name, value: literalMessage(literal, types.get(name) ?? null) })];
  });
}

function literalsOf(named: readonly NamedLiteral[], variables: readonly Variable[]): Literals {
  const types = typesOf(variables);
  return Object.fromEntries(
    named.map(({ name, value }) => {
      try {
        return [name, literalOf(value, types.get(name) ?? null)];
      } catch (error) {
        if (!(error instanceof GodwitError)) throw error;
        throw new GodwitError(error.code, `${JSON.stringify(name)}: ${error.message}`, { cause: error });
      }
    }),
  );
}

const typesOf = (variables: readonly Variable[]): ReadonlyMap<string, LiteralType> =>
  new Map(variables.map(({ name, type }) => [name, type]));
