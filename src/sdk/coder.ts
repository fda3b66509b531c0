// Values to literals and back, made once from a type and then run on every value. What has no literal of
// its own travels as a struct (packer.ts).
import { Buffer } from "node:buffer";
import { sha256Hex } from "../core/hash.ts";
import type { BinaryLiteral, Literal } from "../core/value.ts";
import { literalToJson, pack, shown, unpack } from "../idl/idl.ts";
import { handleKinds } from "./handle-kinds.ts";
import { atStep, expected, firstFit, Misfit, notChosen } from "./misfit.ts";
import { memberOf, type Packer } from "./packer.ts";
import { itemAt, plainObject } from "./packer-composite.ts";
import { packerOf } from "./packers.ts";
import { literalOfHandle, type Reading, type Writing } from "./packing.ts";
import { checkKey } from "./plain-object.ts";
import { foreign, scalars, scalarValue } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { isStruct, variantsOf } from "./shape-type.ts";
import { declaredTable, trustedTable } from "./table.ts";

export type Coder = {
  /** Throws `Misfit`. */
  encode(value: unknown, writing: Writing): Literal;
  /** Throws `Misfit`. */
  decode(literal: Literal, reading: Reading): unknown;
};

export function coderOf(shape: Shape): Coder {
  const coder = makeCoder(shape);
  return {
    encode: coder.encode,
    // Another SDK may have a wider type for the same variable.
    decode: (literal, reading) =>
      coder.decode(literal.type === "union" && shape.type !== "union" ? literal.value : literal, reading),
  };
}

function makeCoder(shape: Shape): Coder {
  if (isStruct(shape)) return structCoder(packerOf(shape));
  switch (shape.type) {
    case "scalar":
      return scalarCoder(shape);
    case "file":
    case "dir":
    case "table":
      return handleCoder(shape);
    case "list":
      return listCoder(coderOf(shape.element));
    case "set":
      return setCoder(listCoder(coderOf(shape.element)));
    case "record":
      return recordCoder(coderOf(shape.value));
    case "union":
      return unionCoder(shape.members);
    default:
      throw new Misfit(`a ${shape.type} has no literal.`);
  }
}

function wrongLiteral(noun: string, literal: Literal): Misfit {
  if (literal.type === "externalBlob" || literal.type === "externalTable")
    return new Misfit(
      `expected ${noun}, got what another SDK wrote to ${literal.uri}; a TypeScript task can read only what Godwit has stored.`,
    );
  return new Misfit(
    `expected ${noun}, got ${literal.type === "string" ? shown(literal.value) : `a value of type ${literal.type}`}.`,
  );
}

function scalarCoder(shape: Extract<Shape, { type: "scalar" }>): Coder {
  const scalar = scalars[shape.scalar];
  const { noun } = packerOf(shape);
  const choices = shape.only === null ? null : new Set<unknown>(shape.only);
  return {
    encode: (value) => {
      const converted = scalarValue(scalar, value, shape.isCoerced);
      if (choices !== null && !choices.has(converted)) throw notChosen(noun, value);
      return scalar.encode(converted);
    },
    decode: (literal) => {
      const value = scalar.decode(literal);
      if (value === foreign) throw wrongLiteral(noun, literal);
      return value;
    },
  };
}

function handleCoder(shape: Extract<Shape, { type: "file" | "dir" | "table" }>): Coder {
  const kind = handleKinds[shape.type];
  const columns = shape.type === "table" ? shape.columns : null;
  return {
    encode: (value, writing) => {
      if (!kind.takes(value)) throw expected(kind.noun, value);
      return literalOfHandle(columns === null ? value : declaredTable(value, columns), writing);
    },
    decode: (literal, { blobs }) => {
      const handle = kind.open(literal, blobs);
      if (handle === null) throw wrongLiteral(kind.noun, literal);
      return columns === null ? handle : trustedTable(handle, columns);
    },
  };
}

function listCoder(element: Coder): Coder {
  return {
    encode: (value, writing) => {
      if (!Array.isArray(value)) throw expected("a list", value);
      const elements: Literal[] = new Array(value.length);
      let index = 0;
      try {
        for (; index < value.length; index++) elements[index] = element.encode(itemAt(value, index), writing);
      } catch (error) {
        throw atStep(error, index);
      }
      return { type: "collection", elements };
    },
    decode: (literal, reading) => {
      if (literal.type !== "collection") throw wrongLiteral("a list", literal);
      const values: unknown[] = new Array(literal.elements.length);
      let index = 0;
      try {
        for (; index < values.length; index++)
          values[index] = element.decode(literal.elements[index] as Literal, reading);
      } catch (error) {
        throw atStep(error, index);
      }
      return values;
    },
  };
}

function setCoder(list: Coder): Coder {
  return {
    encode: (value, writing) => {
      if (!(value instanceof Set)) throw expected("a Set", value);
      return list.encode([...value], writing);
    },
    decode: (literal, reading) => new Set(list.decode(literal, reading) as unknown[]),
  };
}

function recordCoder(entry: Coder): Coder {
  return {
    encode: (value, writing) => {
      const object = plainObject(value);
      const entries: Record<string, Literal> = {};
      let key = "";
      try {
        for (key of Object.keys(object)) {
          if (object[key] !== undefined) entries[checkKey(key)] = entry.encode(object[key], writing);
        }
      } catch (error) {
        throw atStep(error, key);
      }
      return { type: "map", entries };
    },
    decode: (literal, reading) => {
      if (literal.type !== "map") throw wrongLiteral("an object", literal);
      const value: Record<string, unknown> = {};
      let key = "";
      try {
        for (key of Object.keys(literal.entries)) value[key] = entry.decode(literal.entries[key] as Literal, reading);
      } catch (error) {
        throw atStep(error, key);
      }
      return value;
    },
  };
}

function unionCoder(members: readonly Shape[]): Coder {
  const packers = members.map(packerOf);
  const coders = members.map(coderOf);
  const tags = variantsOf(members).map(({ tag }) => tag);
  const byTag = new Map(tags.map((tag, index) => [tag, coders[index] as Coder]));
  const { noun } = packerOf({ type: "union", members });
  return {
    encode: (value, writing) => {
      const index = memberOf(packers, value);
      if (index >= 0)
        return { type: "union", tag: tags[index] as string, value: (coders[index] as Coder).encode(value, writing) };
      const attempts = coders.map(
        (coder, at) => (): Literal => ({
          type: "union",
          tag: tags[at] as string,
          value: coder.encode(value, writing),
        }),
      );
      return firstFit(attempts, noun, value);
    },
    decode: (literal, reading) => {
      const inner = literal.type === "union" ? literal.value : literal;
      const coder = literal.type === "union" ? byTag.get(literal.tag) : undefined;
      if (coder !== undefined) return coder.decode(inner, reading);
      // Another SDK's name for the member, or a literal that does not say: the first that reads it.
      return firstFit(
        coders.map((member) => () => member.decode(inner, reading)),
        noun,
        literalToJson(inner),
      );
    },
  };
}

export function structCoder(packer: Packer): Coder {
  return {
    encode: (value, writing) => {
      const { digests, directories } = writing;
      writing.digests = new Set();
      writing.directories = new Set();
      const binary = structLiteral(packer, value, writing);
      Object.assign(writing, { digests, directories });
      return binary;
    },
    decode: (literal, reading) => {
      if (literal.type === "none") return packer.unpack(null, reading);
      if (literal.type !== "binary" || literal.tag !== "msgpack") throw wrongLiteral(packer.noun, literal);
      return packer.unpack(unpack(Buffer.from(literal.value, "base64")), reading);
    },
  };
}

function structLiteral(packer: Packer, value: unknown, writing: Writing): BinaryLiteral {
  const bytes = pack(packer.pack(value, writing));
  const binary = { type: "binary", tag: "msgpack", value: base64(bytes) } as const;
  if (writing.digests.size === 0) return binary;
  const blobs = [...writing.digests].sort();
  const directories = [...writing.directories].sort();
  return {
    ...binary,
    blobs,
    ...(directories.length === 0 ? {} : { directories }),
    contentHash: contentHash(packer, value, writing),
  };
}

function contentHash(packer: Packer, value: unknown, writing: Writing): string {
  writing.isByContent = true;
  try {
    return sha256Hex(pack(packer.pack(value, writing)));
  } finally {
    writing.isByContent = false;
  }
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
