// Hashes and the canonical text they are taken of.
import { createHash, hash } from "node:crypto";

export const sha256Hex = (data: string | Uint8Array): string => hash("sha256", data, "hex");

/** A short name for a hash in listings; never used as a key. */
export const shortHash = (hex: string): string => hex.slice(0, 8);

/**
 * Joins parts so that no two different lists give the same text: each part is preceded by its
 * length. Without it, ("ab", "c") and ("a", "bc") would have one hash.
 */
export function hashParts(...parts: readonly string[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${part.length}:`).update(part);
  return sum.digest("hex");
}

/** JSON with sorted keys and no spaces, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const record = value as Record<string, unknown>;
  const entries = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  return `{${entries.join(",")}}`;
}
