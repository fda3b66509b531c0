// The bytes of structs: msgpack with string keys, as Flyte's `binary` literals carry them.
//
// R1  A `bigint` is an integer and a `number` is a float, always: so 3 and 3.0 have different bytes,
//     and each comes back as what it was.
// R2  Equal values have equal bytes: keys are sorted, every integer has 64 bits, every float is a double.
// R3  What JSON lacks and no schema describes is a tagged extension; other readers of msgpack can skip it.
import { DecodeError, Decoder, Encoder, ExtensionCodec } from "@msgpack/msgpack";
import { GodwitError } from "../core/error.ts";

/** What can be in a struct (R1). A `Date` is msgpack's timestamp. */
export type Packed =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Date
  | Tagged
  | readonly Packed[]
  | PackedRecord;

export type PackedRecord = { readonly [key: string]: Packed };

const tagged: unique symbol = Symbol("tagged");

/** R3: a value that only its tag explains. An interface, which unlike a type alias is no record to the compiler. */
export interface Tagged {
  readonly [tagged]: Tag;
  readonly value: Packed;
}

/** The extension numbers, fixed for ever: they are in stored values. */
const extensionNumbers = {
  /** Decimal text of an integer that a float or a plain integer would pass for. */
  bigint: 1,
  undefined: 2,
  /** A record with the fields of a `BlobLiteral`. */
  blob: 3,
  /** A record with the fields of a `TableLiteral`. */
  table: 4,
  /** A list of [key, value]. */
  map: 5,
  set: 6,
  /** [index of the union's member, value], where the value alone would be read as another member. */
  member: 7,
} as const;

export type Tag = keyof typeof extensionNumbers;

export const tag = (name: Tag, value: Packed): Tagged => ({ [tagged]: name, value });

export const tagOf = (value: Packed): Tag | null =>
  typeof value === "object" && value !== null && tagged in value ? (value as Tagged)[tagged] : null;

/** Null: of another writer. */
export const tagOfNumber = (number: number): Tag | null =>
  (Object.entries(extensionNumbers) as [Tag, number][]).find(([, each]) => each === number)?.[0] ?? null;

export const isRecord = (value: Packed): value is PackedRecord =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Date) &&
  !(tagged in value);

/** Levels of lists and records inside each other. Deeper values are refused, so that no stack overflows. */
export const maxDepth = 256;

// Tags take a level of their own, and the check against `maxDepth` names the path; this one cannot.
const encoderDepth = maxDepth * 2;

const extensionCodec = new ExtensionCodec();
for (const [name, type] of Object.entries(extensionNumbers) as [Tag, number][]) {
  extensionCodec.register({
    type,
    encode: (value) => (tagOf(value as Packed) === name ? pack((value as Tagged).value) : null),
    decode: (bytes) => tag(name, unpack(bytes)),
  });
}

const encoder = new Encoder({
  extensionCodec,
  useBigInt64: true,
  forceIntegerToFloat: true,
  sortKeys: true,
  maxDepth: encoderDepth,
});
const decoder = new Decoder({ extensionCodec, useBigInt64: true });

export const pack = (value: Packed): Uint8Array => encoder.encode(value);

/** Small integers, which other writers make, come as numbers: whoever knows the schema knows that they are integers. */
export function unpack(bytes: Uint8Array): Packed {
  try {
    return decoder.decode(bytes) as Packed;
  } catch (error) {
    if (error instanceof GodwitError) throw error;
    const reason = error instanceof DecodeError || error instanceof RangeError ? error.message : String(error);
    throw new GodwitError("data_loss", `A struct's bytes are not msgpack: ${reason}`, { cause: error });
  }
}
