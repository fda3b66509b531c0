// Hashes and the canonical text they are taken of.
import { hash } from "node:crypto";

export const sha256Hex = (data: string | Uint8Array): string => hash("sha256", data, "hex");

/** A short name for a hash in listings; never used as a key. */
export const shortHash = (hex: string): string => hex.slice(0, 8);

/**
 * Joins parts so that no two different lists give the same text: each part is preceded by its
 * length. Without it, ("ab", "c") and ("a", "bc") would have one hash.
 */
export function hashParts(...parts: readonly string[]): string {
  let text = "";
  for (const part of parts) text += `${part.length}:${part}`;
  return sha256Hex(text);
}

/** JSON with sorted keys and no spaces, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value) text += text === "" ? canonicalJson(item) : `,${canonicalJson(item)}`;
    return `[${text}]`;
  }
  const record = value as Record<string, unknown>;
  for (const key of Object.keys(record).sort()) {
    const member = record[key];
    if (member !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}
