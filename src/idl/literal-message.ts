// Values as the protocol's messages (core/literals.proto) and back.
//
// R1  `literalOf(literalMessage(literal, type), type)` is the literal, and has its hash.
// R2  What a message says and core has no word for stays a message: it travels as bytes under a tag of its
//     own (`wholeTag`), and goes out as it came.
// R3  Bytes that Godwit keeps are at `godwit://` addresses; all others are external (core/value.ts R3).
import { Buffer } from "node:buffer";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Blob,
  LiteralSchema,
  type Literal as Message,
  type Primitive,
  PrimitiveSchema,
  type Scalar,
  type ScalarSchema,
  type StructuredDataset,
} from "#idl/flyteidl2/core/literals_pb.js";
import { GodwitError } from "../core/error.ts";
import { type BinaryLiteral, type Literal, type LiteralType, parseBlobUri } from "../core/value.ts";

import { blobsInStruct, packGeneric } from "./struct-content.ts";
import { floatToJson } from "./struct-json.ts";
import { datetimeOf, durationMessage, nanosecondsOf, timestampMessage } from "./time-message.ts";
import { columnMessages, columnsOf, dimensionalityOf, dimensions } from "./type-message.ts";
import { storedTypeMessage, tagOfStored, variantOfTag, variantOfValue } from "./union-variant.ts";

/** R2. */
const wholeTag = "flyteidl2.core.Literal";

/**
 * `type`: the variable's; null if nobody knows. A value of one member of a union is made one of the union, and a
 * union's value the member's where no union is asked for: callers have types of their own.
 */
export function literalMessage(literal: Literal, type: LiteralType | null): Message {
  if (literal.type === "union" && type !== null && type.type !== "union") return literalMessage(literal.value, type);
  if (literal.type !== "union" && type?.type === "union") {
    const variant = variantOfValue(literal, type.variants);
    if (variant !== null) return literalMessage({ type: "union", tag: variant.tag, value: literal }, type);
  }
  switch (literal.type) {
    case "collection": {
      const element = type?.type === "collection" ? type.element : null;
      const literals = literal.elements.map((each) => literalMessage(each, element));
      return create(LiteralSchema, { value: { case: "collection", value: { literals } } });
    }
    case "map": {
      const value = type?.type === "map" ? type.value : null;
      const literals = Object.fromEntries(
        Object.entries(literal.entries).map(([key, entry]) => [key, literalMessage(entry, value)]),
      );
      return create(LiteralSchema, { value: { case: "map", value: { literals } } });
    }
    case "binary":
      return binaryMessage(literal);
    case "blob":
    case "structuredDataset":
    case "externalBlob":
    case "externalTable":
      return storedMessage(literal);
    default:
      return scalarMessage(scalarOf(literal, type));
  }
}

const scalarMessage = (value: ScalarInit, rest: { readonly hash?: string } = {}): Message =>
  create(LiteralSchema, { value: { case: "scalar", value: { value } }, ...rest });

type ScalarInit = NonNullable<MessageInitShape<typeof ScalarSchema>["value"]>;
type Plain = Exclude<
  Literal,
  { type: "collection" | "map" | "binary" | "blob" | "structuredDataset" | "externalBlob" | "externalTable" }
>;

function scalarOf(literal: Plain, type: LiteralType | null): ScalarInit {
  switch (literal.type) {
    case "none":
      return { case: "noneType", value: {} };
    case "union": {
      const variant = variantOfTag(literal, type);
      const value = literalMessage(literal.value, variant?.type ?? null);
      return { case: "union", value: { value, type: storedTypeMessage(literal, type, variant) } };
    }
    default:
      return { case: "primitive", value: create(PrimitiveSchema, { value: primitiveOf(literal) }) };
  }
}

function primitiveOf(
  literal: Exclude<Plain, { type: "none" | "union" }>,
): NonNullable<MessageInitShape<typeof PrimitiveSchema>["value"]> {
  switch (literal.type) {
    case "integer":
      return { case: "integer", value: BigInt(literal.value) };
    case "float":
      return { case: "floatValue", value: Number(literal.value) };
    case "string":
      return { case: "stringValue", value: literal.value };
    case "boolean":
      return { case: "boolean", value: literal.value };
    case "datetime":
      return { case: "datetime", value: timestampMessage(literal.value) };
    case "duration":
      return { case: "duration", value: durationMessage(literal.value) };
  }
}

function binaryMessage({ tag, value, contentHash }: BinaryLiteral): Message {
  const bytes = Buffer.from(value, "base64");
  const whole = tag === wholeTag ? wholeOf(bytes) : null;
  return whole ?? scalarMessage({ case: "binary", value: { tag, value: bytes } }, { hash: contentHash ?? "" });
}

/** R2. Null: somebody else's use of the tag. */
function wholeOf(bytes: Uint8Array): Message | null {
  try {
    return fromBinary(LiteralSchema, bytes);
  } catch {
    return null;
  }
}

type Stored = Extract<Literal, { type: "blob" | "structuredDataset" | "externalBlob" | "externalTable" }>;

/** Sizes have no field in the protocol: they are in the literal's metadata. */
function storedMessage(literal: Stored): Message {
  const { uri } = literal;
  const hash = literal.hash ?? "";
  const metadata: Record<string, string> = {};
  if ("sizeBytes" in literal) metadata[sizeKey] = String(literal.sizeBytes);
  if ("rows" in literal) metadata[rowsKey] = String(literal.rows);
  const scalar = ((): ScalarInit => {
    if (literal.type === "blob" || literal.type === "externalBlob") {
      const type = { format: literal.format, dimensionality: dimensions[literal.dimensionality] };
      return { case: "blob", value: { uri, metadata: { type } } };
    }
    const structuredDatasetType = { columns: columnMessages(literal.columns), format: literal.format };
    return { case: "structuredDataset", value: { uri, metadata: { structuredDatasetType } } };
  })();
  return create(LiteralSchema, { value: { case: "scalar", value: { value: scalar } }, hash, metadata });
}

const sizeKey = "godwit-size-bytes";
const rowsKey = "godwit-rows";

/** Throws `invalid_argument` for a message that holds no value. */
export function literalOf(message: Message | undefined, type: LiteralType | null): Literal {
  const value = message?.value;
  switch (value?.case) {
    case "collection": {
      const element = type?.type === "collection" ? type.element : null;
      return { type: "collection", elements: value.value.literals.map((each) => literalOf(each, element)) };
    }
    case "map": {
      const entryType = type?.type === "map" ? type.value : null;
      const entries = Object.entries(value.value.literals);
      return {
        type: "map",
        entries: Object.fromEntries(entries.map(([key, entry]) => [key, literalOf(entry, entryType)])),
      };
    }
    case "scalar":
      return scalarLiteral(value.value, message as Message, type);
    case "offloadedMetadata":
      return whole(message as Message);
    case undefined:
      throw new GodwitError("invalid_argument", "A value (flyteidl2.core.Literal) is empty: not even none is in it.");
  }
}

const whole = (message: Message): Literal => ({
  type: "binary",
  tag: wholeTag,
  value: Buffer.from(toBinary(LiteralSchema, message)).toString("base64"),
});

function scalarLiteral(scalar: Scalar, message: Message, type: LiteralType | null): Literal {
  const { value } = scalar;
  switch (value.case) {
    case "noneType":
      return { type: "none" };
    case "primitive":
      return primitiveLiteral(value.value);
    case "binary":
      return binaryLiteral(value.value, message);
    case "union": {
      // Its sender had more members to choose from than the task knows (type-message.ts `acceptingType`).
      if (type !== null && type.type !== "union") return literalOf(value.value.value, type);
      const { tag, type: memberType } = tagOfStored(value.value, type, (member) =>
        literalOf(value.value.value, member),
      );
      return { type: "union", tag, value: literalOf(value.value.value, memberType) };
    }
    case "blob":
      return blobLiteral(value.value, message);
    case "structuredDataset":
      return tableLiteral(value.value, message);
    case "generic": {
      const schema = type?.type === "struct" ? type.schema : null;
      // Values of Python's protobuf classes, and dictionaries that were pickled: their reader knows them by this form.
      if (Object.keys(message.metadata).length > 0 || schema?.pb_type !== undefined) return whole(message);
      return { type: "binary", tag: "msgpack", value: base64(packGeneric(value.value, schema)) };
    }
    case "schema":
    case "error":
      return whole(message);
    case undefined:
      throw new GodwitError("invalid_argument", "A value (flyteidl2.core.Scalar) is empty: not even none is in it.");
  }
}

function primitiveLiteral({ value }: Primitive): Literal {
  switch (value.case) {
    case "integer":
      return { type: "integer", value: String(value.value) };
    case "floatValue":
      return { type: "float", value: floatToJson(value.value) };
    case "stringValue":
      return { type: "string", value: value.value };
    case "boolean":
      return { type: "boolean", value: value.value };
    case "datetime":
      return { type: "datetime", value: datetimeOf(value.value) };
    case "duration":
      return { type: "duration", value: nanosecondsOf(value.value) };
    case undefined:
      throw new GodwitError("invalid_argument", "A value (flyteidl2.core.Primitive) is empty.");
  }
}

function binaryLiteral(
  { tag, value }: { readonly tag: string; readonly value: Uint8Array },
  { hash }: Message,
): Literal {
  const binary = { type: "binary", tag, value: base64(value) } as const;
  return {
    ...binary,
    ...(tag === "msgpack" ? blobsInStruct(value) : {}),
    ...(hash === "" ? {} : { contentHash: hash }),
  };
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");

/** R3. */
function blobLiteral({ uri, metadata }: Blob, message: Message): Literal {
  const { format = "", dimensionality = 0 } = metadata?.type ?? {};
  const place = { uri, format, dimensionality: dimensionalityOf(dimensionality) } as const;
  const stored = parseBlobUri(uri);
  if (stored === null) return { type: "externalBlob", ...place, hash: hashOf(message) };
  return { type: "blob", ...place, hash: stored.digest, sizeBytes: amount(message, sizeKey) };
}

/** R3. */
function tableLiteral({ uri, metadata }: StructuredDataset, message: Message): Literal {
  const type = metadata?.structuredDatasetType;
  const columns = type === undefined ? [] : columnsOf(type);
  const format = type?.format ?? "";
  const stored = parseBlobUri(uri);
  if (stored === null || (format !== "parquet" && format !== ""))
    return { type: "externalTable", uri, columns, format, hash: hashOf(message) };
  return {
    type: "structuredDataset",
    uri,
    columns,
    format: "parquet",
    hash: stored.digest,
    sizeBytes: amount(message, sizeKey),
    rows: amount(message, rowsKey),
  };
}

const hashOf = ({ hash }: Message): string | null => (hash === "" ? null : hash);

/** 0 where another SDK has passed the value on and dropped the metadata. */
function amount({ metadata }: Message, key: string): number {
  const number = Number(metadata[key] ?? 0);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
