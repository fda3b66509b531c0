// Structs from JSON and to JSON. JSON cannot say whether 3 is an integer or a float, or that text is a
// moment: the struct's JSON Schema does.
//
// R1  The keyword `x-godwit` in a schema names what is more than JSON: date, bytes, bigint, file, dir,
//     table, map, set. Readers that do not know it see an ordinary schema.
// R2  Schemas of other origin are followed as far as they say something; the rest is taken as it is.
import { didYouMean } from "../core/names.ts";
import type { JsonSchema } from "../core/value.ts";
import { integerFromText, integerToJson, isInt64 } from "./integer-text.ts";
import { firstThatFits, inside, mismatch } from "./mismatch.ts";
import { isRecord, maxDepth, type Packed, type PackedRecord, type Tagged, tag, tagOf } from "./msgpack.ts";
import { datetimeFromText } from "./time-text.ts";

export type JsonRecord = { readonly [key: string]: unknown };

export const isJsonRecord = (value: unknown): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** JSON as it goes into a struct of that schema; null: of any schema. Throws where it does not fit. */
export const packedFromJson = (schema: JsonSchema | null, json: unknown, where: string): Packed =>
  packAs({ root: schema ?? {}, depth: 0 }, schema ?? {}, json, where);

type Walk = { readonly root: JsonSchema; readonly depth: number };

function packAs(walk: Walk, schema: JsonSchema, json: unknown, where: string): Packed {
  if (walk.depth > maxDepth) throw mismatch(where, `at most ${maxDepth} levels`, json);
  const { $ref: reference } = schema;
  if (typeof reference === "string") {
    return packAs({ ...walk, depth: walk.depth + 1 }, resolveReference(walk.root, reference), json, where);
  }
  const members = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(members)) return packAsMember(walk, members as JsonSchema[], json, where);
  if (Array.isArray(schema.type)) {
    return packAsMember(
      walk,
      schema.type.map((type: unknown) => ({ ...schema, type })),
      json,
      where,
    );
  }
  checkChoice(schema, json, where);
  const marked = packMarked(schema["x-godwit"], json, where);
  return marked === undefined ? packPlain(walk, schema, json, where) : marked;
}

function packMarked(mark: unknown, json: unknown, where: string): Packed | undefined {
  switch (mark) {
    case "date": {
      const moment = typeof json === "string" ? datetimeFromText(json) : null;
      if (moment === null) throw mismatch(where, "a date and time such as 2026-01-31T12:00:00Z", json);
      return moment;
    }
    case "bytes":
      if (typeof json !== "string") throw mismatch(where, "bytes in base64", json);
      return bytesFromBase64(json, where);
    case "file":
    case "dir":
    case "table":
      return packReference(mark, json, where);
    default:
      return undefined;
  }
}

function packReference(mark: string, json: unknown, where: string): Packed {
  if (!isJsonRecord(json) || typeof json.uri !== "string" || typeof json.hash !== "string") {
    throw mismatch(where, `a stored ${mark} (an object with uri and hash)`, json);
  }
  return packAny(json, where, 0);
}

function packPlain(walk: Walk, schema: JsonSchema, json: unknown, where: string): Packed {
  switch (schema.type) {
    case "integer":
      return packInteger(json, where);
    case "number":
      return packFloat(json, where);
    case "string":
      if (typeof json !== "string") throw mismatch(where, "text", json);
      return json;
    case "boolean":
      if (typeof json !== "boolean") throw mismatch(where, "true or false", json);
      return json;
    case "null":
      if (json !== null) throw mismatch(where, "null", json);
      return null;
    case "array":
      return packList({ ...walk, depth: walk.depth + 1 }, schema, json, where);
    case "object":
      return packObject({ ...walk, depth: walk.depth + 1 }, schema, json, where);
    default:
      return packAny(json, where, walk.depth);
  }
}

export function packInteger(json: unknown, where: string): bigint {
  const value = integerFromJson(json);
  if (value === null) throw mismatch(where, "an integer", json);
  return value;
}

export function integerFromJson(json: unknown): bigint | null {
  if (typeof json === "number") return Number.isSafeInteger(json) ? BigInt(json) : null;
  if (typeof json === "bigint") return isInt64(json) ? json : null;
  return typeof json === "string" ? integerFromText(json) : null;
}

function packFloat(json: unknown, where: string): number {
  const value = floatFromJson(json);
  if (value === null) throw mismatch(where, "a number", json);
  return value;
}

const floatWords: { readonly [word: string]: number } = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "-0": -0,
};

/** A number, or one of the words for what JSON cannot write. */
export function floatFromJson(json: unknown): number | null {
  if (typeof json === "number") return json;
  if (typeof json === "bigint") return Number(json);
  return typeof json === "string" ? (floatWords[json] ?? null) : null;
}

/** A float as JSON can write it. */
export function floatToJson(value: number): number | "NaN" | "Infinity" | "-Infinity" | "-0" {
  if (Object.is(value, -0)) return "-0";
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

export function bytesFromBase64(text: string, where: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) throw mismatch(where, "bytes in base64", text);
  return new Uint8Array(Buffer.from(text, "base64"));
}

function packList(walk: Walk, schema: JsonSchema, json: unknown, where: string): Packed {
  if (!Array.isArray(json)) throw mismatch(where, "a list", json);
  const first = Array.isArray(schema.prefixItems) ? (schema.prefixItems as JsonSchema[]) : [];
  const least = typeof schema.minItems === "number" ? schema.minItems : 0;
  if (json.length < least || (schema.items === false && json.length > first.length)) {
    throw mismatch(where, `a list of ${first.length}`, json);
  }
  const rest = isJsonRecord(schema.items) ? schema.items : {};
  const items = json.map((item, index) => packAs(walk, first[index] ?? rest, item, inside(where, index)));
  return schema["x-godwit"] === "map" ? tag("map", items) : schema["x-godwit"] === "set" ? tag("set", items) : items;
}

function packObject(walk: Walk, schema: JsonSchema, json: unknown, where: string): Packed {
  if (!isJsonRecord(json)) throw mismatch(where, "an object", json);
  const properties = isJsonRecord(schema.properties) ? schema.properties : {};
  for (const name of Array.isArray(schema.required) ? (schema.required as string[]) : []) {
    if (!Object.hasOwn(json, name)) throw mismatch(where, `an object with "${name}"`, json);
  }
  const rest = schema.additionalProperties;
  const packed: Record<string, Packed> = {};
  for (const [name, value] of Object.entries(json)) {
    checkKey(name, where);
    const property = Object.hasOwn(properties, name) ? properties[name] : rest;
    if (property === false) {
      throw mismatch(inside(where, name), "no such property", value, didYouMean(name, Object.keys(properties)));
    }
    packed[name] = packAs(walk, isJsonRecord(property) ? property : {}, value, inside(where, name));
  }
  return packed;
}

/** `__proto__` would change the object that it is put into. */
export function checkKey(key: string, where: string): void {
  if (key === "__proto__") throw mismatch(where, "keys of data", key);
}

/** JSON without a schema: whole numbers are integers. */
function packAny(json: unknown, where: string, depth: number): Packed {
  if (depth > maxDepth) throw mismatch(where, `at most ${maxDepth} levels`, json);
  if (typeof json === "number") return Number.isSafeInteger(json) && !Object.is(json, -0) ? BigInt(json) : json;
  if (typeof json === "bigint") return packInteger(json, where);
  if (Array.isArray(json)) return json.map((item, index) => packAny(item, inside(where, index), depth + 1));
  if (!isJsonRecord(json)) return json as Packed;
  const packed: Record<string, Packed> = {};
  for (const [name, value] of Object.entries(json)) {
    checkKey(name, where);
    packed[name] = packAny(value, inside(where, name), depth + 1);
  }
  return packed;
}

const packAsMember = (walk: Walk, members: readonly JsonSchema[], json: unknown, where: string): Packed =>
  firstThatFits(
    members.map((member) => () => packAs({ ...walk, depth: walk.depth + 1 }, member, json, where)),
    where,
    json,
  );

function checkChoice(schema: JsonSchema, json: unknown, where: string): void {
  const choices = Object.hasOwn(schema, "const") ? [schema.const] : schema.enum;
  if (!Array.isArray(choices) || choices.some((choice) => choice === json)) return;
  const texts = choices.map((choice) => JSON.stringify(choice));
  const hint = typeof json === "string" ? didYouMean(json, choices.map(String)) : "";
  throw mismatch(where, texts.length === 1 ? `${texts[0]}` : `one of ${texts.join(", ")}`, json, hint);
}

/** `#`, or a pointer such as `#/$defs/Node`, in the same schema. */
export function resolveReference(root: JsonSchema, reference: string): JsonSchema {
  let found: unknown = root;
  for (const step of reference.replace(/^#\/?/, "").split("/")) {
    if (step === "") continue;
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    found = isJsonRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return isJsonRecord(found) ? found : {};
}

/** A struct as people read it. Integers beyond 2^53 become text, bytes base64, moments RFC 3339. */
export function jsonFromPacked(packed: Packed): unknown {
  switch (typeof packed) {
    case "bigint":
      return integerToJson(packed);
    case "number":
      return floatToJson(packed);
    case "object":
      return jsonFromObject(packed);
    default:
      return packed;
  }
}

function jsonFromObject(packed: Packed & (object | null)): unknown {
  if (packed === null) return null;
  if (packed instanceof Date) return packed.toISOString();
  if (packed instanceof Uint8Array) return Buffer.from(packed).toString("base64");
  if (Array.isArray(packed)) return packed.map(jsonFromPacked);
  if (isRecord(packed)) return mapRecord(packed, jsonFromPacked);
  return jsonFromTagged(packed as Tagged);
}

function jsonFromTagged(packed: Tagged): unknown {
  const { value } = packed;
  switch (tagOf(packed)) {
    case "bigint":
      return integerToJson(BigInt(value as string));
    case "undefined":
      return null;
    case "member":
      return jsonFromPacked((value as readonly Packed[])[1] ?? null);
    default:
      return jsonFromPacked(value);
  }
}

const mapRecord = (record: PackedRecord, map: (value: Packed) => unknown): JsonRecord =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
