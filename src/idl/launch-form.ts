// Inputs as a form asks for them: one JSON Schema with a property for each, whose `default` is its value.
//
// R1  What a form was made of comes back from it: each property says its exact type (`x-godwit-type`).
// R2  A form of other making says its types in JSON Schema alone; they are read as far as it says something.
import { fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { LiteralTypeSchema } from "#idl/flyteidl2/core/types_pb.js";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import type { JsonSchema, Literal, Literals, LiteralType, Variable } from "../core/value.ts";
import { literalFromJson, literalToJson, typeText } from "./literal-json.ts";
import { isJsonRecord } from "./struct-json.ts";
import { typeMessage, typeOf } from "./type-message.ts";

const typeKey = "x-godwit-type";

/** `values`: those that the form starts with. */
export function launchForm(inputs: readonly Variable[], values: Literals): JsonObject {
  const properties = inputs.map(({ name, type, description }): [string, JsonSchema] => [
    name,
    {
      ...schemaOf(type),
      title: name,
      ...(description === null ? {} : { description }),
      ...(values[name] === undefined ? {} : { default: literalToJson(values[name]) }),
      // R1. As bytes, because a schema within a schema would be taken for a part of the form.
      [typeKey]: Buffer.from(toBinary(LiteralTypeSchema, typeMessage(type))).toString("base64"),
    },
  ]);
  const required = inputs.filter((input) => input.required).map(({ name }) => name);
  return { type: "object", properties: Object.fromEntries(properties), required } as JsonObject;
}

/** The inputs that a form asks for. Throws `invalid_argument` if it is no form. */
export const variablesOfForm = (form: JsonObject): readonly Variable[] =>
  propertiesOf(form).map(([name, property]) => ({
    name,
    type: typeOfProperty(property),
    required: Array.isArray(form.required) && form.required.includes(name),
    description: typeof property.description === "string" ? property.description : null,
    defaultText: null,
  }));

/** The values that a form has been filled in with. Throws `invalid_argument` where one does not fit. */
export function formLiterals(form: JsonObject): Literals {
  const literals: Record<string, Literal> = {};
  for (const [name, property] of propertiesOf(form)) {
    if (property.default === undefined) continue;
    literals[name] = literalFromJson(typeOfProperty(property), property.default, name);
  }
  return literals;
}

function propertiesOf({ properties }: JsonObject): readonly (readonly [string, JsonSchema])[] {
  if (isJsonRecord(properties)) {
    const entries: readonly [string, unknown][] = Object.entries(properties);
    if (entries.every((entry): entry is [string, JsonSchema] => isJsonRecord(entry[1]))) return entries;
  }
  throw new GodwitError("invalid_argument", "A form needs properties: an object with a JSON Schema for each input.");
}

/** Values by name as literals of declared types. Throws `invalid_argument` for a name that is not declared. */
export function literalsFromValues(inputs: readonly Variable[], values: JsonObject): Literals {
  const types = new Map(inputs.map(({ name, type }) => [name, type]));
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const type = types.get(name);
      if (type !== undefined) return [name, literalFromJson(type, value, name)];
      const known = [...types.keys()].join(", ");
      throw new GodwitError("invalid_argument", `There is no variable "${name}"; there are: ${known || "none"}.`);
    }),
  );
}

function typeOfProperty(property: JsonSchema): LiteralType {
  const bytes = property[typeKey];
  return typeof bytes === "string" ? decodedType(bytes) : typeOfSchema(property);
}

function decodedType(bytes: string): LiteralType {
  try {
    return typeOf(fromBinary(LiteralTypeSchema, Buffer.from(bytes, "base64")));
  } catch (cause) {
    throw new GodwitError("invalid_argument", `A property's "${typeKey}" is no flyteidl2.core.LiteralType.`, { cause });
  }
}

/** R2. */
function typeOfSchema(schema: JsonSchema): LiteralType {
  const known = Object.values(simpleSchemas).find(({ schema: simple }) =>
    Object.entries(simple).every(([key, value]) => canonicalJson(schema[key]) === canonicalJson(value)),
  );
  if (Array.isArray(schema.enum)) return { type: "enum", values: schema.enum.map(String) };
  if (known !== undefined) return known.type;
  if (schema.type === "array" && isJsonRecord(schema.items))
    return { type: "collection", element: typeOfSchema(schema.items) };
  return { type: "struct", schema };
}

type Simple = { readonly type: LiteralType; readonly schema: JsonSchema };

const simple = (name: Extract<LiteralType, { type: "simple" }>["simple"], schema: JsonSchema): Simple => ({
  type: { type: "simple", simple: name },
  schema,
});

/** Those that say more first. */
const simpleSchemas: { readonly [name: string]: Simple } = {
  datetime: simple("datetime", { type: "string", format: "date-time" }),
  duration: simple("duration", { type: "string", format: "duration" }),
  binary: simple("binary", { type: "string", contentEncoding: "base64" }),
  none: simple("none", { type: "null" }),
  integer: simple("integer", { type: "integer" }),
  float: simple("float", { type: "number" }),
  string: simple("string", { type: "string" }),
  boolean: simple("boolean", { type: "boolean" }),
};

function schemaOf(type: LiteralType): JsonSchema {
  switch (type.type) {
    case "simple":
      return (simpleSchemas[type.simple] as Simple).schema;
    case "struct":
      return type.schema ?? { type: "object" };
    case "collection":
      return { type: "array", items: schemaOf(type.element) };
    case "map":
      return { type: "object", additionalProperties: schemaOf(type.value) };
    case "enum":
      return { type: "string", enum: [...type.values] };
    case "union":
      return { oneOf: type.variants.map((variant) => ({ ...schemaOf(variant.type), title: variant.tag })) };
    case "blob":
    case "structuredDataset":
      return {
        type: "object",
        description: typeText(type),
        properties: { uri: { type: "string" }, format: { type: "string", default: type.format } },
        required: ["uri"],
      };
  }
}
