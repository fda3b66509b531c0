// Shapes as others see them: Flyte's literal types, and JSON Schema for what is inside structs.
//
// R1  Only what changes the carried form is in a type: no descriptions, defaults or limits. So two versions
//     of a task that differ in these alone have one interface, and what calls it needs not know.
import type { JsonSchema, LiteralType, Variant } from "../core/value.ts";
import { scalars } from "./scalar.ts";
import type { Property, Shape } from "./shape.ts";

/** Whether values travel as one msgpack struct, not as literals of their own. */
export const isStruct = (shape: Shape): boolean => ["object", "tuple", "map", "any", "recursive"].includes(shape.type);

export function literalTypeOf(shape: Shape): LiteralType {
  switch (shape.type) {
    case "scalar":
      if (shape.scalar === "string" && shape.only !== null) return { type: "enum", values: shape.only.map(String) };
      return { type: "simple", simple: scalars[shape.scalar].simple };
    case "file":
      return { type: "blob", format: shape.format, dimensionality: "single" };
    case "dir":
      return { type: "blob", format: "", dimensionality: "multipart" };
    case "table":
      return { type: "structuredDataset", columns: (shape.columns ?? []).map(columnOf), format: "parquet" };
    case "list":
    case "set":
      return { type: "collection", element: literalTypeOf(shape.element) };
    case "record":
      return { type: "map", value: literalTypeOf(shape.value) };
    case "union":
      return { type: "union", variants: variantsOf(shape.members) };
    default:
      return { type: "struct", schema: structSchemaOf(shape) };
  }
}

/** Columns of Parquet may all hold nulls, so that only the other member of a nullable type counts. */
function columnOf({ name, shape }: Property): { readonly name: string; readonly type: LiteralType } {
  const members = shape.type === "union" ? shape.members.filter((member) => !isNone(member)) : [shape];
  const type = literalTypeOf(members.length === 1 ? (members[0] as Shape) : shape);
  return { name, type: type.type === "enum" ? { type: "simple", simple: "string" } : type };
}

export const isNone = (shape: Shape): boolean =>
  shape.type === "scalar" && (shape.scalar === "none" || shape.scalar === "undefined");

/** Tags are Flyte's names of types; a second member of one name is numbered. */
export function variantsOf(members: readonly Shape[]): readonly Variant[] {
  const seen = new Map<string, number>();
  return members.map((member) => {
    const name = tagOfShape(member);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { tag: count === 1 ? name : `${name} ${count}`, type: literalTypeOf(member) };
  });
}

function tagOfShape(shape: Shape): string {
  switch (shape.type) {
    case "scalar":
      return shape.scalar === "string" && shape.only !== null ? "DefaultEnumTransformer" : scalars[shape.scalar].tag;
    case "file":
      return "File";
    case "dir":
      return "Dir";
    case "table":
      return "DataFrame";
    case "list":
    case "set":
      return "Typed List";
    case "record":
    case "any":
      return "Typed Dict";
    default:
      return "Pydantic Transformer";
  }
}

/** Null for anything at all. */
export function structSchemaOf(shape: Shape): JsonSchema | null {
  if (shape.type === "any") return null;
  const definitions: Definitions = { names: new Map(), schemas: {} };
  const schema = schemaOf(shape, definitions);
  return definitions.names.size === 0 ? schema : { ...schema, $defs: definitions.schemas };
}

type Definitions = { readonly names: Map<Shape, string>; readonly schemas: Record<string, JsonSchema> };

function schemaOf(shape: Shape, definitions: Definitions): JsonSchema {
  const inner = (part: Shape): JsonSchema => schemaOf(part, definitions);
  switch (shape.type) {
    case "scalar":
      return shape.only === null
        ? scalarSchemas[shape.scalar]
        : { ...scalarSchemas[shape.scalar], enum: [...shape.only] };
    case "file":
      return { type: "object", "x-godwit": "file", format: shape.format };
    case "dir":
      return { type: "object", "x-godwit": "dir" };
    case "table":
      return { type: "object", "x-godwit": "table", columns: (shape.columns ?? []).map(columnOf) };
    case "list":
      return { type: "array", items: inner(shape.element) };
    case "set":
      return { type: "array", items: inner(shape.element), "x-godwit": "set" };
    case "map":
      return {
        type: "array",
        items: { type: "array", prefixItems: [inner(shape.key), inner(shape.value)], minItems: 2, items: false },
        "x-godwit": "map",
      };
    case "tuple":
      return {
        type: "array",
        prefixItems: shape.items.map(inner),
        minItems: shape.least,
        items: shape.rest === null ? false : inner(shape.rest),
      };
    case "record":
      return { type: "object", additionalProperties: inner(shape.value) };
    case "object":
      return objectSchema(shape, inner);
    case "union":
      return { anyOf: shape.members.map(inner) };
    case "any":
      return {};
    case "recursive":
      return { $ref: `#/$defs/${definitionOf(shape.target(), definitions)}` };
  }
}

function definitionOf(shape: Shape, definitions: Definitions): string {
  const known = definitions.names.get(shape);
  if (known !== undefined) return known;
  const name = `type${definitions.names.size}`;
  definitions.names.set(shape, name);
  definitions.schemas[name] = schemaOf(shape, definitions);
  return name;
}

function objectSchema(shape: Extract<Shape, { type: "object" }>, inner: (part: Shape) => JsonSchema): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(shape.properties.map((property) => [property.name, inner(property.shape)])),
    required: shape.properties.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: shape.rest === null ? false : inner(shape.rest),
  };
}

const scalarSchemas: { readonly [name in Extract<Shape, { type: "scalar" }>["scalar"]]: JsonSchema } = {
  undefined: { type: "null" },
  none: { type: "null" },
  boolean: { type: "boolean" },
  integer: { type: "integer" },
  bigint: { type: "integer", "x-godwit": "bigint" },
  float: { type: "number" },
  nan: { type: "number", "x-godwit": "nan" },
  string: { type: "string" },
  date: { type: "string", format: "date-time", "x-godwit": "date" },
  bytes: { type: "string", contentEncoding: "base64", "x-godwit": "bytes" },
};
