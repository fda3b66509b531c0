// Literals as JSON that people and programs read and write: outputs on the command line, inputs in files.
//
// R1  `literalFromJson(type, literalToJson(literal))` is the literal again, except where JSON cannot tell
//     two members of a union apart: then it is the first that fits, the most specific first.
import { didYouMean } from "../core/names.ts";
import {
  type BinaryLiteral,
  type JsonSchema,
  type Literal,
  type LiteralType,
  parseBlobUri,
  type SimpleName,
  type Variant,
} from "../core/value.ts";
import { integerToJson } from "./integer-text.ts";
import { firstThatFits, inside, mismatch } from "./mismatch.ts";
import { pack, unpack } from "./msgpack.ts";
import {
  bytesFromBase64,
  checkKey,
  floatFromJson,
  floatToJson,
  integerFromJson,
  isJsonRecord,
  type JsonRecord,
  jsonFromPacked,
  packedFromJson,
} from "./struct-json.ts";
import { datetimeFromText, durationFromText, durationText } from "./time-text.ts";

/** `where` names the value for errors: `--depths`. Integers may be numbers, bigints or decimal text. */
export function literalFromJson(type: LiteralType, json: unknown, where: string): Literal {
  switch (type.type) {
    case "simple":
      return simpleFromJson(type.simple, json, where);
    case "struct":
      return structLiteral(type.schema, json, where);
    case "collection":
      if (!Array.isArray(json)) throw mismatch(where, "a list", json);
      return {
        type: "collection",
        elements: json.map((element, index) => literalFromJson(type.element, element, inside(where, index))),
      };
    case "map":
      return mapFromJson(type.value, json, where);
    case "enum":
      return choiceFromJson(type.values, json, where);
    case "union":
      return unionFromJson(type.variants, json, where);
    case "blob":
      return blobFromJson(type, json, where);
    case "structuredDataset":
      return tableFromJson(type, json, where);
  }
}

function simpleFromJson(simple: SimpleName, json: unknown, where: string): Literal {
  switch (simple) {
    case "none":
      if (json !== null) throw mismatch(where, "null", json);
      return { type: "none" };
    case "integer": {
      const integer = integerFromJson(json);
      if (integer === null) throw mismatch(where, "an integer", json);
      return { type: "integer", value: String(integer) };
    }
    case "float": {
      const float = floatFromJson(json);
      if (float === null) throw mismatch(where, "a number", json);
      return { type: "float", value: floatToJson(float) };
    }
    case "boolean":
      if (typeof json !== "boolean") throw mismatch(where, "true or false", json);
      return { type: "boolean", value: json };
    default:
      return textFromJson(simple, json, where);
  }
}

function textFromJson(simple: "string" | "datetime" | "duration" | "binary", json: unknown, where: string): Literal {
  const expected = {
    string: "text",
    datetime: "a date and time such as 2026-01-31T12:00:00Z",
    duration: "a duration such as 1h30m",
    binary: "bytes in base64",
  }[simple];
  if (typeof json !== "string") throw mismatch(where, expected, json);
  if (simple === "string") return { type: "string", value: json };
  if (simple === "binary") {
    return { type: "binary", tag: "", value: Buffer.from(bytesFromBase64(json, where)).toString("base64") };
  }
  const value = simple === "datetime" ? datetimeFromText(json) : durationFromText(json);
  if (value === null) throw mismatch(where, expected, json);
  return { type: simple, value };
}

function structLiteral(schema: JsonSchema | null, json: unknown, where: string): BinaryLiteral {
  const { blobs, directories } = blobDigests(json);
  const value = Buffer.from(pack(packedFromJson(schema, json, where))).toString("base64");
  return blobs.length === 0
    ? { type: "binary", tag: "msgpack", value }
    : { type: "binary", tag: "msgpack", value, blobs, ...(directories.length === 0 ? {} : { directories }) };
}

/** Files in JSON are objects with a `godwit://` address; that is how they are found without their type. */
function blobDigests(json: unknown, found = { blobs: [] as string[], directories: [] as string[] }): typeof found {
  if (Array.isArray(json)) for (const item of json) blobDigests(item, found);
  else if (isJsonRecord(json)) {
    const reference = typeof json.uri === "string" ? parseBlobUri(json.uri) : null;
    if (reference !== null && json.hash === reference.digest) {
      found.blobs.push(reference.digest);
      if (json.dimensionality === "multipart") found.directories.push(reference.digest);
    } else for (const value of Object.values(json)) blobDigests(value, found);
  }
  return found;
}

function mapFromJson(value: LiteralType, json: unknown, where: string): Literal {
  if (!isJsonRecord(json)) throw mismatch(where, "an object", json);
  const entries: Record<string, Literal> = {};
  for (const [key, entry] of Object.entries(json)) {
    checkKey(key, where);
    entries[key] = literalFromJson(value, entry, inside(where, key));
  }
  return { type: "map", entries };
}

function choiceFromJson(values: readonly string[], json: unknown, where: string): Literal {
  if (typeof json === "string" && values.includes(json)) return { type: "string", value: json };
  const hint = typeof json === "string" ? didYouMean(json, values) : "";
  const texts = values.map((value) => JSON.stringify(value));
  throw mismatch(where, texts.length === 1 ? `${texts[0]}` : `one of ${texts.join(", ")}`, json, hint);
}

const unionFromJson = (variants: readonly Variant[], json: unknown, where: string): Literal =>
  firstThatFits(
    bySpecificity(variants).map((variant) => (): Literal => {
      // A number of a union with text stays a number: decimal text is an integer only where nothing else is.
      if (typeof json === "string" && isNumeric(variant.type)) throw mismatch(where, typeText(variant.type), json);
      return { type: "union", tag: variant.tag, value: literalFromJson(variant.type, json, where) };
    }),
    where,
    json,
  );

const isNumeric = (type: LiteralType): boolean =>
  type.type === "simple" && (type.simple === "integer" || type.simple === "float");

/** Narrow types first, so that "2026-01-31" is a moment before it is text, and 3 an integer before it is a float. */
export function bySpecificity(variants: readonly Variant[]): readonly Variant[] {
  const order = ["none", "boolean", "integer", "float", "enum", "datetime", "duration", "blob", "structuredDataset"];
  const last = ["collection", "map", "struct", "binary", "string"];
  const rank = ({ type }: Variant): number => {
    const name = type.type === "simple" ? type.simple : type.type;
    return order.includes(name) ? order.indexOf(name) : order.length + last.indexOf(name);
  };
  return [...variants].sort((a, b) => rank(a) - rank(b));
}

/** `hash` is null for what another SDK has written and says nothing of. */
function reference(json: unknown, what: string, where: string): Reference {
  const record = isJsonRecord(json) ? json : {};
  const { uri, hash = null } = record;
  const isOwn = typeof uri === "string" && parseBlobUri(uri) !== null;
  if (typeof uri !== "string" || (typeof hash !== "string" && (isOwn || hash !== null))) {
    throw mismatch(where, `a stored ${what} (an object with uri and hash)`, json);
  }
  return isOwn ? { record, uri, isOwn, hash: hash as string } : { record, uri, isOwn, hash: hash as string | null };
}

type Reference = { readonly record: JsonRecord; readonly uri: string } & (
  | { readonly isOwn: true; readonly hash: string }
  | { readonly isOwn: false; readonly hash: string | null }
);

function blobFromJson(type: Extract<LiteralType, { type: "blob" }>, json: unknown, where: string): Literal {
  const { dimensionality } = type;
  const found = reference(json, dimensionality === "single" ? "file" : "directory", where);
  const { record, uri } = found;
  const format = typeof record.format === "string" ? record.format : type.format;
  if (!found.isOwn) return { type: "externalBlob", uri, format, dimensionality, hash: found.hash };
  return { type: "blob", uri, format, dimensionality, hash: found.hash, sizeBytes: Number(record.sizeBytes ?? 0) };
}

function tableFromJson(
  type: Extract<LiteralType, { type: "structuredDataset" }>,
  json: unknown,
  where: string,
): Literal {
  const found = reference(json, "table", where);
  const { record, uri } = found;
  const columns = Array.isArray(record.columns) ? (record.columns as typeof type.columns) : type.columns;
  if (!found.isOwn) {
    const format = typeof record.format === "string" ? record.format : type.format;
    return { type: "externalTable", uri, columns, format, hash: found.hash };
  }
  return {
    type: "structuredDataset",
    uri,
    columns,
    format: "parquet",
    hash: found.hash,
    sizeBytes: Number(record.sizeBytes ?? 0),
    rows: Number(record.rows ?? 0),
  };
}

/** Integers beyond 2^53 become decimal text, bytes base64, NaN and the like words; files and tables objects with `uri`. */
export function literalToJson(literal: Literal): unknown {
  switch (literal.type) {
    case "none":
      return null;
    case "integer":
      return integerToJson(BigInt(literal.value));
    case "duration":
      return durationText(literal.value);
    case "binary":
      return literal.tag === "msgpack" ? jsonFromPacked(unpack(Buffer.from(literal.value, "base64"))) : literal.value;
    case "collection":
      return literal.elements.map(literalToJson);
    case "map":
      return Object.fromEntries(Object.entries(literal.entries).map(([key, value]) => [key, literalToJson(value)]));
    case "union":
      return literalToJson(literal.value);
    case "blob": {
      const { uri, format, hash, sizeBytes } = literal;
      return { uri, format, hash, sizeBytes };
    }
    case "structuredDataset": {
      const { uri, columns, hash, sizeBytes, rows } = literal;
      return { uri, columns, hash, sizeBytes, rows };
    }
    case "externalBlob": {
      const { uri, format, hash } = literal;
      return { uri, format, hash };
    }
    case "externalTable": {
      const { uri, columns, format, hash } = literal;
      return { uri, columns, format, hash };
    }
    default:
      return literal.value;
  }
}

/** A type in a few words: "list of integers". For help and errors. */
export function typeText(type: LiteralType): string {
  switch (type.type) {
    case "simple":
      return simpleWords[type.simple];
    case "struct":
      return type.schema === null ? "JSON" : type.schema.type === "array" ? "list" : "object";
    case "collection":
      return `list of ${typeText(type.element)}`;
    case "map":
      return `map of ${typeText(type.value)}`;
    case "enum":
      return type.values.map((value) => JSON.stringify(value)).join(" | ");
    case "union":
      return type.variants.map((variant) => typeText(variant.type)).join(" or ");
    case "blob":
      return type.dimensionality === "single" ? "file" : "directory";
    case "structuredDataset":
      return "table";
  }
}

const simpleWords: { readonly [name in SimpleName]: string } = {
  none: "null",
  integer: "integer",
  float: "number",
  string: "text",
  boolean: "boolean",
  datetime: "date and time",
  duration: "duration",
  binary: "bytes",
};
