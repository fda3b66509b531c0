// Files as values: named content that is stored once it travels, and read only when it is asked for.
//
// R1  A file is its content. Once stored, it stands for the content of that moment, whatever becomes of
//     the path it came from.
// R2  Outside a run nothing is stored: everything works on the source itself.
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { custom, type ZodType } from "zod";
import type { BlobStore, StoredBlob } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";
import { type BlobLiteral, blobUri, parseBlobUri } from "../core/value.ts";
import { type Handle, storedIn, storeIn } from "./handle.ts";
import { scratchDir } from "./scratch-dir.ts";
import { marked } from "./zod-marks.ts";

type Source =
  | { readonly type: "path"; readonly path: string }
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  | { readonly type: "stream"; readonly stream: AsyncIterable<Uint8Array> }
  | { readonly type: "stored"; readonly blobs: BlobStore; readonly literal: BlobLiteral }
  /** Found when it is first asked for. */
  | { readonly type: "lazy"; readonly find: () => Promise<Source> };

type ReadableSource = Exclude<Source, { readonly type: "stream" | "lazy" }>;

export type FileOptions = {
  /** Default: the last part of the path. */
  readonly name?: string;
  /** What is in it, such as "csv" or "onnx". Default: the extension of the name. */
  readonly format?: string;
};

type Chunks = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

export class File implements Handle {
  readonly name: string;
  readonly format: string;
  #source: Source;
  /** A stream can be read once: everybody waits for the one who does. */
  #spooling: Promise<ReadableSource> | null = null;
  #path: Promise<string> | null = null;

  /** Use one of the `from…` functions. */
  constructor(name: string, format: string | undefined, source: Source) {
    if (name === "" || /[/\\\0]/.test(name)) {
      throw new GodwitError(
        "invalid_argument",
        `${JSON.stringify(name)} is no file name: it is empty or holds a slash.`,
      );
    }
    this.name = name;
    this.format = format ?? extname(name).slice(1);
    this.#source = source;
  }

  /** A file on this machine. It is looked at when it is read or stored, not before. */
  static fromPath(path: string, options: FileOptions = {}): File {
    const full = resolve(path);
    return new File(options.name ?? basename(full), options.format, { type: "path", path: full });
  }

  static fromBytes(name: string, bytes: Uint8Array, options: Omit<FileOptions, "name"> = {}): File {
    return new File(name, options.format, { type: "bytes", bytes });
  }

  static fromText(name: string, text: string, options: Omit<FileOptions, "name"> = {}): File {
    return File.fromBytes(name, new TextEncoder().encode(text), options);
  }

  /** Indented, with a newline at the end. */
  static fromJson(name: string, value: unknown, options: Omit<FileOptions, "name"> = {}): File {
    const text = JSON.stringify(value, null, 2);
    if (text === undefined) throw new GodwitError("invalid_argument", `File ${name}: the value has no JSON form.`);
    return File.fromText(name, `${text}\n`, options);
  }

  /** Content that comes in pieces, such as a Readable or a response's body; text is UTF-8. Read at most once. */
  static fromStream(name: string, chunks: Chunks, options: Omit<FileOptions, "name"> = {}): File {
    return new File(name, options.format, { type: "stream", stream: inBytes(chunks) });
  }

  async sizeBytes(): Promise<number> {
    const source = await this.#readable();
    switch (source.type) {
      case "bytes":
        return source.bytes.length;
      case "stored":
        return source.literal.sizeBytes;
      default:
        return this.#reading(source.path, async (path) => (await stat(path)).size);
    }
  }

  /** The whole content in memory. Use `stream()` or `path()` for large files. */
  async bytes(): Promise<Uint8Array> {
    const source = await this.#readable();
    switch (source.type) {
      case "bytes":
        return source.bytes;
      case "stored":
        return source.blobs.read(source.literal.hash);
      default:
        return this.#reading(source.path, async (path) => new Uint8Array(await readFile(path)));
    }
  }

  /** As UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async json<T = unknown>(): Promise<T> {
    const text = await this.text();
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new GodwitError("invalid_argument", `File ${this.name} is not JSON: ${reason}`, { cause: error });
    }
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    const source = await this.#readable();
    switch (source.type) {
      case "bytes":
        yield source.bytes;
        return;
      case "stored":
        yield* source.blobs.stream(source.literal.hash);
        return;
      default:
        yield* this.#chunks(source.path);
    }
  }

  /** A file of this name on this machine with the content, for other programs. Not to be written to. */
  path(): Promise<string> {
    this.#path ??= this.#madePath();
    return this.#path;
  }

  /** Makes the directories above as well. */
  async copyTo(path: string): Promise<void> {
    await mkdir(dirname(resolve(path)), { recursive: true });
    const source = await this.#readable();
    if (source.type === "path") await this.#reading(source.path, (from) => copyFile(from, path));
    else if (source.type === "bytes") await writeFile(path, source.bytes);
    else await pipeline(Readable.from(this.stream()), createWriteStream(path));
  }

  [storedIn](blobs: BlobStore): BlobLiteral | null {
    return this.#source.type === "stored" && this.#source.blobs === blobs ? this.#source.literal : null;
  }

  async [storeIn](blobs: BlobStore): Promise<BlobLiteral> {
    const known = this[storedIn](blobs);
    if (known !== null) return known;
    if (this.#source.type !== "stream" || this.#spooling !== null) {
      return this.#becomeStored(blobs, await this.#put(await this.#readable(), blobs));
    }
    // Straight into the store; who reads meanwhile waits for that.
    const stored = blobs.put(this.#source.stream);
    this.#spooling = stored.then((blob) => {
      const literal = this.#becomeStored(blobs, blob);
      return { type: "stored", blobs, literal };
    });
    // If the stream breaks, everybody who reads is told; nobody may be reading.
    this.#spooling.catch(() => undefined);
    return this.#becomeStored(blobs, await stored);
  }

  #becomeStored(blobs: BlobStore, { digest, sizeBytes }: StoredBlob): BlobLiteral {
    const uri = blobUri(digest, this.name);
    const literal = {
      type: "blob",
      uri,
      format: this.format,
      dimensionality: "single",
      hash: digest,
      sizeBytes,
    } as const;
    this.#source = { type: "stored", blobs, literal };
    return literal;
  }

  #put(source: ReadableSource, blobs: BlobStore): Promise<StoredBlob> {
    switch (source.type) {
      case "path":
        return this.#reading(source.path, (path) => blobs.putFile(path));
      case "bytes":
        return blobs.put(source.bytes);
      case "stored":
        return blobs.put(source.blobs.stream(source.literal.hash));
    }
  }

  /** A source that can be read many times. */
  async #readable(): Promise<ReadableSource> {
    const source = this.#source;
    if (source.type !== "lazy" && source.type !== "stream") return source;
    this.#spooling ??= located(source).then(spooled(this.name));
    const readable = await this.#spooling;
    if (this.#source === source) this.#source = readable;
    return readable;
  }

  async #madePath(): Promise<string> {
    const source = await this.#readable();
    if (source.type === "path") {
      await this.#reading(source.path, (path) => stat(path));
      return source.path;
    }
    const path = join(await scratchDir(), this.name);
    if (source.type === "bytes") await writeFile(path, source.bytes);
    else await symlink(await source.blobs.path(source.literal.hash), path);
    return path;
  }

  async *#chunks(path: string): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(path) as AsyncIterable<Buffer>;
    } catch (error) {
      throw this.#unreadable(path, error);
    }
  }

  async #reading<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
    try {
      return await read(path);
    } catch (error) {
      throw this.#unreadable(path, error);
    }
  }

  #unreadable(path: string, error: unknown): unknown {
    switch ((error as { readonly code?: string }).code) {
      case "ENOENT":
      case "ENOTDIR":
      case "not_found":
        return new GodwitError("not_found", `There is no file ${path}.`, { cause: error });
      case "EISDIR":
        return new GodwitError("invalid_argument", `${path} is a directory: use Dir.fromPath.`, { cause: error });
      case "EACCES":
      case "EPERM":
        return new GodwitError("permission_denied", `The file ${path} cannot be read: permission denied.`, {
          cause: error,
        });
      default:
        return error;
    }
  }
}

type LocatedSource = Exclude<Source, { readonly type: "lazy" }>;

const located = async (source: Source): Promise<LocatedSource> =>
  source.type === "lazy" ? located(await source.find()) : source;

/** Streams are kept in a file of this process before they are read. */
const spooled =
  (name: string) =>
  async (source: LocatedSource): Promise<ReadableSource> => {
    if (source.type !== "stream") return source;
    const path = join(await scratchDir(), name);
    await pipeline(Readable.from(source.stream), createWriteStream(path));
    return { type: "path", path };
  };

async function* inBytes(chunks: Chunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
}

/** A file in a store. */
export function openFile(literal: BlobLiteral, blobs: BlobStore): File {
  const name = parseBlobUri(literal.uri)?.name ?? literal.uri.split("/").at(-1) ?? "file";
  return new File(name || "file", literal.format, { type: "stored", blobs, literal });
}

/** A file that is looked for when it is first read. */
export const lazyFile = (name: string, find: () => Promise<Source>): File =>
  new File(name, undefined, { type: "lazy", find });

/** The schema of files. `format` is for those who read the task's interface; it is not checked. */
export const file = (options: { readonly format?: string } = {}): ZodType<File, File> =>
  marked(
    custom<File>((value) => value instanceof File, { error: "expected a File of godwit, such as File.fromPath(…)" }),
    { "x-godwit": "file", format: options.format ?? "" },
  );
