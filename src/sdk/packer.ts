// What goes into structs and comes out of them: made once from a type, then run on every value.
//
// R1  Whatever `pack` makes of a value, `unpack` of the same packer gives that value back.
import type { Packed } from "../idl/idl.ts";
import type { Reading, Writing } from "./packing.ts";

export type Packer = {
  /** In words, for "expected …". */
  readonly noun: string;
  /** Whether the value is of this type, as far as its shape goes. */
  takes(value: unknown, looking: Looking): boolean;
  /** Throws `Misfit`. */
  pack(value: unknown, writing: Writing): Packed;
  reads(packed: Packed, depth: number): boolean;
  /** Throws `Misfit` for what another writer made of another type. */
  unpack(packed: Packed, reading: Reading): unknown;
};

/** How closely a value is looked at. */
export type Looking = {
  /** Levels of recursion above. */
  readonly depth: number;
  /** Whether keys that an object does not declare count against it. */
  readonly isExact: boolean;
};

const exactly: Looking = { depth: 0, isExact: true };
export const loosely: Looking = { depth: 0, isExact: false };

/**
 * Which member a value is of, or -1. The first that takes it; but one that would drop some of its keys only
 * if no other keeps them, since what made the schema choose another member may not be in its shape.
 */
export function memberOf(members: readonly Packer[], value: unknown): number {
  const index = members.findIndex((member) => member.takes(value, exactly));
  return index >= 0 ? index : members.findIndex((member) => member.takes(value, loosely));
}
