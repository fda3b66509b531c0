// Types as the protocol's messages (core/types.proto) and back.
//
// R1  `typeOf(typeMessage(type))` is the type. The other way round, what only other SDKs need is left out: a
//     message that has to stay whole is kept whole (core/task.ts, SpecMessage).
// R2  In a union of core each tag names one variant: a second one of the same name is numbered, as the SDK
//     numbers its own (`File`, `File 2`). In messages both have the bare name.
import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import {
  BlobType_BlobDimensionality,
  LiteralTypeSchema,
  type LiteralType as Message,
  SchemaType_SchemaColumn_SchemaColumnType,
  SimpleType,
  type StructuredDatasetType,
  TypeStructureSchema,
} from "#idl/flyteidl2/core/types_pb.js";
import { GodwitError } from "../core/error.ts";
import type { Column, JsonSchema, LiteralType, SimpleName, Variant } from "../core/value.ts";
import { plainSchema } from "./plain-struct.ts";
import { isJsonRecord } from "./struct-json.ts";

type Init = MessageInitShape<typeof LiteralTypeSchema>;

const simples: { readonly [name in SimpleName]: SimpleType } = {
  none: SimpleType.NONE,
  integer: SimpleType.INTEGER,
  float: SimpleType.FLOAT,
  string: SimpleType.STRING,
  boolean: SimpleType.BOOLEAN,
  datetime: SimpleType.DATETIME,
  duration: SimpleType.DURATION,
  binary: SimpleType.BINARY,
};

export const typeMessage = (type: LiteralType): Message => create(LiteralTypeSchema, typeInit(type));

/** The message of a union's member, as values name it and the type lists it. */
export function variantMessage(variants: readonly Variant[], { tag, type }: Variant): Message {
  const message = typeMessage(type);
  message.structure = create(TypeStructureSchema, { tag: bareTag(variants, tag) });
  return message;
}

function typeInit(type: LiteralType): Init {
  switch (type.type) {
    case "simple":
      return { type: { case: "simple", value: simples[type.simple] } };
    case "struct":
      return structInit(type.schema);
    case "collection":
      return { type: { case: "collectionType", value: typeMessage(type.element) } };
    case "map":
      return { type: { case: "mapValueType", value: typeMessage(type.value) } };
    case "enum":
      return { type: { case: "enumType", value: { values: [...type.values] } } };
    case "union": {
      const variants = type.variants.map((variant) => variantMessage(type.variants, variant));
      return { type: { case: "unionType", value: { variants } } };
    }
    case "blob":
      return {
        type: { case: "blob", value: { format: type.format, dimensionality: dimensions[type.dimensionality] } },
      };
    case "structuredDataset": {
      const { columns, format } = type;
      return { type: { case: "structuredDatasetType", value: { columns: columnMessages(columns), format } } };
    }
  }
}

export const dimensions = {
  single: BlobType_BlobDimensionality.SINGLE,
  multipart: BlobType_BlobDimensionality.MULTIPART,
} as const;

export const dimensionalityOf = (dimensionality: BlobType_BlobDimensionality): "single" | "multipart" =>
  dimensionality === BlobType_BlobDimensionality.MULTIPART ? "multipart" : "single";

export const columnMessages = (columns: readonly Column[]) =>
  columns.map(({ name, type }) => ({ name, literalType: typeMessage(type) }));

export const columnsOf = ({ columns }: Pick<StructuredDatasetType, "columns">): readonly Column[] =>
  columns.map(({ name, literalType }) => ({ name, type: typeOf(literalType) }));

/** The transformer of Python's that makes a class of a schema. */
const structTag = "Pydantic Transformer";
/** The exact schema as text, where the one that others read is another. */
const annotationKey = "godwit-schema";

function structInit(schema: JsonSchema | null): Init {
  const type = { case: "simple", value: SimpleType.STRUCT } as const;
  const annotations: JsonObject = { "cache-key-metadata": { "serialization-format": "msgpack" } };
  if (schema === null) return { type, annotation: { annotations } };
  const plain = plainSchema(schema);
  if (plain !== schema) annotations[annotationKey] = JSON.stringify(schema);
  return {
    type,
    annotation: { annotations },
    ...(plain === null ? {} : { metadata: plain as JsonObject, structure: { tag: structTag } }),
  };
}

/**
 * The type of an input as Python's callers see it. Where the task takes an object they may pass one of a dataclass,
 * of a Pydantic model, or a dict: their SDK tries the members of a union, and would take only one of them else.
 * What comes is unwrapped again (literal-message.ts).
 */
export function acceptingType(type: LiteralType): Message {
  switch (type.type) {
    case "struct":
      return type.schema === null ? typeMessage(type) : unionMessage(objectVariants(type));
    case "collection":
      return create(LiteralTypeSchema, { type: { case: "collectionType", value: acceptingType(type.element) } });
    case "map":
      return create(LiteralTypeSchema, { type: { case: "mapValueType", value: acceptingType(type.value) } });
    case "union": {
      const { variants } = type;
      return unionMessage(
        variants.flatMap((variant) =>
          variant.type.type === "struct" && variant.type.schema !== null
            ? objectVariants(variant.type)
            : [tagged(acceptingType(variant.type), bareTag(variants, variant.tag))],
        ),
      );
    }
    default:
      return typeMessage(type);
  }
}

const unionMessage = (variants: Message[]): Message =>
  create(LiteralTypeSchema, { type: { case: "unionType", value: { variants } } });

const objectVariants = (type: LiteralType): Message[] => [
  tagged(typeMessage(type), structTag),
  tagged(typeMessage(type), "Object-Dataclass-Transformer"),
  tagged(typeMessage({ type: "struct", schema: null }), "Typed Dict"),
];

function tagged(message: Message, tag: string): Message {
  message.structure = create(TypeStructureSchema, { tag });
  return message;
}

/** Throws `invalid_argument` for a message that names no type. */
export function typeOf(message: Message | undefined): LiteralType {
  const type = message?.type;
  switch (type?.case) {
    case "simple":
      return simpleTypeOf(type.value, message as Message);
    case "collectionType":
      return { type: "collection", element: typeOf(type.value) };
    case "mapValueType":
      return { type: "map", value: typeOf(type.value) };
    case "enumType":
      return { type: "enum", values: type.value.values };
    case "unionType":
      return { type: "union", variants: variantsOf(type.value.variants) };
    case "blob": {
      const { format, dimensionality } = type.value;
      return { type: "blob", format, dimensionality: dimensionalityOf(dimensionality) };
    }
    case "structuredDatasetType":
      return { type: "structuredDataset", columns: columnsOf(type.value), format: type.value.format };
    case "schema": {
      const columns = type.value.columns.map((column) => ({
        name: column.name,
        type: { type: "simple", simple: schemaColumns[column.type] ?? "string" } as const,
      }));
      return { type: "structuredDataset", columns, format: "" };
    }
    case undefined:
      throw new GodwitError("invalid_argument", "A type of an interface (flyteidl2.core.LiteralType) says no type.");
  }
}

const schemaColumns: { readonly [type in SchemaType_SchemaColumn_SchemaColumnType]: SimpleName } = {
  [SchemaType_SchemaColumn_SchemaColumnType.INTEGER]: "integer",
  [SchemaType_SchemaColumn_SchemaColumnType.FLOAT]: "float",
  [SchemaType_SchemaColumn_SchemaColumnType.STRING]: "string",
  [SchemaType_SchemaColumn_SchemaColumnType.BOOLEAN]: "boolean",
  [SchemaType_SchemaColumn_SchemaColumnType.DATETIME]: "datetime",
  [SchemaType_SchemaColumn_SchemaColumnType.DURATION]: "duration",
};

const simpleNames = new Map(Object.entries(simples).map(([name, type]) => [type, name as SimpleName]));

function simpleTypeOf(simple: SimpleType, message: Message): LiteralType {
  const name = simpleNames.get(simple);
  return name === undefined ? { type: "struct", schema: schemaOf(message) } : { type: "simple", simple: name };
}

function schemaOf({ metadata, annotation }: Message): JsonSchema | null {
  const text = annotation?.annotations?.[annotationKey];
  if (typeof text !== "string") return metadata ?? null;
  const schema = jsonOf(text);
  if (isJsonRecord(schema)) return schema;
  throw new GodwitError("invalid_argument", `A type's annotation "${annotationKey}" is no JSON Schema.`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // The caller says what is wrong.
  }
}

/** R2. A variant without a tag is called by its kind. */
function variantsOf(messages: readonly Message[]): readonly Variant[] {
  const counts = new Map<string, number>();
  return messages.map((message) => {
    const tag = message.structure?.tag || (message.type.case ?? "");
    const count = (counts.get(tag) ?? 0) + 1;
    counts.set(tag, count);
    return { tag: count === 1 ? tag : `${tag} ${count}`, type: typeOf(message) };
  });
}

/** R2: without the number, if it is one. */
export function bareTag(variants: readonly Variant[], tag: string): string {
  const [, bare = "", number = ""] = /^(.+) (\d+)$/.exec(tag) ?? [];
  const index = variants.findIndex((variant) => variant.tag === tag);
  const isNumbered =
    index > 0 &&
    Number(number) > 1 &&
    variants.slice(0, index).filter((before) => before.tag === bare || before.tag.startsWith(`${bare} `)).length >=
      Number(number) - 1;
  return isNumbered ? bare : tag;
}
