// Values of which no schema says anything: whatever can be carried, exactly.
//
// R1  JSON's own values are plain msgpack, whole numbers as integers, so that other languages can read
//     them. What JSON lacks is tagged, and comes back as it was.
import { isRecord, type Packed, type Tagged, tag, tagOf } from "../idl/idl.ts";
import { isHandle } from "./handle.ts";
import { type HandleName, packHandle, unpackHandle } from "./handle-kinds.ts";
import { atStep, Misfit } from "./misfit.ts";
import { deeper, type Reading, type Writing } from "./packing.ts";
import { carriageReason, checkKey, isPlainObject, type PlainObject } from "./plain-object.ts";
import { scalars } from "./scalar.ts";
import { Table } from "./table.ts";

export function packAny(value: unknown, writing: Writing): Packed {
  switch (typeof value) {
    case "boolean":
      return value;
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
    case "string":
      return scalars.string.pack(value);
    case "bigint":
      return packBigint(value);
    case "undefined":
      return tag("undefined", null);
    case "object":
      return value === null ? null : deeper(writing, () => packObject(value, writing));
    default:
      throw carriageReason(value);
  }
}

/** A plain integer only where no number could have been meant. */
const packBigint = (value: bigint): Packed =>
  BigInt.asIntN(64, value) === value && !Number.isSafeInteger(Number(value)) ? value : tag("bigint", String(value));

function packObject(value: object, writing: Writing): Packed {
  if (Array.isArray(value)) return packItems(value, writing);
  if (isPlainObject(value)) return packEntries(value, writing);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new Misfit("the Date is invalid.");
    return value;
  }
  if (value instanceof Uint8Array) return value;
  if (isHandle(value)) return tag(value instanceof Table ? "table" : "blob", packHandle(value, writing));
  if (value instanceof Set) return tag("set", packItems([...value], writing));
  if (value instanceof Map)
    return tag(
      "map",
      [...value].map((entry) => packItems(entry, writing)),
    );
  throw carriageReason(value);
}

function packItems(items: readonly unknown[], writing: Writing): Packed[] {
  const packed: Packed[] = new Array(items.length);
  let index = 0;
  try {
    for (; index < items.length; index++) {
      if (items[index] === undefined && !(index in items)) throw new Misfit("the list has a hole here.");
      packed[index] = packAny(items[index], writing);
    }
  } catch (error) {
    throw atStep(error, index);
  }
  return packed;
}

function packEntries(value: PlainObject, writing: Writing): Packed {
  const packed: Record<string, Packed> = {};
  let key = "";
  try {
    for (key of Object.keys(value)) packed[checkKey(key)] = packAny(value[key], writing);
  } catch (error) {
    throw atStep(error, key);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw new Misfit("a key is a symbol, which cannot be carried.");
  return packed;
}

export function unpackAny(packed: Packed, reading: Reading): unknown {
  if (typeof packed === "bigint") {
    const number = Number(packed);
    return Number.isSafeInteger(number) ? number : packed;
  }
  if (typeof packed !== "object" || packed === null || packed instanceof Date) return packed;
  if (packed instanceof Uint8Array) return new Uint8Array(packed);
  if (Array.isArray(packed)) return packed.map((item: Packed) => unpackAny(item, reading));
  if (!isRecord(packed)) return unpackTagged(packed as Tagged, reading);
  const value: Record<string, unknown> = {};
  for (const key of Object.keys(packed)) value[key] = unpackAny(packed[key] as Packed, reading);
  return value;
}

function unpackTagged(packed: Tagged, reading: Reading): unknown {
  const { value } = packed;
  switch (tagOf(packed)) {
    case "bigint":
      return BigInt(value as string);
    case "undefined":
      return undefined;
    case "set":
      return new Set(unpackAny(value, reading) as unknown[]);
    case "map":
      return new Map(unpackAny(value, reading) as [unknown, unknown][]);
    case "table":
      return unpackHandle("table", value, reading.blobs);
    case "blob":
      return unpackHandle(kindOfBlob(value), value, reading.blobs);
    default:
      return unpackAny((value as readonly Packed[])[1] ?? null, reading);
  }
}

const kindOfBlob = (fields: Packed): HandleName =>
  isRecord(fields) && fields.dimensionality === "multipart" ? "dir" : "file";
