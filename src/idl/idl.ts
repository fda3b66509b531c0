// The door: values in the forms in which they leave the process — JSON and text for people, msgpack for
// structs, Parquet for tables.
import type { JsonSchema } from "../core/value.ts";
import { pack, unpack } from "./msgpack.ts";
import { jsonFromPacked, packedFromJson } from "./struct-json.ts";

export { literalFromJson, literalToJson, typeText } from "./literal-json.ts";
export { jsonFromText, literalFromText, literalToText } from "./literal-text.ts";
export { firstThatFits, inside, mismatch, shown } from "./mismatch.ts";
export {
  isRecord,
  maxDepth,
  type Packed,
  type PackedRecord,
  pack,
  type Tag,
  type Tagged,
  tag,
  tagOf,
  unpack,
} from "./msgpack.ts";
export { unpackExact } from "./msgpack-exact.ts";
export {
  type ColumnKind,
  type ColumnValues,
  columnOfKind,
  describeParquet,
  openParquet,
  type ParquetColumn,
  type ParquetContent,
  writeParquet,
} from "./parquet.ts";
export { plainBytes, plainPacked } from "./plain-struct.ts";
export { resolveReference } from "./struct-json.ts";
export { datetimeFromText, durationFromText, durationText } from "./time-text.ts";
export { jsonFromPacked, packedFromJson };

/** The bytes of a struct of that schema (null: any). `where` names it for errors. */
export const packJson = (schema: JsonSchema | null, json: unknown, where: string): Uint8Array =>
  pack(packedFromJson(schema, json, where));

export const unpackJson = (bytes: Uint8Array): unknown => jsonFromPacked(unpack(bytes));
