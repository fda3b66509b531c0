// What a command has made: files at paths that it was told, read by the type that the task declares.
import type { Stats } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { putDirectory } from "../blob/directory.ts";
import { GodwitError } from "../core/error.ts";
import { blobUri, type Column, type Literal, type Literals, type LiteralType, type Variable } from "../core/value.ts";
import { literalFromText, typeText } from "../idl/idl.ts";
import { pathPart, type ShellWords } from "./shell-inputs.ts";

/** What a Parquet file says of itself. Throws if it is none. */
export type DescribeTable = (path: string) => Promise<{ readonly columns: readonly Column[]; readonly rows: number }>;

/** Of an output that is no file, directory or table: it becomes a value in memory. */
const maxTextBytes = 16 * 1024 * 1024;

/** Where the command is to write each output. Nothing is there yet. */
export const outputPaths = (variables: readonly Variable[], dir: string): ShellWords =>
  Object.fromEntries(variables.map(({ name, type }) => [name, join(dir, pathPart(name) + extension(type))]));

/** Throws `invalid_argument` for an output that is missing or not what was declared. */
export async function shellOutputs(
  variables: readonly Variable[],
  paths: ShellWords,
  blobs: BlobStore,
  describeTable: DescribeTable,
): Promise<Literals> {
  const literals: Record<string, Literal> = {};
  for (const { name, type } of variables) {
    literals[name] = await readOutput({ name, path: paths[name] as string, blobs, describeTable }, type);
  }
  return literals;
}

type Output = {
  readonly name: string;
  readonly path: string;
  readonly blobs: BlobStore;
  readonly describeTable: DescribeTable;
};

async function readOutput(output: Output, type: LiteralType): Promise<Literal> {
  const found = await statOrNull(output.path);
  if (type.type === "union") return readUnion(output, type, found);
  if (found === null) {
    if (type.type === "simple" && type.simple === "none") return { type: "none" };
    throw invalid(output, type, `nothing at the path that $${output.name} gives. The command has to write it there`);
  }
  switch (type.type) {
    case "blob":
      return type.dimensionality === "single"
        ? readFileOutput(output, type, found)
        : readDirectoryOutput(output, type, found);
    case "structuredDataset":
      return readTable(output, type, found);
    default:
      return readValue(output, type, found);
  }
}

/** Nothing written is none, where none is a member. With one other member, that one is read. */
async function readUnion(
  output: Output,
  type: Extract<LiteralType, { type: "union" }>,
  found: Stats | null,
): Promise<Literal> {
  const none = type.variants.find((variant) => variant.type.type === "simple" && variant.type.simple === "none");
  if (found === null && none !== undefined) return { type: "union", tag: none.tag, value: { type: "none" } };
  const [only, ...more] = type.variants.filter((variant) => variant !== none);
  if (only !== undefined && more.length === 0) {
    return { type: "union", tag: only.tag, value: await readOutput(output, only.type) };
  }
  if (found === null)
    throw invalid(output, type, `nothing at the path that $${output.name} gives. The command has to write it there`);
  return readValue(output, type, found);
}

async function readFileOutput(
  output: Output,
  type: Extract<LiteralType, { type: "blob" }>,
  found: Stats,
): Promise<Literal> {
  if (!found.isFile()) throw invalid(output, type, kindOf(found));
  const { digest, sizeBytes } = await output.blobs.putFile(output.path);
  const uri = blobUri(digest, pathPart(output.name) + extension(type));
  return { type: "blob", uri, format: type.format, dimensionality: "single", hash: digest, sizeBytes };
}

async function readDirectoryOutput(
  output: Output,
  type: Extract<LiteralType, { type: "blob" }>,
  found: Stats,
): Promise<Literal> {
  if (!found.isDirectory()) throw invalid(output, type, kindOf(found));
  const { digest, sizeBytes } = await putDirectory(output.blobs, output.path);
  const uri = blobUri(digest, pathPart(output.name));
  return { type: "blob", uri, format: type.format, dimensionality: "multipart", hash: digest, sizeBytes };
}

async function readTable(
  output: Output,
  type: Extract<LiteralType, { type: "structuredDataset" }>,
  found: Stats,
): Promise<Literal> {
  if (!found.isFile()) throw invalid(output, type, kindOf(found));
  if (!(await isParquet(output.path))) throw invalid(output, type, `a file of ${found.size} bytes that is not Parquet`);
  const { columns, rows } = await output.describeTable(output.path).catch((error: unknown) => {
    throw invalid(
      output,
      type,
      `a Parquet file that cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
  });
  for (const expected of type.columns) {
    const column = columns.find(({ name }) => name === expected.name);
    const names = columns.map(({ name }) => name).join(", ");
    if (column === undefined) throw invalid(output, type, `no column "${expected.name}" (it has: ${names})`);
    if (!fits(column.type, expected.type)) {
      throw invalid(
        output,
        type,
        `a column "${expected.name}" of type ${typeText(column.type)} instead of ${typeText(expected.type)}`,
      );
    }
  }
  const { digest, sizeBytes } = await output.blobs.putFile(output.path);
  const uri = blobUri(digest, pathPart(output.name) + extension(type));
  return { type: "structuredDataset", uri, columns, format: "parquet", hash: digest, sizeBytes, rows };
}

/** Parquet has a type or none in each column, never a choice: a column fits a union if it fits a member. */
function fits(actual: LiteralType, declared: LiteralType): boolean {
  if (declared.type === "union") return declared.variants.some(({ type }) => fits(actual, type));
  if (actual.type === "union") return actual.variants.some(({ type }) => !isNone(type) && fits(type, declared));
  if (declared.type === "enum") return actual.type === "simple" && actual.simple === "string";
  // Everything nested is one kind of column, whatever was declared of its inside.
  if (actual.type === "struct") return ["struct", "collection", "map"].includes(declared.type);
  if (actual.type !== "simple" || declared.type !== "simple") return actual.type === declared.type;
  return actual.simple === declared.simple || (declared.simple === "float" && actual.simple === "integer");
}

const isNone = (type: LiteralType): boolean => type.type === "simple" && type.simple === "none";

async function readValue(output: Output, type: LiteralType, found: Stats): Promise<Literal> {
  if (!found.isFile()) throw invalid(output, type, kindOf(found));
  if (found.size > maxTextBytes)
    throw invalid(output, type, `a file of ${found.size} bytes, more than the ${maxTextBytes} that a value may have`);
  const bytes = await readFile(output.path);
  if (type.type === "simple" && type.simple === "binary")
    return { type: "binary", tag: "", value: bytes.toString("base64") };
  const text = utf8(bytes);
  if (text === null) throw invalid(output, type, "a file that is not UTF-8 text");
  // Of text only the last line's end goes, as in $(…); around everything else space means nothing.
  return literalFromText(
    type,
    takesText(type) ? text.replace(/(\r?\n)+$/, "") : text.trim(),
    `output "${output.name}"`,
  );
}

const takesText = (type: LiteralType): boolean =>
  type.type === "union"
    ? type.variants.some((variant) => takesText(variant.type))
    : type.type === "simple" && type.simple === "string";

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null; // The caller says so.
  }
}

async function isParquet(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1") === "PAR1";
  } finally {
    await file.close();
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Files keep an ending that says what they are, for tools that go by it. */
function extension(type: LiteralType): string {
  if (type.type === "structuredDataset") return ".parquet";
  if (type.type === "blob" && type.dimensionality === "single" && /^[A-Za-z0-9]{1,10}$/.test(type.format))
    return `.${type.format}`;
  if (type.type !== "union") return "";
  const [only, ...more] = type.variants.filter((variant) => !isNone(variant.type));
  return only !== undefined && more.length === 0 ? extension(only.type) : "";
}

const kindOf = (found: Stats): string =>
  found.isDirectory() ? "a directory" : found.isFile() ? "a file" : "something that is neither file nor directory";

function invalid(output: Output, type: LiteralType, found: string): GodwitError {
  return new GodwitError("invalid_argument", `output "${output.name}": expected ${typeText(type)}, found ${found}.`);
}
