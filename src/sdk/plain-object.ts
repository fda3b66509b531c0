// Objects that are data and nothing else.
import { Misfit } from "./misfit.ts";

export type PlainObject = { readonly [key: string]: unknown };

/** Made by `{}`, JSON or a structured clone, here or in another realm. */
export function isPlainObject(value: unknown): value is PlainObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

/** Not what the object inherits: a property may be called "constructor". */
export const own = <T>(object: { readonly [key: string]: T }, key: string): T | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** Why a value that is no data cannot be carried, and what to do. */
export function carriageReason(value: unknown): Misfit {
  switch (typeof value) {
    case "function":
      return new Misfit("a function cannot be carried from task to task.");
    case "symbol":
      return new Misfit("a symbol cannot be carried from task to task.");
    default: {
      const name = (value as object).constructor?.name ?? "an unknown class";
      const advice = ArrayBuffer.isView(value)
        ? "use a plain array (Array.from), or a Uint8Array of its bytes"
        : "only plain objects, lists, Map, Set, Date, Uint8Array, File, Dir and Table are: pass a plain object";
      return new Misfit(`an instance of ${name} cannot be carried from task to task: ${advice}.`);
    }
  }
}

/** `__proto__` would change the object that it is put into, in any reader written in JavaScript. */
export function checkKey(key: string): string {
  if (key === "__proto__") throw new Misfit('"__proto__" cannot be a key of data.');
  if (!key.isWellFormed()) throw new Misfit("a key holds half of a surrogate pair, which no encoding can carry.");
  return key;
}
