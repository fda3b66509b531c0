// Structs that did not come from the SDK: what is in their bytes, and their bytes from protobuf's Struct.
import type { JsonObject } from "@bufbuild/protobuf";
import { isGodwitError } from "../core/error.ts";
import { type BinaryLiteral, type JsonSchema, parseBlobUri } from "../core/value.ts";
import { isRecord, type Packed, pack, type Tagged, tagOf, unpack } from "./msgpack.ts";
import { packedFromJson } from "./struct-json.ts";

/** The files and tables that a struct names; they cannot be seen without unpacking it. */
export function blobsInStruct(bytes: Uint8Array): Pick<BinaryLiteral, "blobs" | "directories"> {
  if (!mentionsBlobs(bytes)) return {};
  const found = { blobs: new Set<string>(), directories: new Set<string>() };
  collect(unpack(bytes), found);
  if (found.blobs.size === 0) return {};
  const blobs = [...found.blobs].sort();
  return found.directories.size === 0 ? { blobs } : { blobs, directories: [...found.directories].sort() };
}

const mentionsBlobs = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes("godwit://");

type Found = { readonly blobs: Set<string>; readonly directories: Set<string> };

function collect(packed: Packed, found: Found): void {
  if (Array.isArray(packed)) for (const item of packed) collect(item, found);
  else if (isRecord(packed)) {
    const stored = typeof packed.uri === "string" ? parseBlobUri(packed.uri) : null;
    if (stored !== null && packed.hash === stored.digest) {
      found.blobs.add(stored.digest);
      if (packed.dimensionality === "multipart") found.directories.add(stored.digest);
    } else for (const member of Object.values(packed)) collect(member, found);
  } else if (tagOf(packed) !== null) collect((packed as Tagged).value, found);
}

/**
 * The bytes of a struct that came as protobuf's Struct, whose numbers are all floats: whole ones are
 * integers where the schema says so, or says nothing. What does not fit its schema is taken as it is.
 */
export function packGeneric(json: JsonObject, schema: JsonSchema | null): Uint8Array {
  try {
    return pack(packedFromJson(schema, json, "the value"));
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "invalid_argument") throw error;
    return pack(packedFromJson(null, json, "the value"));
  }
}
