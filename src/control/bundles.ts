// Code that comes from outside: an archive becomes a stored bundle that this Godwit knows the tasks of.
//
// R1  A bundle is what its digest names: an archive with other content is refused.
// R2  What tasks there are is found out here, by loading the code, and not believed.
// R3  Its tasks say which bundle they are of: so they can be deployed, run again and called from other code.
// R4  Once known, a bundle is not unpacked again; however many ask for it at a time, it is once.

import { type ArchiveLimits, unpackArchive } from "../blob/archive.ts";
import type { BlobStore } from "../blob/blob.ts";
import { inBundle } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson, sha256Hex } from "../core/hash.ts";
import type { Manifest } from "../core/task.ts";
import { manifestKey } from "../store/documents.ts";
import type { Store } from "../store/store.ts";

export type BundleParts = {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Loads a stored portable bundle and says what is in it. */
  readonly describe: (bundle: string) => Promise<Manifest>;
};

/** The bytes of a gzipped tar; null: nobody knows where it is. */
export type BundleArchive = AsyncIterable<Uint8Array> | null;

export const bundleLimits: ArchiveLimits = { maxFiles: 50_000, maxBytes: 256 * 1024 * 1024 };

/** Bundles that are being unpacked and described; more wait for their turn at the caller's. */
const maxAtOnce = 16;

/** Of them unpacked at once: each is in memory as a whole. */
const maxUnpacking = 2;

export class Bundles {
  readonly #parts: BundleParts;
  readonly #turns = new Turns(maxUnpacking);
  readonly #adopting = new Map<string, Promise<Manifest>>();

  constructor(parts: BundleParts) {
    this.#parts = parts;
  }

  /** Rejects with `invalid_argument` for what is no such bundle, and with `failed_precondition` if it is not here and no archive is given. */
  adopt(digest: string, archive: () => BundleArchive): Promise<Manifest> {
    const running = this.#adopting.get(digest);
    if (running !== undefined) return running;
    if (this.#adopting.size >= maxAtOnce)
      return Promise.reject(new GodwitError("unavailable", "Many code bundles are being unpacked; try again."));
    const adopting = this.#adopt(digest, archive).finally(() => this.#adopting.delete(digest));
    this.#adopting.set(digest, adopting);
    return adopting;
  }

  async #adopt(digest: string, archive: () => BundleArchive): Promise<Manifest> {
    const { store, blobs, describe } = this.#parts;
    const known = (await store.documents([manifestKey(digest)])).get(manifestKey(digest));
    if (known !== undefined && (await blobs.present([digest])).has(digest)) return JSON.parse(known) as Manifest;
    const bytes = archive();
    if (bytes === null) {
      throw new GodwitError(
        "failed_precondition",
        `The code bundle ${digest.slice(0, 8)} is not on this server, and the task does not say where it is. Deploy it again.`,
      );
    }
    await this.#turns.take(() => this.#store(digest, bytes));
    const manifest = placed(await describe(digest), digest);
    await store.commit([{ type: "putDocument", digest: manifestKey(digest), text: JSON.stringify(manifest) }]);
    return manifest;
  }

  /** R1. */
  async #store(digest: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
    const { blobs } = this.#parts;
    const files = [...(await unpackArchive(archive, bundleLimits))].sort((a, b) => (a.path < b.path ? -1 : 1));
    const manifest = canonicalJson({
      files: files.map(({ path, bytes, executable }) => ({
        path,
        digest: sha256Hex(bytes),
        sizeBytes: bytes.byteLength,
        executable,
      })),
    });
    if (sha256Hex(manifest) !== digest) {
      throw new GodwitError(
        "invalid_argument",
        `The archive is not the code bundle ${digest.slice(0, 8)}: its content has the digest ${sha256Hex(manifest).slice(0, 8)}. Upload it again.`,
      );
    }
    for (const { bytes } of files) await blobs.put(bytes);
    // Last, so that a bundle that is present is whole.
    await blobs.put(new TextEncoder().encode(manifest));
  }
}

/** So many at a time, in their order. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(free: number) {
    this.#free = free;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** R3. */
const placed = (manifest: Manifest, digest: string): Manifest => ({
  ...manifest,
  tasks: manifest.tasks.map((spec) =>
    spec.target.type === "typescript"
      ? { ...spec, target: { type: "typescript", bundle: { digest, projectDir: inBundle } } }
      : spec,
  ),
});
