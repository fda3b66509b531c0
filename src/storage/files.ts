// Files of the storage: written whole or not at all.
//
// R1  A file is seen whole or not at all: it is written under a name of its own in `tmp/` and then renamed.
// R2  What is acknowledged to a client is durable: the file is synced before it is renamed, and its
//     directory after. Files that can be made again from the database are not synced.
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { translated } from "../blob/storage-error.ts";
import { GodwitError } from "../core/error.ts";

export type WriteOptions = {
  /** More is refused: `resource_exhausted`. */
  readonly maxBytes: number;
  /** 16 bytes; null: not checked. Another content is refused: `invalid_argument`. */
  readonly md5: Uint8Array | null;
  /** R2. */
  readonly isDurable: boolean;
};

export type StoredFile = { readonly path: string; readonly sizeBytes: number; readonly md5: Uint8Array };

/** A file in `tmp/` that nobody has written to for so long belongs to no living process. */
const abandonedMs = 60 * 60 * 1000;

export async function writeFileWhole(
  tmpDir: string,
  path: string,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: WriteOptions,
): Promise<StoredFile> {
  const temporary = join(tmpDir, randomUUID());
  const file = await translated(temporary, () => open(temporary, "wx", 0o644));
  let isInPlace = false;
  try {
    const written = await copyInto(file, source, temporary, options.maxBytes);
    checkMd5(path, written.md5, options.md5);
    const dir = dirname(path);
    await translated(path, async () => {
      if (options.isDurable) await file.sync();
      const made = await mkdir(dir, { recursive: true });
      await rename(temporary, path);
      isInPlace = true;
      if (options.isDurable) await syncUpTo(dir, made === undefined ? dir : dirname(made));
    });
    return { path, ...written };
  } finally {
    await file.close();
    if (!isInPlace) await rm(temporary, { force: true });
  }
}

async function copyInto(
  file: FileHandle,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  path: string,
  maxBytes: number,
): Promise<{ readonly sizeBytes: number; readonly md5: Uint8Array }> {
  const sum = createHash("md5");
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes)
      throw new GodwitError("resource_exhausted", `The file is larger than the ${maxBytes} bytes that are taken.`);
    sum.update(chunk);
    await translated(path, () => file.writeFile(chunk));
  }
  return { sizeBytes, md5: sum.digest() };
}

function checkMd5(path: string, found: Uint8Array, expected: Uint8Array | null): void {
  if (expected === null || Buffer.compare(found, expected) === 0) return;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  throw new GodwitError(
    "invalid_argument",
    `What was sent for ${path} has the MD5 ${hex(found)}, not ${hex(expected)} as announced: it was damaged on the way, or is another file. Send it again.`,
  );
}

/** The directory, and those above it that were made for it. */
async function syncUpTo(dir: string, last: string): Promise<void> {
  for (let at = dir; ; at = dirname(at)) {
    const handle = await open(at);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === last || at === dirname(at)) return;
  }
}

/** What processes that died have left in `tmp/`. */
export async function removeAbandoned(tmpDir: string): Promise<void> {
  const oldestMs = Date.now() - abandonedMs;
  for (const name of await readdir(tmpDir)) {
    const path = join(tmpDir, name);
    const found = await stat(path).catch(() => null); // Renamed meanwhile.
    if (found !== null && found.mtimeMs < oldestMs) await rm(path, { recursive: true, force: true });
  }
}
