// Which member of a union a value is: by the type that is stored with it, and by its tag.
import { create } from "@bufbuild/protobuf";
import type { Union } from "#idl/flyteidl2/core/literals_pb.js";
import { type LiteralType as Message, TypeStructureSchema } from "#idl/flyteidl2/core/types_pb.js";
import { canonicalJson } from "../core/hash.ts";
import type { Literal, LiteralType, SimpleName, Variant } from "../core/value.ts";
import { literalFromJson, literalToJson } from "./literal-json.ts";
import { bareTag, typeMessage, typeOf, variantMessage } from "./type-message.ts";

type UnionLiteral = Extract<Literal, { type: "union" }>;

/** The variant that a value to be sent belongs to: of its tag, else, for a value made by another type, the first that it fits. */
export function variantOfTag({ tag, value }: UnionLiteral, type: LiteralType | null): Variant | null {
  if (type?.type !== "union") return null;
  const { variants } = type;
  return variants.find((variant) => variant.tag === tag && fitsKind(value, variant.type)) ?? firstFit(variants, value);
}

/** What goes with the value: the variant's whole type. Where nobody knows the type, what the value says of itself. */
export function storedTypeMessage(
  { tag, value }: UnionLiteral,
  type: LiteralType | null,
  variant: Variant | null,
): Message {
  if (type?.type === "union" && variant !== null) return variantMessage(type.variants, variant);
  const message = typeMessage(ownType(value));
  message.structure = create(TypeStructureSchema, { tag });
  return message;
}

/** The tag in core of a value that came, and its member's type. `read`: the value as a literal of such a type. */
export function tagOfStored(
  { type: stored, value }: Union,
  type: LiteralType | null,
  read: (type: LiteralType) => Literal,
): { readonly tag: string; readonly type: LiteralType | null } {
  const storedType = stored === undefined || stored.type.case === undefined ? null : typeOf(stored);
  const storedTag = stored?.structure?.tag ?? "";
  if (type?.type !== "union") return { tag: storedTag || (value?.value.case ?? ""), type: storedType };
  const { variants } = type;
  const named = variants.filter(({ tag }) => tag === storedTag || bareTag(variants, tag) === storedTag);
  const isStored = (variant: Variant): boolean => storedType !== null && isSame(variant.type, storedType);
  const found =
    named.find(isStored) ??
    (named.length === 1 ? named[0] : undefined) ??
    // Classes that Python made of our schemas say the same in other words.
    named.find((variant) => fits(read(variant.type), variant.type)) ??
    variants.find(isStored) ??
    named[0] ??
    // An object of another class than the one we speak of: see `acceptingType`.
    (storedType?.type === "struct" ? variants.find((variant) => isObjectThatFits(variant, read)) : undefined);
  return found ?? { tag: storedTag || (value?.value.case ?? ""), type: storedType };
}

const isObjectThatFits = ({ type }: Variant, read: (type: LiteralType) => Literal): boolean =>
  type.type === "struct" && fits(read(type), type);

const isSame = (one: LiteralType, other: LiteralType): boolean => canonicalJson(one) === canonicalJson(other);

/**
 * The variant of a value that does not say that it is of a union. Null: none fits, or it is a pickle of Python's,
 * whose type is a union (of a file and of bytes) though its values are not.
 */
export const variantOfValue = (value: Literal, variants: readonly Variant[]): Variant | null =>
  variants.some(({ tag }) => tag === pickleTag) ? null : firstFit(variants, value);

const pickleTag = "FlytePickle";

function firstFit(variants: readonly Variant[], value: Literal): Variant | null {
  const alike = variants.filter(({ type }) => fitsKind(value, type));
  return alike.find(({ type }) => fits(value, type)) ?? alike[0] ?? null;
}

/** Whether the value could be of that type at all. */
function fitsKind(literal: Literal, type: LiteralType): boolean {
  switch (literal.type) {
    case "string":
      return type.type === "enum" ? type.values.includes(literal.value) : isSimple(type, "string");
    case "collection":
    case "map":
    case "union":
      return type.type === literal.type;
    case "binary":
      return literal.tag === "msgpack" ? type.type === "struct" : isSimple(type, "binary");
    case "blob":
    case "externalBlob":
      return type.type === "blob" && type.dimensionality === literal.dimensionality;
    case "structuredDataset":
    case "externalTable":
      return type.type === "structuredDataset";
    default:
      return isSimple(type, literal.type);
  }
}

const isSimple = (type: LiteralType, name: SimpleName): boolean => type.type === "simple" && type.simple === name;

/** Whether the value reads as the type through and through. */
function fits(literal: Literal, type: LiteralType): boolean {
  try {
    literalFromJson(type, literalToJson(literal), "");
    return true;
  } catch {
    return false; // That is the answer.
  }
}

/** As much of a type as a value shows. */
function ownType(literal: Literal): LiteralType {
  switch (literal.type) {
    case "collection":
      return { type: "collection", element: ownType(literal.elements[0] ?? { type: "none" }) };
    case "map":
      return { type: "map", value: ownType(Object.values(literal.entries)[0] ?? { type: "none" }) };
    case "union":
      return { type: "union", variants: [{ tag: literal.tag, type: ownType(literal.value) }] };
    case "binary":
      return literal.tag === "msgpack" ? { type: "struct", schema: null } : { type: "simple", simple: "binary" };
    case "blob":
    case "externalBlob":
      return { type: "blob", format: literal.format, dimensionality: literal.dimensionality };
    case "structuredDataset":
    case "externalTable":
      return { type: "structuredDataset", columns: literal.columns, format: literal.format };
    default:
      return { type: "simple", simple: literal.type };
  }
}
