// Tables to Arrow and from it. The package is loaded when a table is first turned into one.
import type { Table as ArrowTable, DataType, Vector } from "apache-arrow";
import type { NamedColumn } from "./column.ts";

export async function arrowTable(columns: readonly NamedColumn[]): Promise<ArrowTable> {
  const arrow = await import("apache-arrow");
  const typeOf = ({ kind }: NamedColumn): DataType => {
    switch (kind) {
      case "boolean":
        return new arrow.Bool();
      case "integer":
      case "bigint":
        return new arrow.Int64();
      case "float":
        return new arrow.Float64();
      case "date":
        return new arrow.TimestampMillisecond("UTC");
      case "bytes":
        return new arrow.Binary();
      default:
        return new arrow.Utf8();
    }
  };
  const vectors = columns.map(
    (column) => [column.name, arrow.vectorFromArray(arrowValues(column), typeOf(column))] as const,
  );
  return new arrow.Table(Object.fromEntries(vectors)) as unknown as ArrowTable;
}

function arrowValues({ kind, values }: NamedColumn): unknown[] {
  const convert = { integer: BigInt, json: JSON.stringify } as {
    readonly [kind: string]: ((value: never) => unknown) | undefined;
  };
  const one = convert[kind];
  return Array.from(values, (value) => (value === null || one === undefined ? value : one(value as never)));
}

/** JavaScript values of each column: bigints only where a number would not be exact. */
export const arrowColumns = (table: ArrowTable): { readonly name: string; readonly values: readonly unknown[] }[] =>
  table.schema.fields.map(({ name, type }, index) => ({
    name,
    values: Array.from(table.getChildAt(index) as Vector, plainValue(String(type))),
  }));

const plainValue = (type: string) =>
  type.startsWith("Timestamp") || type.startsWith("Date")
    ? (value: unknown): unknown => (value === null ? null : new Date(Number(value)))
    : plain;

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  // Rows of structs, and lists, which are vectors.
  const json = (value as { toJSON?: () => unknown }).toJSON?.() ?? value;
  if (Array.isArray(json)) return json.map(plain);
  return Object.fromEntries(Object.entries(json as object).map(([key, item]) => [key, plain(item)]));
}
