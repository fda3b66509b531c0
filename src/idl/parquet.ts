// Tables as Parquet, the form in which every language reads them.
//
// R1  The same columns give the same bytes, so that a table has one hash however it was made.
// R2  A column is of one kind and keeps it: integers are INT64 and come back as integers, whatever their
//     values; where Parquet has one type for two kinds, the file's metadata names the kind.
// R3  The libraries are loaded when the first table is read or written, not before.
import type { AsyncBuffer, FileMetaData, SchemaElement } from "hyparquet";
import type { ColumnSource } from "hyparquet-writer";
import { GodwitError } from "../core/error.ts";
import type { Column, LiteralType } from "../core/value.ts";

/** `integer`: numbers, or bigints where a number would not be exact. `json`: everything nested or mixed. */
export type ColumnKind = "boolean" | "integer" | "bigint" | "float" | "string" | "date" | "bytes" | "json";

/** Nulls are `null`; typed arrays have none. */
export type ColumnValues = readonly unknown[] | Float64Array | BigInt64Array;

export type ParquetColumn = { readonly name: string; readonly kind: ColumnKind; readonly values: ColumnValues };

const metadataKey = "godwit.kinds";

// Large enough to compress well, small enough to be read a batch at a time.
const rowsPerGroup = 100_000;

export async function writeParquet(columns: readonly ParquetColumn[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const bigints = columns.filter(({ kind }) => kind === "bigint").map(({ name }) => name);
  const buffer = parquetWriteBuffer({
    columnData: columns.map(columnSource),
    rowGroupSize: rowsPerGroup,
    createdBy: "godwit",
    ...(bigints.length === 0 ? {} : { kvMetadata: [{ key: metadataKey, value: JSON.stringify({ bigint: bigints }) }] }),
  });
  return new Uint8Array(buffer);
}

const basicTypes = {
  boolean: "BOOLEAN",
  integer: "INT64",
  bigint: "INT64",
  float: "DOUBLE",
  string: "STRING",
  date: "TIMESTAMP",
  bytes: "BYTE_ARRAY",
  json: "JSON",
} as const;

function columnSource({ name, kind, values }: ParquetColumn): ColumnSource {
  const nullable = Array.isArray(values) && values.includes(null);
  return {
    name,
    type: basicTypes[kind],
    data: physicalValues(kind, values, nullable) as ColumnSource["data"],
    nullable,
  };
}

function physicalValues(kind: ColumnKind, values: ColumnValues, nullable: boolean): ColumnValues {
  if (!Array.isArray(values)) return values;
  if (kind === "float" && !nullable) return Float64Array.from(values as number[]);
  if (kind !== "integer" && kind !== "bigint") return values;
  return nullable
    ? values.map((value) => (value === null ? null : BigInt(value as number)))
    : BigInt64Array.from(values as number[], BigInt);
}

export type ParquetContent = {
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
  readonly rowCount: number;
  /** Rows from `start` up to `end`, a list for each column in their order. */
  read(start: number, end: number): Promise<readonly (readonly unknown[])[]>;
};

/** A file's path, or its bytes. Rejects with `invalid_argument` for what is not Parquet; `name` is for errors. */
export async function openParquet(source: string | Uint8Array, name: string): Promise<ParquetContent> {
  const { asyncBufferFromFile, parquetMetadataAsync } = await import("hyparquet");
  try {
    const file = typeof source === "string" ? await asyncBufferFromFile(source) : bufferOf(source);
    const metadata = await parquetMetadataAsync(file);
    return contentOf(file, metadata);
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") {
      throw new GodwitError("not_found", `There is no file ${name}.`, { cause: error });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new GodwitError("invalid_argument", `${name} is not a Parquet file: ${reason}.`, { cause: error });
  }
}

const bufferOf = (bytes: Uint8Array): AsyncBuffer => ({
  byteLength: bytes.byteLength,
  slice: (start, end) => Promise.resolve(Uint8Array.prototype.slice.call(bytes, start, end).buffer as ArrayBuffer),
});

function contentOf(file: AsyncBuffer, metadata: FileMetaData): ParquetContent {
  const marked = metadata.key_value_metadata?.find(({ key }) => key === metadataKey)?.value;
  const bigints = new Set(marked === undefined ? [] : (JSON.parse(marked) as { readonly bigint: string[] }).bigint);
  const columns = topElements(metadata.schema).map((element) => ({
    name: element.name,
    kind: bigints.has(element.name) ? ("bigint" as const) : kindOf(element),
  }));
  return {
    columns,
    rowCount: Number(metadata.num_rows),
    read: (start, end) => readColumns(file, metadata, columns, { start, end }),
  };
}

/** The schema is a list in depth-first order; only the root's own children are columns. */
function topElements(schema: readonly SchemaElement[]): readonly SchemaElement[] {
  const elements: SchemaElement[] = [];
  let index = 1;
  const skip = (): void => {
    const children = schema[index++]?.num_children ?? 0;
    for (let child = 0; child < children; child++) skip();
  };
  while (index < schema.length) {
    elements.push(schema[index] as SchemaElement);
    skip();
  }
  return elements;
}

function kindOf(element: SchemaElement): ColumnKind {
  if ((element.num_children ?? 0) > 0 || element.repetition_type === "REPEATED") return "json";
  const logical = element.logical_type?.type ?? element.converted_type ?? "";
  if (logical === "DECIMAL" || logical === "FLOAT16") return "float";
  if (logical === "DATE" || logical.startsWith("TIMESTAMP")) return "date";
  if (["UTF8", "STRING", "ENUM", "UUID"].includes(logical)) return "string";
  if (["JSON", "BSON", "VARIANT", "GEOMETRY", "GEOGRAPHY", "INTERVAL"].includes(logical)) return "json";
  switch (element.type) {
    case "BOOLEAN":
      return "boolean";
    case "INT32":
    case "INT64":
      return "integer";
    case "INT96":
      return "date";
    case "FLOAT":
    case "DOUBLE":
      return "float";
    default:
      return "bytes";
  }
}

type Rows = { readonly start: number; readonly end: number };

async function readColumns(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: ParquetContent["columns"],
  { start, end }: Rows,
): Promise<readonly (readonly unknown[])[]> {
  const { parquetRead } = await import("hyparquet");
  const length = Math.max(0, Math.min(end, Number(metadata.num_rows)) - start);
  const values = new Map(columns.map(({ name }) => [name, new Array<unknown>(length)]));
  const kinds = new Map(columns.map(({ name, kind }) => [name, kind]));
  if (length > 0) {
    await parquetRead({
      file,
      metadata,
      rowStart: start,
      rowEnd: start + length,
      utf8: false,
      onChunk: ({ columnName, columnData, rowStart }) => {
        const into = values.get(columnName);
        if (into !== undefined) place(into, columnData, rowStart - start, kinds.get(columnName) as ColumnKind);
      },
    });
  }
  return columns.map(({ name }) => values.get(name) as unknown[]);
}

/** Chunks may begin before and end after what was asked for. */
function place(into: unknown[], values: ArrayLike<unknown>, offset: number, kind: ColumnKind): void {
  const first = Math.max(0, -offset);
  const last = Math.min(values.length, into.length - offset);
  const convert = conversions[kind];
  for (let index = first; index < last; index++) {
    const value = values[index];
    into[offset + index] = value === null || value === undefined ? null : convert === null ? value : convert(value);
  }
}

const asNumber = (value: unknown): unknown => {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

const conversions: { readonly [kind in ColumnKind]: ((value: unknown) => unknown) | null } = {
  boolean: null,
  integer: asNumber,
  bigint: (value) => BigInt(value as number),
  float: (value) => (typeof value === "bigint" ? Number(value) : value),
  string: null,
  date: null,
  // A copy: chunks share one buffer.
  bytes: (value) => (value instanceof Uint8Array ? new Uint8Array(value) : value),
  json: (value) => plainJson(value),
};

/** Nested columns of other writers hold bigints and dates. */
function plainJson(value: unknown): unknown {
  if (typeof value === "bigint") return asNumber(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainJson(item)]));
}

const literalTypes: { readonly [kind in ColumnKind]: LiteralType } = {
  boolean: { type: "simple", simple: "boolean" },
  integer: { type: "simple", simple: "integer" },
  bigint: { type: "simple", simple: "integer" },
  float: { type: "simple", simple: "float" },
  string: { type: "simple", simple: "string" },
  date: { type: "simple", simple: "datetime" },
  bytes: { type: "simple", simple: "binary" },
  json: { type: "struct", schema: null },
};

export const columnOfKind = (name: string, kind: ColumnKind): Column => ({ name, type: literalTypes[kind] });

/** What a table literal says of a Parquet file. */
export async function describeParquet(
  source: string | Uint8Array,
  name = typeof source === "string" ? source : "the table",
): Promise<{ readonly columns: readonly Column[]; readonly rows: number }> {
  const { columns, rowCount } = await openParquet(source, name);
  return { columns: columns.map((column) => columnOfKind(column.name, column.kind)), rows: rowCount };
}
