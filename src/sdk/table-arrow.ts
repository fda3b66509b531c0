// Tables to Arrow and from it. The package is loaded when a table is first turned into one.
//
// Arrow's memory is written here, not by its builders, which take seconds for a million values: a bitmap
// of what is not null, then the values side by side; text and bytes as one buffer and the offsets in it.
import type { Table as ArrowTable, Data, DataType, Vector } from "apache-arrow";
import type { NamedColumn } from "./column.ts";

type Arrow = typeof import("apache-arrow");

export async function arrowTable(columns: readonly NamedColumn[]): Promise<ArrowTable> {
  const arrow = await import("apache-arrow");
  const vectors = columns.map((column) => [column.name, new arrow.Vector([dataOf(arrow, column)])] as const);
  return new arrow.Table(Object.fromEntries(vectors)) as unknown as ArrowTable;
}

function dataOf(arrow: Arrow, { kind, values }: NamedColumn): Data {
  const { length } = values;
  const { nullBitmap, nullCount } = nullsOf(values);
  const common = { length, nullCount, nullBitmap };
  switch (kind) {
    case "boolean":
      return arrow.makeData({ type: new arrow.Bool(), ...common, data: bitmapOf(values, (value) => value === true) });
    case "integer":
    case "bigint":
      return arrow.makeData({
        type: new arrow.Int64(),
        ...common,
        data: integers(values, (value) => BigInt(value as number)),
      });
    case "float":
      return arrow.makeData({ type: new arrow.Float64(), ...common, data: floats(values) });
    case "date":
      return arrow.makeData({
        type: new arrow.TimestampMillisecond("UTC"),
        ...common,
        data: integers(values, (value) => BigInt((value as Date).getTime())),
      });
    case "bytes":
      return arrow.makeData({ type: new arrow.Binary(), ...common, ...joined(values, (value) => value as Uint8Array) });
    case "string":
      return arrow.makeData({
        type: new arrow.Utf8(),
        ...common,
        ...joined(values, (value) => Buffer.from(value as string)),
      });
    case "json":
      return arrow.makeData({
        type: new arrow.Utf8(),
        ...common,
        ...joined(values, (value) => Buffer.from(JSON.stringify(value))),
      });
  }
}

function nullsOf(values: ArrayLike<unknown>): { readonly nullBitmap: Uint8Array | null; readonly nullCount: number } {
  let nullCount = 0;
  for (let index = 0; index < values.length; index++) if (values[index] === null) nullCount++;
  return { nullCount, nullBitmap: nullCount === 0 ? null : bitmapOf(values, (value) => value !== null) };
}

function bitmapOf(values: ArrayLike<unknown>, isSet: (value: unknown) => boolean): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  for (let index = 0; index < values.length; index++) {
    if (isSet(values[index])) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
  }
  return bitmap;
}

function integers(values: ArrayLike<unknown>, convert: (value: unknown) => bigint): BigInt64Array {
  if (values instanceof BigInt64Array) return values;
  const data = new BigInt64Array(values.length);
  for (let index = 0; index < values.length; index++) if (values[index] !== null) data[index] = convert(values[index]);
  return data;
}

const floats = (values: ArrayLike<unknown>): Float64Array =>
  values instanceof Float64Array ? values : Float64Array.from(values as ArrayLike<number>, (value) => value ?? 0);

function joined(
  values: ArrayLike<unknown>,
  convert: (value: unknown) => Uint8Array,
): { readonly data: Uint8Array; readonly valueOffsets: Int32Array } {
  const valueOffsets = new Int32Array(values.length + 1);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < values.length; index++) {
    const part = values[index] === null ? null : convert(values[index]);
    if (part !== null) parts.push(part);
    valueOffsets[index + 1] = (valueOffsets[index] as number) + (part?.length ?? 0);
  }
  return { data: Buffer.concat(parts), valueOffsets };
}

/** JavaScript values of each column: bigints only where a number would not be exact. */
export const arrowColumns = (table: ArrowTable): { readonly name: string; readonly values: readonly unknown[] }[] =>
  table.schema.fields.map(({ name, type }, index) => ({
    name,
    values: Array.from(table.getChildAt(index) as Vector, plainValue(type)),
  }));

const plainValue = (type: DataType) =>
  /^(Timestamp|Date)/.test(String(type))
    ? (value: unknown): unknown => (value === null ? null : new Date(Number(value)))
    : plain;

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  // Rows of structs, and lists, which are vectors.
  const json = (value as { toJSON?: () => unknown }).toJSON?.() ?? value;
  if (Array.isArray(json)) return json.map(plain);
  return Object.fromEntries(Object.entries(json as object).map(([key, item]) => [key, plain(item)]));
}
