// Structs and their schemas as other SDKs understand them.
//
// R1  A schema says what Flyte's Python SDK needs to make a class of it: objects have titles, files, directories and
//     tables are objects of Flyte's own. What it cannot make a class of has no schema there, and is a dictionary.
// R2  A value has no tag that only Godwit reads: its sets are lists, its moments text. Whoever knows its schema
//     reads it as what it was.
import type { JsonSchema } from "../core/value.ts";
import { isInt64 } from "./integer-text.ts";
import { isRecord, type Packed, pack, type Tagged, tagOf } from "./msgpack.ts";
import { unpackExact } from "./msgpack-exact.ts";
import { isJsonRecord } from "./struct-json.ts";

const usualTitle = "Object";

/** R1. Null: no class. */
export function plainSchema(schema: JsonSchema): JsonSchema | null {
  if (schema.type !== "object" || schema["x-godwit"] !== undefined || isRecursive(schema)) return null;
  // Of other origin, or as it is wanted already.
  if (schema.title !== undefined) return schema;
  return plainPart(schema, usualTitle);
}

/** Of our own schemas only those have definitions that need them to name themselves. */
const isRecursive = (schema: JsonSchema): boolean => schema.$defs !== undefined && schema.title === undefined;

function plainPart(schema: JsonSchema, title: string): JsonSchema {
  const handle = handleSchemas[String(schema["x-godwit"])];
  if (handle !== undefined) return handle;
  const part: Record<string, unknown> = { ...schema };
  if (isJsonRecord(schema.properties)) {
    part.title = title;
    part.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, inner]) => [name, plainPart(inner as JsonSchema, titleOf(name))]),
    );
  }
  for (const key of ["items", "additionalProperties"] as const)
    if (isJsonRecord(schema[key])) part[key] = plainPart(schema[key] as JsonSchema, title);
  for (const key of ["anyOf", "prefixItems"] as const) {
    const parts = schema[key];
    if (Array.isArray(parts)) part[key] = parts.map((inner: JsonSchema) => plainPart(inner, title));
  }
  return part;
}

/** `max_depth` is a MaxDepth. */
const titleOf = (name: string): string =>
  name.replaceAll(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase()) || usualTitle;

const text = { type: "string" } as const;
const maybeText = { anyOf: [text, { type: "null" }], default: null } as const;
const pathProperties = { path: text, name: maybeText, format: { ...text, default: "" }, hash: maybeText };

/** By these Python's SDK knows its own classes. */
const handleSchemas: { readonly [mark: string]: JsonSchema | undefined } = {
  file: { title: "File", type: "object", properties: pathProperties, required: ["path"], "x-flyte-type": "file" },
  dir: { title: "Dir", type: "object", properties: pathProperties, required: ["path"], "x-flyte-type": "dir" },
  table: {
    title: "DataFrame",
    type: "object",
    properties: { uri: maybeText, format: { ...maybeText, default: "" }, hash: maybeText },
    "x-flyte-type": "dataframe",
  },
};

/** R2. Null for bytes that are plain already, or that cannot be written again as they are: those stay as they came. */
export function plainBytes(bytes: Uint8Array): Uint8Array | null {
  const packed = unpackExact(bytes);
  return packed === null || isPlain(packed) ? null : pack(plainPacked(packed));
}

function isPlain(packed: Packed): boolean {
  if (packed instanceof Date) return false;
  if (Array.isArray(packed)) return packed.every(isPlain);
  return isRecord(packed) ? Object.values(packed).every(isPlain) : tagOf(packed) === null;
}

/** R2. */
export function plainPacked(packed: Packed): Packed {
  if (packed instanceof Date) return packed.toISOString();
  if (Array.isArray(packed)) return packed.map(plainPacked);
  if (isRecord(packed))
    return Object.fromEntries(Object.entries(packed).map(([key, value]) => [key, plainPacked(value)]));
  return tagOf(packed) === null ? packed : plainTagged(packed as Tagged);
}

function plainTagged(packed: Tagged): Packed {
  const { value } = packed;
  switch (tagOf(packed)) {
    case "bigint": {
      const integer = BigInt(value as string);
      return isInt64(integer) ? integer : (value as string);
    }
    case "undefined":
      return null;
    case "map":
      return plainMap(value as readonly (readonly [Packed, Packed])[]);
    case "member":
      return plainPacked((value as readonly Packed[])[1] ?? null);
    default:
      return plainPacked(value);
  }
}

/** An object where all keys are text; else a list of pairs. */
function plainMap(entries: readonly (readonly [Packed, Packed])[]): Packed {
  const plain = entries.map(([key, value]) => [plainPacked(key), plainPacked(value)] as const);
  return plain.every(([key]) => typeof key === "string")
    ? Object.fromEntries(plain as readonly (readonly [string, Packed])[])
    : plain;
}
