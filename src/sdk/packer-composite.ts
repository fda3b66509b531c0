// Packers of lists, records and objects, over the packers of what they hold.
import { isRecord, type Packed, type Tagged, tag, tagOf } from "../idl/idl.ts";
import { atStep, expected, Misfit } from "./misfit.ts";
import { loosely, type Packer } from "./packer.ts";
import type { Reading, Writing } from "./packing.ts";
import { carriageReason, checkKey, isPlainObject, own, type PlainObject } from "./plain-object.ts";

export function itemAt(items: readonly unknown[], index: number): unknown {
  const item = items[index];
  if (item === undefined) {
    throw new Misfit(index in items ? "undefined cannot be carried in a list: use null." : "the list has a hole here.");
  }
  return item;
}

function packItems(items: readonly unknown[], packerAt: (index: number) => Packer, writing: Writing): Packed[] {
  const packed: Packed[] = new Array(items.length);
  let index = 0;
  try {
    for (; index < items.length; index++) packed[index] = packerAt(index).pack(itemAt(items, index), writing);
  } catch (error) {
    throw atStep(error, index);
  }
  return packed;
}

function unpackItems(items: readonly Packed[], packerAt: (index: number) => Packer, reading: Reading): unknown[] {
  const values: unknown[] = new Array(items.length);
  let index = 0;
  try {
    for (; index < items.length; index++) values[index] = packerAt(index).unpack(items[index] as Packed, reading);
  } catch (error) {
    throw atStep(error, index);
  }
  return values;
}

const isList = (packed: Packed): packed is readonly Packed[] => Array.isArray(packed);

export function listPacker(element: Packer): Packer {
  const at = (): Packer => element;
  return {
    noun: "a list",
    takes: (value, looking) => Array.isArray(value) && value.every((item) => element.takes(item, looking)),
    pack: (value, writing) => {
      if (!Array.isArray(value)) throw expected("a list", value);
      return packItems(value, at, writing);
    },
    reads: (packed, depth) => isList(packed) && packed.every((item) => element.reads(item, depth)),
    unpack: (packed, reading) => {
      if (!isList(packed)) throw expected("a list", packed);
      return unpackItems(packed, at, reading);
    },
  };
}

export function tuplePacker(items: readonly Packer[], rest: Packer | null, least: number): Packer {
  const noun = `a list of ${rest === null ? items.length : `${least} or more`}`;
  const at = (index: number): Packer => {
    const packer = items[index] ?? rest;
    if (packer === null) throw new Misfit(`expected ${noun}.`);
    return packer;
  };
  const fits = (length: number): boolean => length >= least && (rest !== null || length <= items.length);
  return {
    noun,
    takes: (value, looking) =>
      Array.isArray(value) && fits(value.length) && value.every((item, index) => at(index).takes(item, looking)),
    pack: (value, writing) => {
      if (!Array.isArray(value) || !fits(value.length)) throw expected(noun, value);
      return packItems(value, at, writing);
    },
    reads: (packed, depth) =>
      isList(packed) && fits(packed.length) && packed.every((item, index) => at(index).reads(item, depth)),
    unpack: (packed, reading) => {
      if (!isList(packed) || !fits(packed.length)) throw expected(noun, packed);
      return unpackItems(packed, at, reading);
    },
  };
}

/** The list behind the tag; a plain list, as other writers make, as well. */
const tagged = (name: "map" | "set", packed: Packed): readonly Packed[] | null => {
  const list = tagOf(packed) === name ? (packed as Tagged).value : packed;
  return isList(list) ? list : null;
};

export function setPacker(element: Packer): Packer {
  const items = listPacker(element);
  return {
    noun: "a Set",
    takes: (value, looking) => value instanceof Set && items.takes([...value], looking),
    pack: (value, writing) => {
      if (!(value instanceof Set)) throw expected("a Set", value);
      return tag("set", items.pack([...value], writing));
    },
    reads: (packed, depth) => tagOf(packed) === "set" && items.reads((packed as Tagged).value, depth),
    unpack: (packed, reading) => {
      const list = tagged("set", packed);
      if (list === null) throw expected("a Set", packed);
      return new Set(items.unpack(list, reading) as unknown[]);
    },
  };
}

export function mapPacker(key: Packer, value: Packer): Packer {
  const entries = listPacker(tuplePacker([key, value], null, 2));
  return {
    noun: "a Map",
    takes: (map, looking) => map instanceof Map && entries.takes([...map], looking),
    pack: (map, writing) => {
      if (!(map instanceof Map)) throw expected("a Map", map);
      return tag("map", entries.pack([...map], writing));
    },
    reads: (packed, depth) => tagOf(packed) === "map" && entries.reads((packed as Tagged).value, depth),
    unpack: (packed, reading) => {
      const list = tagged("map", packed);
      if (list === null) throw expected("a Map", packed);
      return new Map(entries.unpack(list, reading) as [unknown, unknown][]);
    },
  };
}

export function plainObject(value: unknown): PlainObject {
  if (isPlainObject(value)) return value;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) throw carriageReason(value);
  throw expected("an object", value);
}

export function recordPacker(entry: Packer): Packer {
  return {
    noun: "an object",
    takes: (value, looking) => isPlainObject(value) && Object.values(value).every((item) => entry.takes(item, looking)),
    pack: (value, writing) => {
      const packed: Record<string, Packed> = {};
      packEntries(plainObject(value), () => entry, packed, writing);
      return packed;
    },
    reads: (packed, depth) => isRecord(packed) && Object.values(packed).every((item) => entry.reads(item, depth)),
    unpack: (packed, reading) => {
      if (!isRecord(packed)) throw expected("an object", packed);
      const value: Record<string, unknown> = {};
      let key = "";
      try {
        for (key of Object.keys(packed)) value[key] = entry.unpack(packed[key] as Packed, reading);
      } catch (error) {
        throw atStep(error, key);
      }
      return value;
    },
  };
}

/** Keys without a packer are left out; so is undefined, which JSON would not say either. */
function packEntries(
  value: PlainObject,
  packerFor: (key: string) => Packer | null,
  into: Record<string, Packed>,
  writing: Writing,
): void {
  let key = "";
  try {
    for (key of Object.keys(value)) {
      const packer = packerFor(key);
      if (packer !== null && value[key] !== undefined) into[checkKey(key)] = packer.pack(value[key], writing);
    }
  } catch (error) {
    throw atStep(error, key);
  }
}

/** Python writes null for a field that was not given, where the type has none. */
const isAbsent = (packed: Packed, isRequired: boolean, packer: Packer): boolean =>
  packed === null && !isRequired && !packer.reads(null, 0);

export type PropertyPacker = { readonly name: string; readonly required: boolean; readonly packer: Packer };

export function objectPacker(properties: readonly PropertyPacker[], rest: Packer | null): Packer {
  const byName = new Map(properties.map((property) => [property.name, property.packer]));
  const required = properties.filter((property) => property.required);
  const optional = new Set(properties.filter((property) => !property.required).map(({ name }) => name));
  const packerFor = (key: string): Packer | null => byName.get(key) ?? rest;
  return {
    noun: "an object",
    takes: (value, looking) =>
      isPlainObject(value) &&
      (rest !== null || !looking.isExact || Object.keys(value).every((key) => byName.has(key))) &&
      properties.every(({ name, required: isRequired, packer }) =>
        // A schema may demand a key that it lets be undefined.
        Object.hasOwn(value, name)
          ? packer.takes(value[name], looking) || (!isRequired && value[name] === undefined)
          : !isRequired,
      ),
    pack: (value, writing) => {
      const object = plainObject(value);
      const packed: Record<string, Packed> = {};
      packEntries(object, packerFor, packed, writing);
      for (const { name, packer } of required) {
        if (own(object, name) !== undefined) continue;
        if (!packer.takes(undefined, loosely)) throw atStep(new Misfit("is missing."), name);
        packed[checkKey(name)] = packer.pack(undefined, writing);
      }
      return packed;
    },
    reads: (packed, depth) =>
      isRecord(packed) &&
      properties.every(({ name, required: isRequired, packer }) =>
        own(packed, name) === undefined
          ? !isRequired || packer.reads(null, depth)
          : isAbsent(packed[name] as Packed, isRequired, packer) || packer.reads(packed[name] as Packed, depth),
      ) &&
      // A key of another member says that it is of that one.
      (rest !== null || Object.keys(packed).every((key) => byName.has(key))),
    unpack: (packed, reading) => {
      if (!isRecord(packed)) throw expected("an object", packed);
      const value: Record<string, unknown> = {};
      let key = "";
      try {
        for (key of Object.keys(packed)) {
          const packer = packerFor(key);
          const item = packed[key] as Packed;
          if (packer !== null && !isAbsent(item, !optional.has(key), packer)) value[key] = packer.unpack(item, reading);
        }
      } catch (error) {
        throw atStep(error, key);
      }
      return value;
    },
  };
}
