// Single values: how each goes into a literal, into a struct, and back.
//
// R1  What is an integer in the schema is an integer in literals and structs, what is a float is a float,
//     whatever its value. Readers of floats take integers; readers of integers do not take floats with a
//     fraction.
// R2  Whatever is written by one of these is read back as the same value by it: `Object.is`, except that
//     an integer has no negative zero.
import type { Literal, SimpleName } from "../core/value.ts";
import { datetimeFromText, type Packed } from "../idl/idl.ts";
import { expected, Misfit } from "./misfit.ts";
import type { ScalarName } from "./shape.ts";

export type Scalar = {
  /** In words, for "expected …". */
  readonly noun: string;
  readonly simple: SimpleName;
  /** Name of Flyte's transformer, which tells members of a union apart. */
  readonly tag: string;
  takes(value: unknown): boolean;
  /** Only what it takes; throws `Misfit` for what only seems right, such as text that is not Unicode. */
  pack(value: unknown): Packed;
  reads(packed: Packed): boolean;
  /** `foreign` if it is something else. */
  unpack(packed: Packed): unknown;
  encode(value: unknown): Literal;
  decode(literal: Literal): unknown;
  /** As Zod's `coerce` does. */
  coerce(value: unknown): unknown;
};

/** What a reader gives for something that is not its own. */
export const foreign: unique symbol = Symbol("foreign");

const same = (value: unknown): unknown => value;

const isInteger = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value);
const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

const none: Scalar = {
  noun: "null",
  simple: "none",
  tag: "none",
  takes: (value) => value === null,
  pack: () => null,
  reads: (packed) => packed === null,
  unpack: (packed) => (packed === null ? null : foreign),
  encode: () => ({ type: "none" }),
  decode: (literal) => (literal.type === "none" ? null : foreign),
  coerce: same,
};

// Its values are left out wherever that is possible; it is a none elsewhere.
const absent: Scalar = {
  ...none,
  noun: "undefined",
  tag: "undefined",
  takes: (value) => value === undefined,
  unpack: (packed) => (packed === null ? undefined : foreign),
  decode: (literal) => (literal.type === "none" ? undefined : foreign),
};

const boolean: Scalar = {
  noun: "true or false",
  simple: "boolean",
  tag: "bool",
  takes: (value) => typeof value === "boolean",
  pack: (value) => value as boolean,
  reads: (packed) => typeof packed === "boolean",
  unpack: (packed) => (typeof packed === "boolean" ? packed : foreign),
  encode: (value) => ({ type: "boolean", value: value as boolean }),
  decode: (literal) => (literal.type === "boolean" ? literal.value : foreign),
  coerce: Boolean,
};

function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new Misfit(`${value} is beyond the integers that a number can hold exactly: declare z.bigint().`);
  }
  return number;
}

const integer: Scalar = {
  noun: "an integer",
  simple: "integer",
  tag: "int",
  takes: isInteger,
  pack: (value) => BigInt(value as number),
  reads: (packed) => Number.isSafeInteger(typeof packed === "bigint" ? Number(packed) : packed),
  unpack: (packed) => {
    if (typeof packed === "bigint") return safeNumber(packed);
    return isInteger(packed) ? packed : foreign;
  },
  encode: (value) => ({ type: "integer", value: String(value) }),
  decode: (literal) => {
    if (literal.type === "integer") return safeNumber(BigInt(literal.value));
    return literal.type === "float" && isInteger(literal.value) ? literal.value : foreign;
  },
  coerce: Number,
};

function int64(value: unknown): bigint {
  if (!isInt64(value as bigint))
    throw new Misfit(`${String(value)} is beyond 64 bits: integers go from -2^63 to 2^63-1.`);
  return value as bigint;
}

const bigint: Scalar = {
  noun: "a bigint",
  simple: "integer",
  tag: "int",
  takes: (value) => typeof value === "bigint",
  pack: int64,
  reads: (packed) => typeof packed === "bigint" || isInteger(packed),
  unpack: (packed) => (typeof packed === "bigint" ? packed : isInteger(packed) ? BigInt(packed) : foreign),
  encode: (value) => ({ type: "integer", value: String(int64(value)) }),
  decode: (literal) => (literal.type === "integer" ? BigInt(literal.value) : foreign),
  coerce: (value) => BigInt(value as string),
};

function decodeFloat(literal: Literal): number | typeof foreign {
  if (literal.type === "integer") return Number(literal.value);
  if (literal.type !== "float") return foreign;
  return typeof literal.value === "number" ? literal.value : Number(literal.value);
}

const encodeFloat = (value: number): Literal => ({
  type: "float",
  value: Object.is(value, -0)
    ? "-0"
    : Number.isFinite(value)
      ? value
      : (String(value) as "NaN" | "Infinity" | "-Infinity"),
});

const float: Scalar = {
  noun: "a number",
  simple: "float",
  tag: "float",
  // JSON Schema's numbers; NaN has a type of its own.
  takes: (value) => typeof value === "number" && Number.isFinite(value),
  pack: (value) => value as number,
  reads: (packed) => typeof packed === "number" || typeof packed === "bigint",
  unpack: (packed) => (typeof packed === "number" ? packed : typeof packed === "bigint" ? Number(packed) : foreign),
  encode: (value) => encodeFloat(value as number),
  decode: decodeFloat,
  coerce: Number,
};

const nan: Scalar = {
  ...float,
  noun: "NaN",
  takes: (value) => Number.isNaN(value),
  reads: (packed) => Number.isNaN(packed),
};

function wellFormed(value: unknown): string {
  // Neither UTF-8 nor protobuf can hold half of a surrogate pair.
  if (!(value as string).isWellFormed())
    throw new Misfit("the text holds half of a surrogate pair, which no encoding can carry.");
  return value as string;
}

const string: Scalar = {
  noun: "text",
  simple: "string",
  tag: "str",
  takes: (value) => typeof value === "string",
  pack: wellFormed,
  reads: (packed) => typeof packed === "string",
  unpack: (packed) => (typeof packed === "string" ? packed : foreign),
  encode: (value) => ({ type: "string", value: wellFormed(value) }),
  decode: (literal) => (literal.type === "string" ? literal.value : foreign),
  coerce: String,
};

function moment(value: unknown): string {
  const date = value as Date;
  if (Number.isNaN(date.getTime())) throw new Misfit("the Date is invalid.");
  const year = date.getUTCFullYear();
  if (year < 1 || year > 9999) throw new Misfit(`the Date is in the year ${year}: years go from 1 to 9999.`);
  return date.toISOString();
}

/** Moments finer than a millisecond, which other languages write, are cut. */
function dateFromText(text: string): Date | typeof foreign {
  const exact = datetimeFromText(text);
  return exact === null ? foreign : new Date(`${exact.slice(0, 23)}Z`);
}

const date: Scalar = {
  noun: "a Date",
  simple: "datetime",
  tag: "datetime",
  takes: (value) => value instanceof Date,
  pack: moment,
  reads: (packed) =>
    packed instanceof Date || (typeof packed === "string" && packed[10] === "T" && dateFromText(packed) !== foreign),
  unpack: (packed) => (packed instanceof Date ? packed : typeof packed === "string" ? dateFromText(packed) : foreign),
  encode: (value) => ({ type: "datetime", value: moment(value) }),
  decode: (literal) =>
    literal.type === "datetime" || literal.type === "string" ? dateFromText(literal.value) : foreign,
  coerce: (value) => new Date(value as string),
};

const bytes: Scalar = {
  noun: "bytes (a Uint8Array)",
  simple: "binary",
  tag: "bytes",
  takes: (value) => value instanceof Uint8Array,
  pack: (value) => value as Uint8Array,
  reads: (packed) => packed instanceof Uint8Array,
  // A copy: what was read shares memory with the struct it was in.
  unpack: (packed) => (packed instanceof Uint8Array ? new Uint8Array(packed) : foreign),
  encode: (value) => {
    const { buffer, byteOffset, byteLength } = value as Uint8Array;
    return { type: "binary", tag: "", value: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  },
  decode: (literal) =>
    literal.type === "binary" && literal.tag === "" ? new Uint8Array(Buffer.from(literal.value, "base64")) : foreign,
  coerce: same,
};

export const scalars: { readonly [name in ScalarName]: Scalar } = {
  undefined: absent,
  none,
  boolean,
  integer,
  bigint,
  float,
  nan,
  string,
  date,
  bytes,
};

/** The value, converted if need be; `Misfit` if it is of another type. */
export function scalarValue(scalar: Scalar, value: unknown, isCoerced: boolean): unknown {
  if (scalar.takes(value)) return value;
  if (isCoerced && value !== undefined) {
    const converted = coerced(scalar, value);
    if (scalar.takes(converted)) return converted;
  }
  throw expected(scalar.noun, value);
}

function coerced(scalar: Scalar, value: unknown): unknown {
  try {
    return scalar.coerce(value);
  } catch {
    // Such as BigInt("x"): then it is not of this type.
    return undefined;
  }
}
