// Values of which no schema says anything: what traces return and checkpoints keep.
import type { BlobStore } from "../blob/blob.ts";
import { type Literal, type Literals, soleOutput } from "../core/value.ts";
import { encoded, guarded } from "./codec.ts";
import { type Coder, structCoder } from "./coder.ts";
import { isHandle } from "./handle.ts";
import { handleKinds } from "./handle-kinds.ts";
import { packerOf } from "./packers.ts";
import { literalOfHandle, type Writing } from "./packing.ts";
import { scalars } from "./scalar.ts";

const struct: Coder = structCoder(packerOf({ type: "any" }));

/**
 * JSON-like values, dates, bytes, bigints, Map, Set, undefined, files, directories and tables, each to come
 * back exactly as it is; -0, NaN and infinities included. `where` names the value for errors.
 */
export const encodeUntyped = (value: unknown, blobs: BlobStore, where = "the value"): Literals | Promise<Literals> =>
  encoded(where, blobs, value, (writing) => (value === undefined ? {} : { [soleOutput]: encodeOne(value, writing) }));

/** Single values that a literal holds exactly are that literal, so that people and other languages see them. */
function encodeOne(value: unknown, writing: Writing): Literal {
  switch (typeof value) {
    case "string":
      return scalars.string.encode(value);
    case "boolean":
      return scalars.boolean.encode(value);
    case "number":
      return (Number.isSafeInteger(value) && !Object.is(value, -0) ? scalars.integer : scalars.float).encode(value);
    default:
      if (value === null) return scalars.none.encode(value);
      if (value instanceof Uint8Array) return scalars.bytes.encode(value);
      return isHandle(value) ? literalOfHandle(value, writing) : struct.encode(value, writing);
  }
}

export function decodeUntyped(literals: Literals, blobs: BlobStore): unknown {
  const literal = literals[soleOutput];
  return literal === undefined ? undefined : guarded("the value", () => decodeOne(literal, blobs));
}

function decodeOne(literal: Literal, blobs: BlobStore): unknown {
  switch (literal.type) {
    case "none":
      return null;
    case "string":
    case "boolean":
      return literal.value;
    case "integer":
      return scalars.integer.decode(literal);
    case "float":
      return scalars.float.decode(literal);
    case "blob":
      return handleKinds[literal.dimensionality === "single" ? "file" : "dir"].open(literal, blobs);
    case "structuredDataset":
      return handleKinds.table.open(literal, blobs);
    case "binary":
      return literal.tag === "" ? scalars.bytes.decode(literal) : struct.decode(literal, { blobs });
    default:
      return struct.decode(literal, { blobs });
  }
}
