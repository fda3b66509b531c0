// Tables that are given as paths, and tables that are written to paths: Parquet, CSV, JSON.
import { readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import type { Literal, LiteralType } from "../core/value.ts";
import { shown } from "../idl/idl.ts";
import { storeIn } from "../sdk/handle.ts";
import { Table } from "../sdk/table.ts";
import { messageOf } from "./error-report.ts";
import { checkColumns } from "./input-columns.ts";
import { withoutNone } from "./type-text.ts";

type TableType = Extract<LiteralType, { type: "structuredDataset" }>;

/** 512 MiB: what is read as text is in memory at once. Parquet is not. */
const maxTextBytes = 512 * 1024 * 1024;

export async function tableLiteral(type: TableType, path: string, where: string, blobs: BlobStore): Promise<Literal> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() !== true) {
    throw new GodwitError(
      "invalid_argument",
      `${where}: expected the path of a table (.parquet, .csv or .json), found ${found === null ? "nothing" : "no file"} at ${path}`,
    );
  }
  const { table, literal } = await read(type, { path, sizeBytes: found.size }, where, blobs);
  try {
    if (literal.type === "structuredDataset") await checkColumns(type.columns, literal.columns, table);
    return literal;
  } catch (error) {
    throw new GodwitError("invalid_argument", `${where}: ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function read(
  type: TableType,
  { path, sizeBytes }: { readonly path: string; readonly sizeBytes: number },
  where: string,
  blobs: BlobStore,
): Promise<{ readonly table: Table; readonly literal: Literal }> {
  try {
    const table = await tableAt(path, sizeBytes, type);
    return { table, literal: await table[storeIn](blobs) };
  } catch (error) {
    if (isGodwitError(error) && error.code === "resource_exhausted") throw error;
    throw new GodwitError("invalid_argument", `${where}: ${path} cannot be read as a table: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function tableAt(path: string, sizeBytes: number, type: TableType): Promise<Table> {
  const extension = extname(path).toLowerCase();
  if (extension === ".parquet") return Table.fromParquet(path);
  if (extension !== ".csv" && extension !== ".tsv" && extension !== ".json") {
    throw new GodwitError(
      "invalid_argument",
      `its name ends with ${shown(extension)}, not with .parquet, .csv, .tsv or .json.`,
    );
  }
  if (sizeBytes > maxTextBytes)
    throw new GodwitError(
      "invalid_argument",
      "it is larger than 512 MiB; convert it to Parquet, which is not read at once.",
    );
  const text = await readFile(path, "utf8");
  if (extension === ".json") return declared(Table.fromRows(rowsOf(JSON.parse(text))), type);
  return declared(Table.fromCsv(text, { delimiter: extension === ".tsv" ? "\t" : "," }), type);
}

function rowsOf(json: unknown): readonly Record<string, unknown>[] {
  if (Array.isArray(json) && json.every((row) => typeof row === "object" && row !== null && !Array.isArray(row)))
    return json as readonly Record<string, unknown>[];
  throw new GodwitError("invalid_argument", `expected a list of objects, one for each row, got ${shown(json)}.`);
}

/** Text says less of its types than the task does: "3" may be text, and 3 a float. */
async function declared(table: Table, type: TableType): Promise<Table> {
  if (type.columns.length === 0) return table;
  const columns: Record<string, readonly unknown[] | Float64Array> = await table.columns();
  for (const column of type.columns) {
    const values = columns[column.name];
    if (values !== undefined) columns[column.name] = converted(values, column.type);
  }
  return Table.fromColumns(columns);
}

function converted(values: ArrayLike<unknown>, type: LiteralType): readonly unknown[] | Float64Array {
  const some = withoutNone(type);
  const list = Array.from(values);
  if (some?.type !== "simple") return list;
  switch (some.simple) {
    case "string":
      return list.map((value) => (typeof value === "number" || typeof value === "boolean" ? String(value) : value));
    case "float":
      return list.every((value) => typeof value === "number") ? Float64Array.from(list) : list;
    case "datetime":
      return list.map((value) =>
        typeof value === "string" && !Number.isNaN(Date.parse(value)) ? new Date(value) : value,
      );
    default:
      return list;
  }
}

/** A Parquet file as CSV or JSON text. */
export async function convertTable(path: string, extension: ".csv" | ".json"): Promise<string> {
  const table = await Table.fromParquet(path);
  if (extension === ".json") return `${JSON.stringify(await table.rows(), plain)}\n`;
  const rows = await table.rows();
  const lines = rows.map((row) => table.columnNames.map((name) => csvField(row[name])).join(","));
  return `${[table.columnNames.map(csvField).join(","), ...lines].join("\n")}\n`;
}

/** JSON has no integers beyond 2^53 and no bytes. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text =
    value instanceof Date
      ? value.toISOString()
      : value instanceof Uint8Array || typeof value === "object"
        ? (JSON.stringify(plain("", value)) as string).replace(/^"(.*)"$/, "$1")
        : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
