// What File, Dir and Table have in common for the encoders: content that has to be stored before a value
// that holds it can travel.
import type { BlobStore } from "../blob/blob.ts";
import type { BlobLiteral, TableLiteral } from "../core/value.ts";

/** Null while the content is not in this store. */
export const storedIn: unique symbol = Symbol("storedIn");
/** Stores the content. From then on the handle stands for that content, whatever becomes of its source. */
export const storeIn: unique symbol = Symbol("storeIn");

export interface Handle {
  [storedIn](blobs: BlobStore): BlobLiteral | TableLiteral | null;
  [storeIn](blobs: BlobStore): Promise<BlobLiteral | TableLiteral>;
}

export const isHandle = (value: unknown): value is Handle =>
  typeof value === "object" && value !== null && storeIn in value;
