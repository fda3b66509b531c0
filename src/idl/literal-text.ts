// Literals as text: command-line flags, and what shell tasks take and give.
//
// R1  Text of a text type is taken as it is; everything that is not one word is JSON.
// R2  `literalFromText(type, literalToText(literal))` is the literal again, as far as json R1 goes.
import { GodwitError } from "../core/error.ts";
import type { Literal, LiteralType, Variant } from "../core/value.ts";
import { integerFromText } from "./integer-text.ts";
import { bySpecificity, literalFromJson, literalToJson, typeText } from "./literal-json.ts";
import { firstThatFits, mismatch } from "./mismatch.ts";

/** `where` names the value for errors: `--depths`. Files and tables are the caller's to open. */
export function literalFromText(type: LiteralType, text: string, where: string): Literal {
  switch (type.type) {
    case "simple":
      return simpleFromText(type, text, where);
    case "enum":
      return literalFromJson(type, text, where);
    case "union":
      return unionFromText(type.variants, text, where);
    case "struct":
    case "collection":
    case "map":
      return literalFromJson(type, jsonFromText(text, typeText(type), where), where);
    default:
      return literalFromJson(
        type,
        text.trimStart().startsWith("{") ? jsonFromText(text, typeText(type), where) : text,
        where,
      );
  }
}

function simpleFromText(type: Extract<LiteralType, { type: "simple" }>, text: string, where: string): Literal {
  switch (type.simple) {
    case "none":
      if (text !== "" && text !== "null") throw mismatch(where, "null", text);
      return { type: "none" };
    case "integer": {
      const integer = integerFromText(text.trim());
      if (integer === null) throw mismatch(where, "an integer", text);
      return { type: "integer", value: String(integer) };
    }
    case "float":
      return literalFromJson(type, floatFromText(text.trim()) ?? text, where);
    case "boolean": {
      const word = text.trim().toLowerCase();
      return literalFromJson(type, word === "true" ? true : word === "false" ? false : text, where);
    }
    default:
      return literalFromJson(type, text, where);
  }
}

/** Number() would take "", "0x10" and " " as well. The words NaN and Infinity are read further on. */
const floatFromText = (text: string): number | null =>
  /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : null;

/** `null` is none wherever none is a member; empty text is none unless text is one. */
function unionFromText(variants: readonly Variant[], text: string, where: string): Literal {
  const hasText = variants.some(({ type }) => type.type === "simple" && type.simple === "string");
  const none = variants.find(({ type }) => type.type === "simple" && type.simple === "none");
  if (none !== undefined && (text === "null" || (text === "" && !hasText))) {
    return { type: "union", tag: none.tag, value: { type: "none" } };
  }
  const attempts = bySpecificity(variants)
    .filter((variant) => variant !== none)
    .map(
      (variant) => (): Literal => ({
        type: "union",
        tag: variant.tag,
        value: literalFromText(variant.type, text, where),
      }),
    );
  return firstThatFits(attempts, where, text);
}

/** JSON in which integers beyond 2^53 stay what they are, as bigints. */
export function jsonFromText(text: string, expected: string, where: string): unknown {
  try {
    return JSON.parse(text, keepInteger);
  } catch (error) {
    if (error instanceof GodwitError) throw error;
    const reason = error instanceof Error ? ` ${error.message}.` : "";
    throw mismatch(where, `${expected} as JSON`, text, reason);
  }
}

const keepInteger = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
};

/** The counterpart of `literalFromText`. None is empty text. */
export function literalToText(literal: Literal): string {
  switch (literal.type) {
    case "none":
      return "";
    case "union":
      return literalToText(literal.value);
    case "integer":
      return literal.value;
    default: {
      const json = literalToJson(literal);
      return typeof json === "string" ? json : JSON.stringify(json);
    }
  }
}
