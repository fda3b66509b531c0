// Bytes under immutable names. A blob's name is the SHA-256 of its content (hex), so storing it again
// is nothing, and what was read can be checked.
//
// R1  A blob is seen whole or not at all, and is durable before `put` resolves.
// R2  What is read under a digest has that digest, or the read fails with `data_loss`.

export type BlobSource = Uint8Array | AsyncIterable<Uint8Array>;

export type StoredBlob = { readonly digest: string; readonly sizeBytes: number };

export interface BlobStore {
  /** R1. Rejects with `resource_exhausted` when there is no space. */
  put(source: BlobSource): Promise<StoredBlob>;
  /** Stores a file's content without holding it in memory. */
  putFile(path: string): Promise<StoredBlob>;
  /** R2. Rejects with `not_found`. For values: at most `maxReadBytes`; larger ones are streamed or opened by path. */
  read(digest: string): Promise<Uint8Array>;
  stream(digest: string): AsyncIterable<Uint8Array>;
  /** A file on this machine with the content, not to be written to. It need not be named after the blob. */
  path(digest: string): Promise<string>;
  /** Which of these are stored, by name alone. */
  present(digests: readonly string[]): Promise<ReadonlySet<string>>;
  /** R2 for whole blobs: which of these are stored with the right bytes. Costs little for what this process has checked. */
  sound(digests: readonly string[]): Promise<ReadonlySet<string>>;
  /** Null if absent. */
  sizeBytes(digest: string): Promise<number | null>;
  delete(digests: readonly string[]): Promise<void>;
  /** Digests in order, after the given one; for collection and `doctor`. */
  list(after: string | null, limit: number): Promise<readonly string[]>;
  /** R2 for a whole blob, without keeping it: whether the bytes are what the name says. Null if absent. */
  verify(digest: string): Promise<boolean | null>;
  /** Moves a damaged blob to where no one finds it, and tells where. Null if there is none, or it is not damaged. */
  setAside(digest: string): Promise<string | null>;
}

/** 256 MiB: what `read` will hold in memory. */
export const maxReadBytes = 256 * 1024 * 1024;

/** A directory: its files by relative path with forward slashes, sorted. Stored as JSON in a blob of its own. */
export type DirectoryManifest = {
  readonly files: readonly {
    readonly path: string;
    readonly digest: string;
    readonly sizeBytes: number;
    readonly executable: boolean;
  }[];
};
