// What people are told when a value is not what its type asks for, and where in the value it is.
import { GodwitError } from "../core/error.ts";

type Mismatch = { readonly where: string; readonly expected: string };

const mismatches = new WeakMap<Error, Mismatch>();

/** `where: expected an integer, got "abc".` `where` ends with the path inside the value. */
export function mismatch(where: string, expected: string, got: unknown, hint = ""): GodwitError {
  const error = new GodwitError("invalid_argument", `${where}: expected ${expected}, got ${shown(got)}.${hint}`);
  mismatches.set(error, { where, expected });
  return error;
}

/**
 * The value of the first attempt that does not throw. Of the mismatches of all, the one about the deepest
 * place says most; those about the value itself are told together: "expected an integer or null".
 */
export function firstThatFits<T>(attempts: Iterable<() => T>, where: string, got: unknown): T {
  const expected = new Set<string>();
  let deepest: { readonly error: unknown; readonly depth: number } | null = null;
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      const found = error instanceof Error ? mismatches.get(error) : undefined;
      if (found === undefined) throw error;
      if (found.where === where) expected.add(found.expected);
      else if (deepest === null || found.where.length > deepest.depth) deepest = { error, depth: found.where.length };
    }
  }
  if (deepest !== null) throw deepest.error;
  throw mismatch(where, [...expected].join(" or ") || "no value", got);
}

/** One step deeper into a value: `layers[2]`, `layers[2].units`, `["first name"]`. */
export function inside(where: string, key: string | number): string {
  if (typeof key === "number") return `${where}[${key}]`;
  if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `${where}[${JSON.stringify(key)}]`;
  return where === "" || where.endsWith(" ") ? `${where}${key}` : `${where}.${key}`;
}

const shownLimit = 60;

/** A value in a few words of an error message. */
export function shown(value: unknown): string {
  const text = plainText(value);
  return text.length > shownLimit ? `${text.slice(0, shownLimit)}…` : text;
}

function plainText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > shownLimit ? `${value.slice(0, shownLimit)}…` : value);
    case "bigint":
      return `the bigint ${value}`;
    case "function":
      return value.name === "" ? "a function" : `the function ${value.name}`;
    case "symbol":
      return "a symbol";
    case "object":
      return value === null ? "null" : objectText(value);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function objectText(value: object): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  const name = (Object.getPrototypeOf(value) as object | null)?.constructor?.name ?? "Object";
  if (name !== "Object") return `an instance of ${name}`;
  const keys = Object.keys(value);
  return keys.length === 0
    ? "an empty object"
    : `an object with ${keys.slice(0, 4).join(", ")}${keys.length > 4 ? ", …" : ""}`;
}
