// Blobs as plain files at paths that stay, for tasks of other languages: `exports/ab/<digest>/<name>`.
// Made once for each digest and name; a link to the blob where the file system allows that.
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { writeDirectory } from "../blob/directory.ts";
import { isFileName, placeFile } from "../blob/plain-file.ts";
import { translated } from "../blob/storage-error.ts";
import {
  type BinaryLiteral,
  type BlobLiteral,
  blobUri,
  type Literal,
  type Literals,
  parseBlobUri,
  type TableLiteral,
} from "../core/value.ts";
import {
  isRecord,
  type Packed,
  type PackedRecord,
  pack,
  plainBytes,
  plainPacked,
  unpack,
  unpackExact,
} from "../idl/idl.ts";
import { changedLiterals, changedPacked } from "./literal-walk.ts";

export type ExportsOptions = { readonly dir: string; readonly tmpDir: string; readonly blobs: BlobStore };

export class Exports {
  readonly #options: ExportsOptions;
  /** Those on their way, so that calls of one moment make one. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(options: ExportsOptions) {
    this.#options = options;
  }

  /** One blob, under that name. */
  file(digest: string, name: string): Promise<string> {
    return this.#path({ type: "blob", uri: blobUri(digest, name), dimensionality: "single" } as BlobLiteral);
  }

  literals(literals: Literals): Promise<Literals> {
    return changedLiterals(literals, (leaf) => this.#leaf(leaf));
  }

  async #leaf(leaf: Literal): Promise<Literal> {
    switch (leaf.type) {
      case "blob": {
        const { format, dimensionality, hash } = leaf;
        return { type: "externalBlob", uri: await this.#path(leaf), format, dimensionality, hash };
      }
      case "structuredDataset": {
        const { columns, format, hash } = leaf;
        return { type: "externalTable", uri: await this.#path(leaf), columns, format, hash };
      }
      case "binary":
        return leaf.tag === "msgpack" ? this.#struct(leaf) : leaf;
      default:
        return leaf;
    }
  }

  /** What Godwit knows of the blobs in a struct does not hold for their paths; nor are its tags for others. */
  async #struct(literal: BinaryLiteral): Promise<BinaryLiteral> {
    const { value, tag, blobs } = literal;
    const bytes = Buffer.from(value, "base64");
    if (blobs === undefined) {
      const plain = plainBytes(bytes);
      return plain === null ? literal : { ...literal, value: Buffer.from(plain).toString("base64") };
    }
    const changed = await changedPacked(unpackExact(bytes) ?? unpack(bytes), (inner) => this.#record(inner));
    return { type: "binary", tag, value: Buffer.from(pack(plainPacked(changed))).toString("base64") };
  }

  /** Flyte's File and Dir have a `path`, its DataFrame a `uri`: both are told. Null: it is no handle. */
  async #record(packed: Packed): Promise<Packed | null> {
    if (!isRecord(packed) || typeof packed.uri !== "string" || parseBlobUri(packed.uri) === null) return null;
    const { uri, hash, format, dimensionality, columns } = packed as PackedRecord & { readonly uri: string };
    const isTable = columns !== undefined;
    const literal = { uri, ...(isTable ? { type: "structuredDataset" } : { type: "blob", dimensionality }) };
    const path = await this.#path(literal as BlobLiteral | TableLiteral);
    const name = parseBlobUri(uri)?.name ?? "";
    return { path, uri: path, name, format: format ?? "", hash: hash ?? null };
  }

  async #path(literal: BlobLiteral | TableLiteral): Promise<string> {
    const stored = parseBlobUri(literal.uri);
    // Somebody else's URI: the task may know what to do with it.
    if (stored === null) return literal.uri;
    const isDirectory = literal.type === "blob" && literal.dimensionality === "multipart";
    const own = isFileName(stored.name) ? stored.name : isDirectory ? "directory" : "file";
    const name = literal.type === "structuredDataset" && !own.endsWith(".parquet") ? `${own}.parquet` : own;
    const path = join(this.#options.dir, stored.digest.slice(0, 2), stored.digest, name);
    let making = this.#making.get(path);
    if (making === undefined) {
      making = this.#make(path, stored.digest, isDirectory).finally(() => this.#making.delete(path));
      this.#making.set(path, making);
    }
    await making;
    return path;
  }

  /** Whole or not at all; a second process that makes the same is as good. */
  async #make(path: string, digest: string, isDirectory: boolean): Promise<void> {
    const { tmpDir, blobs } = this.#options;
    if (await stat(path).catch(() => null)) return;
    const temporary = join(tmpDir, randomUUID());
    try {
      if (isDirectory) await writeDirectory(blobs, digest, temporary);
      else {
        const source = await blobs.path(digest);
        await translated(temporary, () => placeFile(source, temporary));
      }
      await translated(path, async () => {
        await mkdir(join(path, ".."), { recursive: true });
        await rename(temporary, path).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
        });
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}
