// Blobs in memory, for tests and for the in-memory engine of godwit/testing.
import { hash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobSource, type BlobStore, maxReadBytes, type StoredBlob } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";

export function memoryBlobs(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  const dir = temporaryDirectory();

  const store = (bytes: Uint8Array): StoredBlob => {
    const digest = hash("sha256", bytes, "hex");
    blobs.set(digest, Uint8Array.from(bytes));
    return { digest, sizeBytes: bytes.byteLength };
  };
  const existing = (digest: string): Uint8Array => {
    const bytes = blobs.get(digest);
    if (bytes === undefined) throw new GodwitError("not_found", `The blob ${digest} is not stored.`);
    return bytes;
  };

  return {
    put: async (source) => store(source instanceof Uint8Array ? source : await collected(source)),
    async putFile(path) {
      const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        throw new GodwitError(
          error.code === "EISDIR" ? "invalid_argument" : "not_found",
          `${path} is not a file that can be read.`,
          { cause: error },
        );
      });
      return store(bytes);
    },
    async read(digest) {
      const bytes = existing(digest);
      if (bytes.byteLength > maxReadBytes)
        throw new GodwitError("resource_exhausted", `The blob ${digest} is too large to be read into memory.`);
      return Uint8Array.from(bytes);
    },
    async *stream(digest) {
      const bytes = existing(digest);
      if (bytes.byteLength > 0) yield Uint8Array.from(bytes);
    },
    async path(digest) {
      const path = join(dir(), digest);
      if (!existsSync(path)) writeFileSync(path, existing(digest), { mode: 0o444 });
      return path;
    },
    present: async (digests) => new Set(digests.filter((digest) => blobs.has(digest))),
    sound: async (digests) => new Set(digests.filter((digest) => blobs.has(digest))),
    sizeBytes: async (digest) => blobs.get(digest)?.byteLength ?? null,
    async delete(digests) {
      for (const digest of digests) blobs.delete(digest);
    },
    list: async (after, limit) =>
      [...blobs.keys()]
        .sort()
        .filter((digest) => after === null || digest > after)
        .slice(0, limit),
    setAside: async () => null,
    verify: async (digest) => (blobs.has(digest) ? true : null),
  };
}

/** Made when first asked for, and removed when the process exits. */
function temporaryDirectory(): () => string {
  let dir: string | undefined;
  return () => {
    if (dir !== undefined) return dir;
    const made = mkdtempSync(join(tmpdir(), "godwit-blobs-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    dir = made;
    return made;
  };
}

async function collected(source: Exclude<BlobSource, Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}
