// Files, directories and tables, as literals and inside structs.
import type { BlobStore } from "../blob/blob.ts";
import type { BlobLiteral, Literal, TableLiteral } from "../core/value.ts";
import { isRecord, jsonFromPacked, type Packed, packedFromJson } from "../idl/idl.ts";
import { Dir, openDir } from "./dir.ts";
import { File, openFile } from "./file.ts";
import type { Handle } from "./handle.ts";
import { literalOfHandle, type Writing } from "./packing.ts";
import { foreign } from "./scalar.ts";
import { openTable, Table } from "./table.ts";

export type HandleName = "file" | "dir" | "table";

type HandleKind = {
  readonly noun: string;
  /** Name of Flyte's transformer. */
  readonly tag: string;
  takes(value: unknown): value is Handle;
  /** Null for literals of another kind. */
  open(literal: Literal, blobs: BlobStore): Handle | null;
};

export const handleKinds: { readonly [name in HandleName]: HandleKind } = {
  file: {
    noun: "a File of godwit",
    tag: "File",
    takes: (value) => value instanceof File,
    open: (literal, blobs) =>
      literal.type === "blob" && literal.dimensionality === "single" ? openFile(literal, blobs) : null,
  },
  dir: {
    noun: "a Dir of godwit",
    tag: "Dir",
    takes: (value) => value instanceof Dir,
    open: (literal, blobs) =>
      literal.type === "blob" && literal.dimensionality === "multipart" ? openDir(literal, blobs) : null,
  },
  table: {
    noun: "a Table of godwit",
    tag: "DataFrame",
    takes: (value) => value instanceof Table,
    open: (literal, blobs) => (literal.type === "structuredDataset" ? openTable(literal, blobs) : null),
  },
};

/** A record of the literal's fields: other languages read `uri`, `format` and `hash`. */
export function packHandle(handle: Handle, writing: Writing): Packed {
  const { type: _, ...fields } = literalOfHandle(handle, writing);
  return writing.isByContent ? fields.hash : packedFromJson(null, fields, "");
}

/** `foreign` if it is no such record. */
export function unpackHandle(name: HandleName, packed: Packed, blobs: BlobStore): unknown {
  if (!readsHandle(packed)) return foreign;
  const fields = jsonFromPacked(packed) as Omit<BlobLiteral, "type"> | Omit<TableLiteral, "type">;
  const literal = { ...fields, type: name === "table" ? "structuredDataset" : "blob" } as BlobLiteral | TableLiteral;
  return handleKinds[name].open(literal, blobs) ?? foreign;
}

export const readsHandle = (packed: Packed): boolean =>
  isRecord(packed) && typeof packed.uri === "string" && typeof packed.hash === "string";
