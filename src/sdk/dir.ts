// Directories as values: all files below a path, stored together once the value travels.
//
// R1  As for files (file.ts): once stored it stands for the content of that moment; outside a run nothing
//     is stored.
import { cp, readdir, stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { custom, type ZodType } from "zod";
import type { BlobStore } from "../blob/blob.ts";
import { putDirectory, readManifest, writeDirectory } from "../blob/directory.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import { type BlobLiteral, blobUri, parseBlobUri } from "../core/value.ts";
import { type File, lazyFile } from "./file.ts";
import { type Handle, storedIn, storeIn } from "./handle.ts";
import { scratchDir } from "./scratch-dir.ts";
import { marked } from "./zod-marks.ts";

type Source =
  | { readonly type: "path"; readonly path: string }
  | { readonly type: "stored"; readonly blobs: BlobStore; readonly literal: BlobLiteral };

export class Dir implements Handle {
  readonly name: string;
  #source: Source;
  #path: Promise<string> | null = null;

  /** Use `Dir.fromPath`. */
  constructor(name: string, source: Source) {
    this.name = name;
    this.#source = source;
  }

  /** The files below a directory of this machine. It is looked at when it is read or stored, not before. */
  static fromPath(path: string, options: { readonly name?: string } = {}): Dir {
    const full = resolve(path);
    return new Dir(options.name ?? (basename(full) || "root"), { type: "path", path: full });
  }

  /** Paths of all files, relative, with forward slashes, sorted. */
  async files(): Promise<readonly string[]> {
    const source = this.#source;
    if (source.type === "stored") {
      return (await readManifest(source.blobs, source.literal.hash)).files.map(({ path }) => path);
    }
    await checkDirectory(source.path);
    const entries = await readdir(source.path, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(source.path.length + 1)
          .split(sep)
          .join("/"),
      )
      .sort();
  }

  /** One of its files, by its relative path. Whether there is such a file shows when it is read. */
  file(path: string): File {
    const name = path.split("/").at(-1) ?? "";
    return lazyFile(name, () => this.#find(path));
  }

  async #find(path: string): ReturnType<Parameters<typeof lazyFile>[1]> {
    const source = this.#source;
    if (!(await this.files()).includes(path)) {
      const files = await this.files();
      throw new GodwitError(
        "not_found",
        `There is no file ${path} in the directory ${this.name}.${didYouMean(path, files)}`,
      );
    }
    if (source.type === "path") return { type: "path", path: join(source.path, path) };
    const { files } = await readManifest(source.blobs, source.literal.hash);
    const found = files.find((one) => one.path === path) as (typeof files)[number];
    return {
      type: "stored",
      blobs: source.blobs,
      literal: {
        type: "blob",
        uri: blobUri(found.digest, path.split("/").at(-1) as string),
        format: "",
        dimensionality: "single",
        hash: found.digest,
        sizeBytes: found.sizeBytes,
      },
    };
  }

  /** Of all files together. */
  async sizeBytes(): Promise<number> {
    if (this.#source.type === "stored") return this.#source.literal.sizeBytes;
    const sizes = await Promise.all((await this.files()).map((path) => this.file(path).sizeBytes()));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** A directory of this machine with the files. Not to be written to: use `copyTo` for that. */
  path(): Promise<string> {
    this.#path ??= this.#madePath();
    return this.#path;
  }

  async #madePath(): Promise<string> {
    if (this.#source.type === "path") {
      await checkDirectory(this.#source.path);
      return this.#source.path;
    }
    const path = join(await scratchDir(), this.name);
    await this.copyTo(path);
    return path;
  }

  /** Writes the files below a directory, which is made if need be. */
  async copyTo(path: string): Promise<void> {
    const source = this.#source;
    if (source.type === "stored") {
      await writeDirectory(source.blobs, source.literal.hash, path);
      return;
    }
    await checkDirectory(source.path);
    await cp(source.path, path, { recursive: true });
  }

  [storedIn](blobs: BlobStore): BlobLiteral | null {
    return this.#source.type === "stored" && this.#source.blobs === blobs ? this.#source.literal : null;
  }

  async [storeIn](blobs: BlobStore): Promise<BlobLiteral> {
    const known = this[storedIn](blobs);
    if (known !== null) return known;
    const { digest, sizeBytes } = await putDirectory(blobs, await this.path());
    const literal: BlobLiteral = {
      type: "blob",
      uri: blobUri(digest, this.name),
      format: "",
      dimensionality: "multipart",
      hash: digest,
      sizeBytes,
    };
    this.#source = { type: "stored", blobs, literal };
    return literal;
  }
}

async function checkDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw new GodwitError("not_found", `There is no directory ${path}.`, { cause: error });
  });
  if (!found.isDirectory()) {
    throw new GodwitError("invalid_argument", `${path} is a file, not a directory: use File.fromPath.`);
  }
}

/** A directory in a store. */
export const openDir = (literal: BlobLiteral, blobs: BlobStore): Dir =>
  new Dir(parseBlobUri(literal.uri)?.name || "directory", { type: "stored", blobs, literal });

/** The schema of directories. */
export const dir = (): ZodType<Dir, Dir> =>
  marked(
    custom<Dir>((value) => value instanceof Dir, { error: "expected a Dir of godwit, such as Dir.fromPath(…)" }),
    { "x-godwit": "dir" },
  );
