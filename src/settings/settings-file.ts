// The file godwit.config.json and its parts. Read by hand: it is on the way of every start, and what is said of a
// mistake names the place in the file.
import { readFileSync } from "node:fs";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";

/** Null if there is no file, unless somebody named it. */
export function settingsIn(file: string, isNamed: boolean): { readonly [section: string]: unknown } | null {
  const text = contentOf(file, isNamed);
  return text === null ? null : object(parsed(text, file), file, ["machine", "limits", "shares", "server", "images"]);
}

/** `known`: the names it may have; null: any. */
export function object(
  value: unknown,
  what: string,
  known: readonly string[] | null,
): { readonly [name: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new GodwitError("invalid_argument", `${what} has to be an object, not ${JSON.stringify(value)}.`);
  const unknown = known === null ? undefined : Object.keys(value).find((name) => !known.includes(name));
  if (known === null || unknown === undefined) return value as { readonly [name: string]: unknown };
  throw new GodwitError(
    "invalid_argument",
    `${what} has no setting "${unknown}".${didYouMean(unknown, known)} Settings: ${known.join(", ")}.`,
  );
}

function contentOf(file: string, isNamed: boolean): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && !isNamed) return null;
    throw new GodwitError("failed_precondition", `The settings ${file} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new GodwitError("invalid_argument", `${file} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}
