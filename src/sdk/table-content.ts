// Rows to columns and back, and columns out of Parquet files.
import { openParquet, type ParquetContent } from "../idl/idl.ts";
import { inferredKind, type NamedColumn, plainValues } from "./column.ts";
import type { File } from "./file.ts";
import { own } from "./plain-object.ts";

type Row = { readonly [name: string]: unknown };

/** Keys of all rows, in the order in which they are first met. */
export function namesOf(rows: readonly object[]): readonly string[] {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

export const namedColumn = (name: string, values: ArrayLike<unknown>): NamedColumn => ({
  name,
  kind: inferredKind(values),
  values: plainValues(values),
});

export const columnsOf = (rows: readonly object[], names: readonly string[]): readonly NamedColumn[] =>
  names.map((name) =>
    namedColumn(
      name,
      rows.map((row) => own(row as Row, name) ?? null),
    ),
  );

export function rowsOf(columns: readonly NamedColumn[]): readonly object[] {
  const length = columns[0]?.values.length ?? 0;
  const rows: object[] = new Array(length);
  for (let index = 0; index < length; index++) {
    const row: Record<string, unknown> = {};
    for (const { name, values } of columns) row[name] = values[index];
    rows[index] = row;
  }
  return rows;
}

export const openParquetFile = async (file: File): Promise<ParquetContent> => openParquet(await file.path(), file.name);

export async function readContent(
  content: ParquetContent,
  start: number,
  end: number,
): Promise<readonly NamedColumn[]> {
  const values = await content.read(start, end);
  return content.columns.map(({ name, kind }, index) => ({ name, kind, values: values[index] as readonly unknown[] }));
}
