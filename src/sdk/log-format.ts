// One line of text from a message and its fields.
import { inspect } from "node:util";

const plain = /^[\w.:/@+-]+$/;

/** `info: loaded rows=344 source=penguins.json`; the word "info:" is left out, being the usual. */
export function formatLine(level: string, message: string, fields: { readonly [name: string]: unknown }): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
  return [...(level === "info" ? [] : [`${level}:`]), message, ...words].join(" ");
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return plain.test(value) ? value : JSON.stringify(value);
  return inspect(value, {
    breakLength: Number.POSITIVE_INFINITY,
    depth: 4,
    maxStringLength: 1_000,
    maxArrayLength: 20,
  });
}
