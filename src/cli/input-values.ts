// From what was typed to literals: texts by type, files and tables by path. Every input is looked at, so
// that all mistakes are told together.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import type { BlobStore } from "../blob/blob.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Literal, Literals, LiteralType, Variable } from "../core/value.ts";
import { inside, jsonFromText, literalFromJson, literalFromText, mismatch, typeText } from "../idl/idl.ts";
import { messageOf } from "./error-report.ts";
import { directoryLiteral, fileLiteral } from "./input-files.ts";
import { type Given, isList, type ParsedFlags } from "./input-flags.ts";
import type { Io } from "./terminal.ts";
import { flagName, isNone, typeHelp, withoutNone } from "./type-text.ts";

type Place = { readonly blobs: BlobStore; readonly cwd: string };

export async function inputLiterals(
  spec: TaskSpec,
  flags: ParsedFlags,
  json: { readonly [input: string]: unknown },
  place: Place,
): Promise<{ readonly literals: Literals; readonly problems: readonly string[] }> {
  const problems = [...flags.problems];
  const literals: Record<string, Literal> = {};
  const known = spec.interface.inputs.map(({ name }) => name);
  for (const name of Object.keys(json)) {
    if (!known.includes(name))
      problems.push(`--inputs: the task has no input ${JSON.stringify(name)}.${didYouMean(name, known)}`);
  }
  for (const input of spec.interface.inputs) {
    const given = flags.given.get(input.name);
    try {
      if (given !== undefined) literals[input.name] = await fromFlag(input, given, place);
      else if (Object.hasOwn(json, input.name))
        literals[input.name] = await fromJson(input.type, json[input.name], `--inputs ${input.name}`, place);
      else if (input.required) problems.push(missing(input));
    } catch (error) {
      if (!isGodwitError(error) || error.code === "resource_exhausted") throw error;
      problems.push(messageOf(error));
    }
  }
  return { literals, problems };
}

const missing = (input: Variable): string =>
  `--${flagName(input.name)} is missing: expected ${typeHelp(input.type)}${input.description === null ? "" : ` (${input.description})`}`;

async function fromFlag(input: Variable, given: Given, place: Place): Promise<Literal> {
  const where = `--${flagName(input.name)}`;
  if (given.type === "switch") return fromJson(input.type, given.isOn, where, place);
  const { texts } = given;
  const [only = ""] = texts;
  const type = withoutNone(input.type) ?? input.type;
  if (isList(input.type) && type.type === "collection") {
    const isJson = texts.length === 1 && /^\s*(\[|null\s*$)/.test(only);
    if (isJson) return fromJson(input.type, jsonFromText(only, typeText(input.type), where), where, place);
    const elements = await Promise.all(texts.map((text) => fromText(type.element, text, where, place)));
    return inUnion(input.type, { type: "collection", elements });
  }
  return fromText(input.type, only, where, place);
}

/** One text. A path where a file or table is expected; JSON where only JSON can say it. */
async function fromText(type: LiteralType, text: string, where: string, place: Place): Promise<Literal> {
  if (!holdsPaths(type)) return literalFromText(type, text, where);
  const some = withoutNone(type);
  if (type.type === "union" && text === "null" && some !== null) return fromJson(type, null, where, place);
  if (some?.type === "blob" || some?.type === "structuredDataset")
    return inUnion(type, await fromPath(some, text, where, place));
  return fromJson(type, jsonFromText(text, typeText(type), where), where, place);
}

/** Plain JSON, in which files, directories and tables are paths. */
async function fromJson(type: LiteralType, json: unknown, where: string, place: Place): Promise<Literal> {
  if (!holdsPaths(type)) return literalFromJson(type, json, where);
  switch (type.type) {
    case "blob":
    case "structuredDataset":
      if (typeof json !== "string") throw mismatch(where, `the path of a ${typeHelp(type)}`, json);
      return fromPath(type, json, where, place);
    case "collection": {
      if (!Array.isArray(json)) throw mismatch(where, typeText(type), json);
      const elements = await Promise.all(
        json.map((element, index) => fromJson(type.element, element, inside(where, index), place)),
      );
      return { type: "collection", elements };
    }
    case "map": {
      if (typeof json !== "object" || json === null || Array.isArray(json)) throw mismatch(where, typeText(type), json);
      const entries = await Promise.all(
        Object.entries(json).map(
          async ([key, value]) => [key, await fromJson(type.value, value, inside(where, key), place)] as const,
        ),
      );
      return { type: "map", entries: Object.fromEntries(entries) };
    }
    case "union": {
      const some = withoutNone(type);
      if (some === null) return literalFromJson(type, json, where);
      return json === null
        ? literalFromJson(type, json, where)
        : inUnion(type, await fromJson(some, json, where, place));
    }
    default:
      return literalFromJson(type, json, where);
  }
}

/** An optional value that is there says which member of its union it is. */
function inUnion(type: LiteralType, literal: Literal): Literal {
  if (type.type !== "union") return literal;
  const variant = type.variants.find(({ type: member }) => !isNone(member));
  return variant === undefined ? literal : { type: "union", tag: variant.tag, value: literal };
}

function holdsPaths(type: LiteralType): boolean {
  switch (type.type) {
    case "blob":
    case "structuredDataset":
      return true;
    case "collection":
      return holdsPaths(type.element);
    case "map":
      return holdsPaths(type.value);
    case "union":
      return type.variants.some((variant) => holdsPaths(variant.type));
    default:
      return false;
  }
}

type PathType = Extract<LiteralType, { type: "blob" | "structuredDataset" }>;

async function fromPath(type: PathType, text: string, where: string, { blobs, cwd }: Place): Promise<Literal> {
  const path = resolve(cwd, text);
  if (type.type === "structuredDataset") {
    const { tableLiteral } = await import("./input-tables.ts");
    return tableLiteral(type, path, where, blobs);
  }
  return type.dimensionality === "multipart"
    ? directoryLiteral(type, path, where, blobs)
    : fileLiteral(type, path, where, blobs);
}

/** What stands behind `--inputs`: JSON itself, `@file`, or `-` for standard input. */
export async function jsonInputs(option: string | undefined, io: Io): Promise<{ readonly [input: string]: unknown }> {
  if (option === undefined) return {};
  const text =
    option === "-"
      ? await allOf(io.stdin)
      : option.startsWith("@")
        ? await textOf(resolve(io.cwd, option.slice(1)))
        : option;
  const value = jsonFromText(text, "an object", "--inputs");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw mismatch("--inputs", "an object of inputs by name, as in '{\"depth\": 3}'", value);
  }
  return value as { readonly [input: string]: unknown };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what =
      code === "ENOENT"
        ? `there is no file ${path}`
        : code === "EISDIR"
          ? `${path} is a directory, not a file of JSON`
          : `the file ${path} cannot be read: ${messageOf(error)}`;
    throw new GodwitError("not_found", `--inputs: ${what}`, { cause: error });
  }
}

/** 64 MiB of JSON: larger values are files or tables. */
const maxStdinBytes = 64 * 1024 * 1024;

async function allOf(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    sizeBytes += bytes.length;
    if (sizeBytes > maxStdinBytes)
      throw new GodwitError("invalid_argument", "--inputs -: more than 64 MiB; give large values as files or tables.");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
