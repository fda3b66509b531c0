// The packer of every shape.
//
// R1  A member of a union is found by the value when it is packed, and by what was packed when it is read.
//     Where the second would find another member, the value is packed with its member's number.
import { maxDepth, type Packed, type Tagged, tag, tagOf } from "../idl/idl.ts";
import type { Handle } from "./handle.ts";
import { handleKinds, packHandle, readsHandle, unpackHandle } from "./handle-kinds.ts";
import { expected, firstFit, notChosen } from "./misfit.ts";
import { memberOf, type Packer } from "./packer.ts";
import { packAny, unpackAny } from "./packer-any.ts";
import { listPacker, mapPacker, objectPacker, recordPacker, setPacker, tuplePacker } from "./packer-composite.ts";
import { deeper, type Writing } from "./packing.ts";
import { foreign, scalars, scalarValue } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { declaredTable, trustedTable } from "./table.ts";

const made = new WeakMap<Shape, Packer>();

export function packerOf(shape: Shape): Packer {
  let packer = made.get(shape);
  if (packer === undefined) {
    packer = makePacker(shape);
    made.set(shape, packer);
  }
  return packer;
}

function makePacker(shape: Shape): Packer {
  switch (shape.type) {
    case "scalar":
      return scalarPacker(shape);
    case "file":
    case "dir":
    case "table":
      return handlePacker(shape);
    case "list":
      return listPacker(packerOf(shape.element));
    case "set":
      return setPacker(packerOf(shape.element));
    case "tuple":
      return tuplePacker(shape.items.map(packerOf), shape.rest === null ? null : packerOf(shape.rest), shape.least);
    case "map":
      return mapPacker(packerOf(shape.key), packerOf(shape.value));
    case "record":
      return recordPacker(packerOf(shape.value));
    case "object":
      return objectPacker(
        shape.properties.map(({ name, required, shape: property }) => ({ name, required, packer: packerOf(property) })),
        shape.rest === null ? null : packerOf(shape.rest),
      );
    case "union":
      return unionPacker(shape.members.map(packerOf), shape.members.map(rank));
    case "any":
      return anyPacker;
    case "recursive":
      return recursivePacker(shape.target);
  }
}

function scalarPacker({ scalar: name, only, isCoerced }: Extract<Shape, { type: "scalar" }>): Packer {
  const scalar = scalars[name];
  const choices = only === null ? null : new Set<unknown>(only);
  const noun = only === null ? scalar.noun : only.map((choice) => JSON.stringify(choice)).join(" or ");
  const isChoice = (value: unknown): boolean => choices === null || choices.has(value);
  return {
    noun,
    takes: (value) => scalar.takes(value) && isChoice(value),
    pack: (value) => {
      const converted = scalarValue(scalar, value, isCoerced);
      if (!isChoice(converted)) throw notChosen(noun, value);
      return scalar.pack(converted);
    },
    reads: (packed) => scalar.reads(packed) && (choices === null || choices.has(scalar.unpack(packed))),
    unpack: (packed) => {
      const value = scalar.unpack(packed);
      if (value === foreign) throw expected(noun, packed);
      return value;
    },
  };
}

function handlePacker(shape: Extract<Shape, { type: "file" | "dir" | "table" }>): Packer {
  const kind = handleKinds[shape.type];
  const columns = shape.type === "table" ? shape.columns : null;
  return {
    noun: kind.noun,
    takes: kind.takes,
    pack: (value, writing) => {
      if (!kind.takes(value)) throw expected(kind.noun, value);
      return packHandle(columns === null ? value : declaredTable(value, columns), writing);
    },
    reads: readsHandle,
    unpack: (packed, { blobs }) => {
      const handle = unpackHandle(shape.type, packed, blobs);
      if (handle === foreign) throw expected(kind.noun, packed);
      return columns === null ? handle : trustedTable(handle as Handle, columns);
    },
  };
}

const anyPacker: Packer = {
  noun: "any value",
  takes: () => true,
  pack: packAny,
  reads: () => true,
  unpack: unpackAny,
};

/** Types whose packed form could be another's come first when a member is looked for. */
function rank(shape: Shape): number {
  if (shape.type === "scalar") return shape.only !== null ? 0 : shape.scalar === "string" ? 3 : 1;
  return shape.type === "any" || shape.type === "record" ? 3 : 2;
}

function unionPacker(members: readonly Packer[], ranks: readonly number[]): Packer {
  const noun = members.map((member) => member.noun).join(" or ");
  const order = members.map((_, index) => index).sort((a, b) => (ranks[a] as number) - (ranks[b] as number));
  const readerOf = (packed: Packed, depth: number): number =>
    order.find((index) => (members[index] as Packer).reads(packed, depth)) ?? -1;
  return {
    noun,
    takes: (value, looking) => members.some((member) => member.takes(value, looking)),
    pack: (value, writing) => {
      const index = memberOf(members, value);
      const packed =
        index < 0 ? packFirst(members, value, writing, noun) : (members[index] as Packer).pack(value, writing);
      return index < 0 || readerOf(packed, 0) === index ? packed : tag("member", [BigInt(index), packed]);
    },
    reads: (packed, depth) => tagOf(packed) === "member" || readerOf(packed, depth) >= 0,
    unpack: (packed, reading) => {
      if (tagOf(packed) === "member") {
        const [index, inner] = (packed as Tagged).value as readonly [bigint, Packed];
        return (members[Number(index)] as Packer).unpack(inner, reading);
      }
      const member = members[readerOf(packed, 0)];
      if (member === undefined) throw expected(noun, packed);
      return member.unpack(packed, reading);
    },
  };
}

/** For a value that fits no member as it is: some convert it; else the failure that got furthest says why not. */
function packFirst(members: readonly Packer[], value: unknown, writing: Writing, noun: string): Packed {
  return firstFit(
    members.map((member) => () => member.pack(value, writing)),
    noun,
    value,
  );
}

function recursivePacker(target: () => Shape): Packer {
  const packer = (): Packer => packerOf(target());
  return {
    noun: "a value of a recursive type",
    // What is deeper is refused, with its path, when it is packed.
    takes: (value, { depth, isExact }) => depth > maxDepth || packer().takes(value, { depth: depth + 1, isExact }),
    pack: (value, writing) => deeper(writing, () => packer().pack(value, writing)),
    reads: (packed, depth) => depth > maxDepth || packer().reads(packed, depth + 1),
    unpack: (packed, reading) => packer().unpack(packed, reading),
  };
}
