// Files, directories and tables that are given as paths: stored, and referred to by content.
import { realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { putDirectory } from "../blob/directory.ts";
import { GodwitError } from "../core/error.ts";
import { blobUri, type Literal, type LiteralType } from "../core/value.ts";

type BlobType = Extract<LiteralType, { type: "blob" }>;

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
  // A link to a directory is what the person named; links inside it are not followed.
  const root = await realpath(path);
  const { digest, sizeBytes } = await putDirectory(blobs, root);
  return {
    type: "blob",
    uri: blobUri(digest, basename(path)),
    format: type.format,
    dimensionality: "multipart",
    hash: digest,
    sizeBytes,
  };
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
