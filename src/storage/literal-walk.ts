// Values with some of their parts replaced: leaves of literals, and records within structs.
import type { Literal, Literals } from "../core/value.ts";
import { isRecord, type Packed, tag, tagOf } from "../idl/idl.ts";

/** What is put in the place of a leaf: of what holds no other literal. */
type Change = (leaf: Literal) => Promise<Literal>;

export async function changedLiterals(literals: Literals, change: Change): Promise<Literals> {
  const changed: Record<string, Literal> = {};
  for (const [name, literal] of Object.entries(literals)) changed[name] = await changedLiteral(literal, change);
  return changed;
}

async function changedLiteral(literal: Literal, change: Change): Promise<Literal> {
  switch (literal.type) {
    case "collection": {
      const elements: Literal[] = [];
      for (const element of literal.elements) elements.push(await changedLiteral(element, change));
      return { type: "collection", elements };
    }
    case "map":
      return { type: "map", entries: await changedLiterals(literal.entries, change) };
    case "union":
      return { ...literal, value: await changedLiteral(literal.value, change) };
    default:
      return change(literal);
  }
}

/** `change` answers null for what is to stay; it is asked of what is outside first. Tags of handles are left out. */
export async function changedPacked(
  packed: Packed,
  change: (packed: Packed) => Promise<Packed | null>,
): Promise<Packed> {
  const tagName = tagOf(packed);
  const inner = tagName === null ? packed : (packed as unknown as { readonly value: Packed }).value;
  const changed = await change(inner);
  if (changed !== null) return changed;
  const whole = await withChangedParts(inner, change);
  return tagName === null ? whole : tag(tagName, whole);
}

async function withChangedParts(packed: Packed, change: (packed: Packed) => Promise<Packed | null>): Promise<Packed> {
  if (Array.isArray(packed)) {
    const elements: Packed[] = [];
    for (const element of packed) elements.push(await changedPacked(element, change));
    return elements;
  }
  if (!isRecord(packed)) return packed;
  const record: Record<string, Packed> = {};
  for (const [key, value] of Object.entries(packed)) record[key] = await changedPacked(value, change);
  return record;
}
