// Files, directories and tables that are given as paths: stored, and referred to by content.
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import type { BlobStore, DirectoryManifest } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import { blobUri, type Literal, type LiteralType } from "../core/value.ts";

type BlobType = Extract<LiteralType, { type: "blob" }>;

/** A directory with more is given as an archive. */
const maxFiles = 100_000;

export async function fileLiteral(type: BlobType, path: string, where: string, blobs: BlobStore): Promise<Literal> {
  const found = await stated(path, where, "file");
  if (!found.isFile())
    throw new GodwitError("invalid_argument", `${where}: expected a file, found a directory: ${path}`);
  const { digest, sizeBytes } = await blobs.putFile(path);
  return {
    type: "blob",
    uri: blobUri(digest, basename(path)),
    format: type.format,
    dimensionality: "single",
    hash: digest,
    sizeBytes,
  };
}

export async function directoryLiteral(
  type: BlobType,
  path: string,
  where: string,
  blobs: BlobStore,
): Promise<Literal> {
  const found = await stated(path, where, "directory");
  if (!found.isDirectory())
    throw new GodwitError("invalid_argument", `${where}: expected a directory, found a file: ${path}`);
  const root = await realpath(path);
  const files: DirectoryManifest["files"][number][] = [];
  for (const file of await filesIn(root, where)) {
    const { digest, sizeBytes } = await blobs.putFile(join(root, file));
    const { mode } = await stat(join(root, file));
    files.push({ path: file.split(sep).join("/"), digest, sizeBytes, executable: (mode & 0o100) !== 0 });
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const { digest } = await blobs.put(new TextEncoder().encode(canonicalJson({ files })));
  return {
    type: "blob",
    uri: blobUri(digest, basename(root)),
    format: type.format,
    dimensionality: "multipart",
    hash: digest,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
  };
}

async function filesIn(root: string, where: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  if (files.length <= maxFiles) return files;
  throw new GodwitError(
    "invalid_argument",
    `${where}: the directory has ${files.length} files, more than ${maxFiles}; give an archive of it as a file.`,
  );
}

async function stated(path: string, where: string, what: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw new GodwitError("invalid_argument", `${where}: expected the path of a ${what}, found nothing at ${path}`, {
      cause: error,
    });
  }
}

type TableType = Extract<LiteralType, { type: "structuredDataset" }>;

export async function tableLiteral(_type: TableType, path: string, where: string, _blobs: BlobStore): Promise<Literal> {
  await stated(path, where, "table");
  throw new GodwitError("unimplemented", `${where}: tables cannot be given as paths yet: ${extname(path)}`);
}

/** A Parquet file as CSV or JSON text. */
export async function convertTable(path: string, extension: ".csv" | ".json"): Promise<string> {
  throw new GodwitError("unimplemented", `Tables cannot be written as ${extension} yet: ${path}`);
}
