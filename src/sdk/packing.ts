// One pass over a value: what it meets on the way.
import type { BlobStore } from "../blob/blob.ts";
import type { BlobLiteral, TableLiteral } from "../core/value.ts";
import { maxDepth } from "../idl/idl.ts";
import { tooDeep } from "./depth.ts";
import { type Handle, storedIn } from "./handle.ts";
import { misfitOf } from "./misfit.ts";

export type Writing = {
  readonly blobs: BlobStore;
  /** Met but not yet in the store: what was made of the value is of no use then. */
  readonly pending: Set<Handle>;
  /** Handles that could not be stored: thrown where they are met, so that the error has its path. */
  readonly failures: ReadonlyMap<Handle, unknown>;
  /** Blobs of the struct that is being packed. */
  digests: Set<string>;
  /** Of these, the manifests of directories. */
  directories: Set<string>;
  /** Files stand for their content alone, whatever they are called: for hashes. */
  isByContent: boolean;
  /** Levels of values that may hold themselves. */
  depth: number;
};

export type Reading = { readonly blobs: BlobStore };

/** One level deeper; refuses what has no end. */
export function deeper<T>(writing: Writing, body: () => T): T {
  if (writing.depth >= maxDepth) throw tooDeep();
  writing.depth++;
  try {
    return body();
  } finally {
    writing.depth--;
  }
}

const placeholder: BlobLiteral = {
  type: "blob",
  uri: "",
  format: "",
  dimensionality: "single",
  hash: "",
  sizeBytes: 0,
};

export function literalOfHandle(handle: Handle, writing: Writing): BlobLiteral | TableLiteral {
  if (writing.failures.has(handle)) throw misfitOf(writing.failures.get(handle));
  const literal = handle[storedIn](writing.blobs);
  if (literal === null) {
    writing.pending.add(handle);
    return placeholder;
  }
  writing.digests.add(literal.hash);
  if (literal.type === "blob" && literal.dimensionality === "multipart") writing.directories.add(literal.hash);
  return literal;
}
