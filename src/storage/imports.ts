// Files and tables that other SDKs have written, taken into the blob store: so that they are kept, have
// a digest, and can be opened by TypeScript tasks.
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { putDirectory } from "../blob/directory.ts";
import { translated } from "../blob/storage-error.ts";
import { GodwitError } from "../core/error.ts";
import { sha256Hex } from "../core/hash.ts";
import {
  type BinaryLiteral,
  type BlobLiteral,
  blobUri,
  type Column,
  type Literal,
  type Literals,
  type TableLiteral,
} from "../core/value.ts";
import { describeParquet, isRecord, type Packed, pack, packedFromJson, unpack, unpackExact } from "../idl/idl.ts";
import { isBelow, plainPath } from "./containment.ts";
import { changedLiterals, changedPacked } from "./literal-walk.ts";

type Into = { readonly blobs: BlobStore; readonly root: string };

export const importedLiterals = (literals: Literals, into: Into): Promise<Literals> =>
  changedLiterals(literals, async (leaf): Promise<Literal> => {
    switch (leaf.type) {
      case "externalBlob":
        return importedBlob(leaf.uri, leaf, into);
      case "externalTable":
        return importedTable(leaf.uri, leaf.columns, into);
      case "binary":
        return leaf.tag === "msgpack" && leaf.blobs === undefined ? importedStruct(leaf, into) : leaf;
      default:
        return leaf;
    }
  });

async function importedBlob(
  uri: string,
  { format, dimensionality }: Pick<BlobLiteral, "format" | "dimensionality">,
  { blobs }: Into,
): Promise<BlobLiteral> {
  const path = readable(uri);
  const { digest, sizeBytes } =
    dimensionality === "single" ? await blobs.putFile(path) : await putDirectory(blobs, path);
  return { type: "blob", uri: blobUri(digest, basename(path)), format, dimensionality, hash: digest, sizeBytes };
}

async function importedTable(uri: string, declared: readonly Column[], { blobs }: Into): Promise<TableLiteral> {
  const path = await parquetFile(readable(uri));
  const { columns, rows } = await describeParquet(path);
  const { digest, sizeBytes } = await blobs.putFile(path);
  const name = `${basename(path).replace(/\.parquet$/, "")}.parquet`;
  return {
    type: "structuredDataset",
    uri: blobUri(digest, name),
    columns: columns.length === 0 ? declared : columns,
    format: "parquet",
    hash: digest,
    sizeBytes,
    rows,
  };
}

/** Flyte's data frames are directories; pandas and Arrow write one file into them. */
async function parquetFile(path: string): Promise<string> {
  if (!(await translated(path, () => stat(path))).isDirectory()) return path;
  const names = (await translated(path, () => readdir(path))).filter((name) => !/^[._]/.test(name));
  const [only] = names;
  if (only !== undefined && names.length === 1) return join(path, only);
  throw new GodwitError(
    "invalid_argument",
    `The table at ${path} consists of ${names.length} files; one Parquet file was expected. Write it as one (repartition it), or pass it as a directory.`,
  );
}

/** A struct in which File, Dir and DataFrame are records; what is none stays as it is. */
async function importedStruct(literal: BinaryLiteral, into: Into): Promise<BinaryLiteral> {
  const found: (BlobLiteral | TableLiteral)[] = [];
  const bytes = Buffer.from(literal.value, "base64");
  const before = unpackExact(bytes) ?? unpack(bytes);
  const packed = await changedPacked(before, async (inner) => {
    const handle = await importedRecord(inner, into);
    if (handle === null) return null;
    found.push(handle);
    const { type: _, ...fields } = handle;
    return packedFromJson(null, fields, "");
  });
  if (found.length === 0) return literal;
  const digests = new Map(found.map(({ uri, hash }) => [uri, hash]));
  const byContent = await changedPacked(packed, async (inner) =>
    isRecord(inner) && typeof inner.uri === "string" ? (digests.get(inner.uri) ?? null) : null,
  );
  const directories = found.filter((handle) => handle.type === "blob" && handle.dimensionality === "multipart");
  return {
    type: "binary",
    tag: literal.tag,
    value: Buffer.from(pack(packed)).toString("base64"),
    blobs: distinct(found.map(({ hash }) => hash)),
    ...(directories.length === 0 ? {} : { directories: distinct(directories.map(({ hash }) => hash)) }),
    contentHash: sha256Hex(pack(byContent)),
  };
}

/** Null for what is no file, directory or table of the storage. */
async function importedRecord(packed: Packed, into: Into): Promise<BlobLiteral | TableLiteral | null> {
  if (!isRecord(packed) || typeof packed.format !== "string") return null;
  const uri = packed.path ?? packed.uri;
  const path = typeof uri === "string" ? plainPath(uri) : null;
  if (path === null || !isBelow(into.root, path)) return null;
  if (packed.path === undefined) return importedTable(path, [], into);
  const isDirectory = (await translated(path, () => stat(path))).isDirectory();
  return importedBlob(path, { format: packed.format, dimensionality: isDirectory ? "multipart" : "single" }, into);
}

function readable(uri: string): string {
  const path = plainPath(uri);
  if (path !== null) return path;
  throw new GodwitError(
    "invalid_argument",
    `${uri} is not on this machine, so it cannot be passed to a TypeScript task as a file. Read it in a Python task and pass on what is read, or copy it to a local path.`,
  );
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)].sort();
