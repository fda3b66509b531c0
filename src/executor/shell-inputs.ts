// What a command is given: its inputs as texts and as files of a directory of its own.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { readManifest, writeDirectory } from "../blob/directory.ts";
import { isFileName, placeFile } from "../blob/plain-file.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import {
  type BlobLiteral,
  type Literal,
  type Literals,
  parseBlobUri,
  type TableLiteral,
  type Variable,
} from "../core/value.ts";
import { literalToText } from "../idl/idl.ts";

/** What each input or output is called by: its text, or the path of its file. */
export type ShellWords = { readonly [name: string]: string };

/** Linux takes no longer string than 128 KiB in an environment or among arguments, its end included. */
const maxWordBytes = 128 * 1024 - 1;

/** Writes files below `dir` and says what each declared input is as one word; an absent one is empty. */
export async function shellInputs(
  variables: readonly Variable[],
  literals: Literals,
  blobs: BlobStore,
  dir: string,
): Promise<ShellWords> {
  const words: Record<string, string> = {};
  for (const { name, required } of variables) {
    const literal = literals[name];
    if (literal === undefined && required) throw new GodwitError("invalid_argument", `The input "${name}" is missing.`);
    const text =
      literal === undefined ? "" : literalToText(await onDisk(literal, blobs, join(dir, pathPart(name)), name));
    checkWord(name, text);
    words[name] = text;
  }
  return words;
}

/** The command with `{{inputs.x}}` and `{{outputs.y}}` replaced; nothing else is read into it. */
export function filledIn(command: readonly string[], inputs: ShellWords, outputs: ShellWords): readonly string[] {
  return command.map((part) =>
    part.replace(/\{\{\s*(inputs|outputs)\.([^{}]*?)\s*\}\}/g, (found, kind: string, name: string) => {
      const words = kind === "inputs" ? inputs : outputs;
      if (Object.hasOwn(words, name)) return words[name] as string;
      const what = kind.slice(0, -1);
      throw new GodwitError(
        "invalid_argument",
        `The command mentions ${found}, but the task has no ${what} "${name}".${didYouMean(name, Object.keys(words))}`,
      );
    }),
  );
}

/** A name as one part of a path: unique, and never one that leads elsewhere. */
export const pathPart = (name: string): string => encodeURIComponent(name).replace(/^\./, "%2E") || "%";

/** The literal with files, directories and tables replaced by the paths where they now lie. */
async function onDisk(literal: Literal, blobs: BlobStore, folder: string, name: string): Promise<Literal> {
  switch (literal.type) {
    case "blob":
    case "structuredDataset":
      return { type: "string", value: await written(literal, blobs, folder, name) };
    case "externalBlob":
    case "externalTable":
      throw notStored(name, literal.uri);
    case "union":
      return onDisk(literal.value, blobs, folder, name);
    case "collection": {
      const elements: Literal[] = [];
      for (const [index, element] of literal.elements.entries()) {
        elements.push(await onDisk(element, blobs, join(folder, String(index)), name));
      }
      return { type: "collection", elements };
    }
    case "map": {
      const entries: Record<string, Literal> = {};
      for (const [key, value] of Object.entries(literal.entries)) {
        entries[key] = await onDisk(value, blobs, join(folder, pathPart(key)), name);
      }
      return { type: "map", entries };
    }
    default:
      return literal;
  }
}

async function written(
  literal: BlobLiteral | TableLiteral,
  blobs: BlobStore,
  folder: string,
  name: string,
): Promise<string> {
  const stored = parseBlobUri(literal.uri);
  if (stored === null) throw notStored(name, literal.uri);
  const path = join(folder, fileName(literal, stored.name, name));
  await mkdir(folder, { recursive: true });
  if (literal.type === "blob" && literal.dimensionality === "multipart") {
    await writeDirectory(blobs, stored.digest, path);
    const { files } = await readManifest(blobs, stored.digest);
    for (const file of files) await chmod(join(path, file.path), file.executable ? 0o555 : 0o444);
    return path;
  }
  await placeFile(await blobs.path(stored.digest), path);
  return path;
}

const notStored = (name: string, uri: string): GodwitError =>
  new GodwitError(
    "invalid_argument",
    `The input "${name}" is at ${uri}; only what Godwit has stored can be passed to a command.`,
  );

/** The file's own name, for tools that go by its ending. */
function fileName(literal: BlobLiteral | TableLiteral, storedName: string, inputName: string): string {
  const own = isFileName(storedName) ? storedName : pathPart(inputName);
  return literal.type === "structuredDataset" && !own.endsWith(".parquet") ? `${own}.parquet` : own;
}

function checkWord(name: string, text: string): void {
  if (text.includes("\0")) {
    throw new GodwitError(
      "invalid_argument",
      `The input "${name}" contains a NUL character, which no command can be given. Pass it as a file.`,
    );
  }
  const sizeBytes = Buffer.byteLength(name) + 1 + Buffer.byteLength(text);
  if (sizeBytes > maxWordBytes) {
    throw new GodwitError(
      "invalid_argument",
      `The input "${name}" is ${sizeBytes} bytes as text; a command can be given ${maxWordBytes} at most. Declare it as file() and pass it as one.`,
    );
  }
}
