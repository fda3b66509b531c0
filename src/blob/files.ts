// Blobs as files of one folder: `ab/<digest>`, where `ab` are the digest's first two digits. Several
// processes may use one folder at once. Beside blob.ts R1 and R2:
//
// R3  A blob is written under a name of its own in `tmp/`, made durable (fsync) and read-only, and
//     only then renamed to its place; then the place itself is made durable. So no process ever sees
//     half of it, two that store the same bytes at once do not meet, and a crash leaves a file in
//     `tmp/` at worst, which some later process removes.
// R4  What is stored already is not written again. But its bytes are checked first, once per process
//     and file: storing a blob again heals it.
import { createHash, hash, randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { type BlobSource, type BlobStore, maxReadBytes, type StoredBlob } from "./blob.ts";
import { Gate } from "./gate.ts";
import { translated } from "./storage-error.ts";

/** A file in `tmp/` that nobody has written to for so long belongs to no living process. */
const abandonedMs = 60 * 60 * 1000;
/** Files written or checked at once; the rest waits without holding a descriptor. */
const maxOpenFiles = 32;
/** Files that were found good, remembered per process. */
const maxKnown = 100_000;
const chunkBytes = 256 * 1024;

type ByteChunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The folder is created if it does not exist. Nothing is held open, so there is nothing to close. */
export async function openFileBlobs(dir: string): Promise<BlobStore> {
  await makeDirectory(join(dir, "tmp"));
  await removeAbandoned(join(dir, "tmp"));
  return new FileBlobs(dir);
}

class FileBlobs implements BlobStore {
  readonly #dir: string;
  /** Digest → the very file that was found good and durable. */
  readonly #known = new Map<string, string>();
  readonly #shards = new Map<string, Promise<void>>();
  readonly #syncs = new Map<string, DirectorySync>();
  readonly #gate = new Gate(maxOpenFiles);

  constructor(dir: string) {
    this.#dir = dir;
  }

  put(source: BlobSource): Promise<StoredBlob> {
    // A stream has no gate: its source may itself wait for another blob to be stored.
    if (!(source instanceof Uint8Array)) return this.#write(source);
    return this.#gate.through(async () => {
      const digest = hash("sha256", source, "hex");
      if (await this.#holds(digest, source.byteLength)) return { digest, sizeBytes: source.byteLength };
      return this.#write([source]);
    });
  }

  putFile(path: string): Promise<StoredBlob> {
    return this.#gate.through(async () => {
      const source = await translated(path, () => open(path));
      try {
        const found = await source.stat();
        if (found.isDirectory())
          throw new GodwitError("invalid_argument", `${path} is a directory; a file was expected.`);
        // Reading twice is cheaper than writing once. What is no plain file can be read only once.
        if (!found.isFile()) return await this.#write(chunks(source, path, null));
        const stored = await digestOf(chunks(source, path));
        if (await this.#holds(stored.digest, stored.sizeBytes)) return stored;
        return await this.#write(chunks(source, path));
      } finally {
        await source.close();
      }
    });
  }

  async read(digest: string): Promise<Uint8Array> {
    const path = this.#path(digest);
    const size = await this.#existing(digest);
    if (size > maxReadBytes) {
      throw new GodwitError(
        "resource_exhausted",
        `The blob ${digest} has ${size} bytes; at most ${maxReadBytes} can be read into memory. Stream it or open it by its path.`,
      );
    }
    const bytes = await translated(path, () => readFile(path));
    if (hash("sha256", bytes, "hex") !== digest) throw corrupt(digest, path);
    return bytes;
  }

  async *stream(digest: string): AsyncIterable<Uint8Array> {
    await this.#existing(digest);
    const path = this.#path(digest);
    const file = await translated(path, () => open(path));
    try {
      const sum = createHash("sha256");
      for await (const chunk of chunks(file, path)) {
        sum.update(chunk);
        yield chunk;
      }
      if (sum.digest("hex") !== digest) throw corrupt(digest, path);
    } finally {
      await file.close();
    }
  }

  /** Checks the bytes, once per process as long as the file stays the very same (R2). */
  async path(digest: string): Promise<string> {
    await this.#existing(digest);
    if (!(await this.#isGood(digest))) throw corrupt(digest, this.#path(digest));
    return this.#path(digest);
  }

  present(digests: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#those(digests, async (digest) => (await this.sizeBytes(digest)) !== null);
  }

  sound(digests: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#those(digests, (digest) => this.#isGood(digest));
  }

  async #those(digests: readonly string[], holds: (digest: string) => Promise<boolean>): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const ask = async (digest: string): Promise<void> => {
      if (await holds(digest)) found.add(digest);
    };
    await Promise.all(digests.map((digest) => this.#gate.through(() => ask(digest))));
    return found;
  }

  async sizeBytes(digest: string): Promise<number | null> {
    const found = await statOrNull(this.#path(digest));
    return found === null ? null : Number(found.size);
  }

  async delete(digests: readonly string[]): Promise<void> {
    const remove = async (digest: string): Promise<void> => {
      const path = this.#path(digest);
      this.#known.delete(digest);
      await translated(path, () => unlink(path).catch(ifMissing));
    };
    await Promise.all(digests.map((digest) => this.#gate.through(() => remove(digest))));
  }

  async list(after: string | null, limit: number): Promise<readonly string[]> {
    const found: string[] = [];
    const shards = (await readdir(this.#dir)).filter((name) => /^[0-9a-f]{2}$/.test(name)).sort();
    for (const shard of shards) {
      if (found.length >= limit) break;
      if (after !== null && shard < after.slice(0, 2)) continue;
      const names = (await readdir(join(this.#dir, shard))).filter(isDigest).sort();
      found.push(...names.filter((name) => after === null || name > after).slice(0, limit - found.length));
    }
    return found;
  }

  async verify(digest: string): Promise<boolean | null> {
    this.#known.delete(digest);
    if ((await this.sizeBytes(digest)) === null) return null;
    return this.#gate.through(() => this.#isGood(digest));
  }

  async setAside(digest: string): Promise<string | null> {
    if ((await this.verify(digest)) !== false) return null;
    const aside = join(this.#dir, "damaged");
    const path = join(aside, digest);
    return translated(path, async () => {
      await mkdir(aside, { recursive: true });
      await rename(this.#path(digest), path);
      // Another process may have healed it just before: then it goes back.
      if (!(await hasDigest(path, digest))) return path;
      await rename(path, this.#path(digest));
      return null;
    });
  }

  /** R4: whether a good file of that size is in place, durably. */
  async #holds(digest: string, sizeBytes: number): Promise<boolean> {
    const found = await statOrNull(this.#path(digest));
    if (found === null || Number(found.size) !== sizeBytes) return false;
    const isKnown = this.#known.get(digest) === identityOf(found);
    if (!(await this.#isGood(digest))) return false;
    // Another process may have renamed it a moment ago, and not have made that durable yet.
    if (!isKnown) await this.#sync(join(this.#dir, digest.slice(0, 2)));
    return true;
  }

  async #isGood(digest: string): Promise<boolean> {
    const path = this.#path(digest);
    const file = await translated(path, () => open(path).catch(ifMissing));
    if (file === null) return false;
    try {
      const identity = identityOf(await file.stat({ bigint: true }));
      if (this.#known.get(digest) === identity) return true;
      if ((await digestOf(chunks(file, path))).digest !== digest) return false;
      this.#remember(digest, identity);
      return true;
    } finally {
      await file.close();
    }
  }

  #remember(digest: string, identity: string): void {
    if (this.#known.size >= maxKnown) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(digest, identity);
  }

  /** R3. */
  async #write(source: ByteChunks): Promise<StoredBlob> {
    const temporary = join(this.#dir, "tmp", randomUUID());
    const file = await translated(temporary, () => open(temporary, "wx", 0o600));
    let isInPlace = false;
    try {
      const { digest, sizeBytes } = await copyInto(file, source, temporary);
      await translated(temporary, async () => {
        await file.chmod(0o444);
        await file.sync();
      });
      const shard = join(this.#dir, digest.slice(0, 2));
      await translated(shard, () => this.#shard(shard));
      await translated(shard, () => rename(temporary, join(shard, digest)));
      isInPlace = true;
      await translated(shard, () => this.#sync(shard));
      this.#remember(digest, identityOf(await file.stat({ bigint: true })));
      return { digest, sizeBytes };
    } finally {
      await file.close();
      if (!isInPlace) await unlink(temporary).catch(ifMissing);
    }
  }

  #shard(path: string): Promise<void> {
    let made = this.#shards.get(path);
    if (made === undefined) {
      made = mkdir(path, { recursive: true }).then(() => this.#sync(this.#dir));
      this.#shards.set(path, made);
      made.catch(() => this.#shards.delete(path));
    }
    return made;
  }

  #sync(dir: string): Promise<void> {
    let sync = this.#syncs.get(dir);
    if (sync === undefined) {
      sync = new DirectorySync(dir);
      this.#syncs.set(dir, sync);
    }
    return sync.done();
  }

  async #existing(digest: string): Promise<number> {
    const sizeBytes = await this.sizeBytes(digest);
    if (sizeBytes !== null) return sizeBytes;
    const next = "`godwit doctor` tells what it belongs to, if anything, and how to make it again.";
    throw new GodwitError("not_found", `The blob ${digest} is not stored in ${this.#dir}. ${next}`);
  }

  #path(digest: string): string {
    if (!isDigest(digest)) {
      throw new GodwitError(
        "invalid_argument",
        `${JSON.stringify(digest)} is not the name of a blob: 64 hex digits were expected.`,
      );
    }
    return join(this.#dir, digest.slice(0, 2), digest);
  }
}

/** Merges fsyncs of one directory: whoever comes while one is on its way shares the next. */
class DirectorySync {
  readonly #dir: string;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Resolves after an fsync that began after the call. */
  done(): Promise<void> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#start();
      });
    return this.#next;
  }

  #start(): Promise<void> {
    const running = syncDirectory(this.#dir).finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function makeDirectory(dir: string): Promise<void> {
  const made = translated(dir, () => mkdir(dir, { recursive: true }));
  await made.catch((error: unknown) => {
    // Node's recursive mkdir reports a read-only file system as a missing directory.
    if (!isGodwitError(error) || error.code !== "not_found") throw error;
    throw new GodwitError(
      "failed_precondition",
      `${dir} cannot be made: something on the way is missing or read-only. Choose a directory that can be written to.`,
      { cause: error },
    );
  });
}

async function removeAbandoned(dir: string): Promise<void> {
  const oldestMs = Date.now() - abandonedMs;
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = await statOrNull(path);
    if (found !== null && Number(found.mtimeMs) < oldestMs) await unlink(path).catch(ifMissing);
  }
}

/** `start` null: from where the file stands, for what cannot be read twice. */
async function* chunks(file: FileHandle, path: string, start: number | null = 0): AsyncIterable<Uint8Array> {
  for (let position = start; ; ) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await translated(path, () => file.read(buffer, 0, chunkBytes, position));
    if (bytesRead === 0) return;
    if (position !== null) position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function digestOf(source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of source) {
    sum.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  return { digest: sum.digest("hex"), sizeBytes };
}

async function hasDigest(path: string, digest: string): Promise<boolean> {
  const file = await open(path);
  try {
    return (await digestOf(chunks(file, path))).digest === digest;
  } finally {
    await file.close();
  }
}

async function copyInto(file: FileHandle, source: ByteChunks, path: string): Promise<StoredBlob> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of source) {
    sum.update(chunk);
    sizeBytes += chunk.byteLength;
    await translated(path, () => file.writeFile(chunk));
  }
  return { digest: sum.digest("hex"), sizeBytes };
}

async function statOrNull(path: string): Promise<BigIntStats | null> {
  return translated(path, () => stat(path, { bigint: true }).catch(ifMissing));
}

function ifMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}

/** Links and changes of mode do not count: the same bytes are still there. */
const identityOf = (found: BigIntStats): string => `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;

const isDigest = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

const corrupt = (digest: string, path: string): GodwitError =>
  new GodwitError(
    "data_loss",
    `The file ${path} is damaged: its content is not that of blob ${digest}. Run again what produced it (storing it again repairs it), or remove the file.`,
  );
