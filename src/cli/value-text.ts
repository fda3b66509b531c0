// Outputs and inputs as JSON for programs and as lines for people. Files and tables are shown where they
// lie on this machine.
import type { BlobStore } from "../blob/blob.ts";
import { readManifest } from "../blob/directory.ts";
import { type Literal, type Literals, parseBlobUri, soleOutput } from "../core/value.ts";
import type { Paint } from "./terminal.ts";
import { countText, plural, printable, sizeText } from "./text.ts";

export type FileValue = {
  readonly file: string;
  readonly path: string | null;
  readonly sizeBytes: number;
  readonly hash: string;
};
export type DirectoryValue = {
  readonly directory: string;
  /** Null: its bytes are gone. */
  readonly files: number | null;
  readonly sizeBytes: number;
  readonly hash: string;
};
export type TableValue = {
  readonly table: string;
  readonly path: string | null;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly sizeBytes: number;
  readonly hash: string;
};

/** Reads what the values name; a blob that is gone is shown without a path. */
export async function literalsJson(
  literals: Literals,
  blobs: BlobStore,
): Promise<{ readonly [name: string]: unknown }> {
  const entries = await Promise.all(
    Object.entries(literals).map(async ([name, literal]) => [name, await literalJson(literal, blobs)] as const),
  );
  return Object.fromEntries(entries);
}

async function literalJson(literal: Literal, blobs: BlobStore): Promise<unknown> {
  switch (literal.type) {
    case "blob":
      return literal.dimensionality === "multipart" ? directoryValue(literal, blobs) : fileValue(literal, blobs);
    case "structuredDataset": {
      const value: TableValue = {
        table: nameOf(literal.uri, "table.parquet"),
        path: await pathOf(literal.hash, blobs),
        rows: literal.rows,
        columns: literal.columns.map(({ name }) => name),
        sizeBytes: literal.sizeBytes,
        hash: literal.hash,
      };
      return value;
    }
    case "externalBlob":
    case "externalTable":
      return literal.uri;
    case "collection":
      return Promise.all(literal.elements.map((element) => literalJson(element, blobs)));
    case "map":
      return literalsJson(literal.entries, blobs);
    case "union":
      return literalJson(literal.value, blobs);
    default: {
      const { literalToJson } = await import("../idl/idl.ts");
      return literalToJson(literal);
    }
  }
}

type BlobValue = Extract<Literal, { type: "blob" }>;

async function fileValue(literal: BlobValue, blobs: BlobStore): Promise<FileValue> {
  return {
    file: nameOf(literal.uri, "file"),
    path: await pathOf(literal.hash, blobs),
    sizeBytes: literal.sizeBytes,
    hash: literal.hash,
  };
}

async function directoryValue(literal: BlobValue, blobs: BlobStore): Promise<DirectoryValue> {
  const isThere = (await blobs.sizeBytes(literal.hash)) !== null;
  return {
    directory: nameOf(literal.uri, "directory"),
    files: isThere ? (await readManifest(blobs, literal.hash)).files.length : null,
    sizeBytes: literal.sizeBytes,
    hash: literal.hash,
  };
}

export const nameOf = (uri: string, otherwise: string): string => parseBlobUri(uri)?.name || otherwise;

async function pathOf(digest: string, blobs: BlobStore): Promise<string | null> {
  return (await blobs.sizeBytes(digest)) === null ? null : blobs.path(digest);
}

const maxTextLength = 2_000;

/** One output a line; long ones over several. The sole output of a task has no name. */
export function valueLines(values: { readonly [name: string]: unknown }, paint: Paint): readonly string[] {
  const names = Object.keys(values);
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.flatMap((name) => {
    const text = valueText(values[name], paint);
    if (names.length === 1 && name === soleOutput) return text.split("\n");
    const [first = "", ...rest] = text.split("\n");
    return [`${paint("bold", name.padEnd(width))}  ${first}`, ...rest.map((line) => `${" ".repeat(width)}  ${line}`)];
  });
}

function valueText(value: unknown, paint: Paint): string {
  if (isValue<FileValue>(value, "file"))
    return `${value.path ?? "(its bytes are gone)"} ${paint("dim", `(${value.file}, ${sizeText(value.sizeBytes)})`)}`;
  if (isValue<TableValue>(value, "table"))
    return `${value.path ?? "(its bytes are gone)"} ${paint("dim", `(${plural(value.rows, "row")}, ${value.columns.length} columns, ${sizeText(value.sizeBytes)})`)}`;
  if (isValue<DirectoryValue>(value, "directory"))
    return `${value.directory}/ ${paint("dim", `(${value.files === null ? "its bytes are gone" : plural(value.files, "file")}, ${sizeText(value.sizeBytes)})`)}`;
  if (Array.isArray(value) && value.length > 0 && value.every(isStored))
    return value.map((each) => valueText(each, paint)).join("\n");
  if (typeof value === "string") return value.split("\n").map(printable).join("\n");
  const short = JSON.stringify(value) ?? "";
  const text = short.length <= 100 ? short : JSON.stringify(value, null, 2);
  if (text.length <= maxTextLength) return text;
  const left = text.length - maxTextLength;
  return `${text.slice(0, maxTextLength)}\n${paint("dim", `… ${countText(left)} more characters: --json has all`)}`;
}

const isValue = <T extends { readonly hash: string }>(value: unknown, kind: keyof T): value is T =>
  typeof value === "object" && value !== null && kind in value && "hash" in value && "sizeBytes" in value;

const isStored = (value: unknown): boolean =>
  isValue<FileValue>(value, "file") ||
  isValue<TableValue>(value, "table") ||
  isValue<DirectoryValue>(value, "directory");

/** Whether there is something that `godwit get output --to` would copy. */
export const hasFiles = (values: unknown): boolean =>
  isStored(values) || (typeof values === "object" && values !== null && Object.values(values).some(hasFiles));
