// `godwit get output`: what an action gave, printed or written to a path.
import { cp, mkdir, stat } from "node:fs/promises";
import { dirname, extname, join, resolve, sep } from "node:path";
import { writeDirectory } from "../../blob/directory.ts";
import type { Action } from "../../core/action.ts";
import { GodwitError } from "../../core/error.ts";
import { didYouMean } from "../../core/names.ts";
import { type Literal, type Literals, soleOutput } from "../../core/value.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import type { Session } from "../session.ts";
import { type Io, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { literalsJson, nameOf, valueLines } from "../value-text.ts";
import { writeTo } from "../written-file.ts";

export type OutputOptions = CommonOptions & { readonly to?: string };

export async function getOutput(
  run: string,
  words: readonly string[],
  options: OutputOptions,
  io: Io,
): Promise<number> {
  return withExisting(options, io, async (session) => {
    const { action, name } = await meant(session, run, words);
    const literals = await outputs(session, action, run);
    const chosen = name === null ? literals : { [name]: named(literals, name, action) };
    if (options.to === undefined) {
      const values = await literalsJson(chosen, session.godwit.blobs);
      if (options.json === true) await writeJson(io, name === null ? values : values[name]);
      else
        await write(
          io.stdout,
          `${valueLines(name === null ? values : { [soleOutput]: values[name] }, paintFor(io.stdout, io.env)).join("\n")}\n`,
        );
      return 0;
    }
    const written = await extract(session, chosen, options.to, io);
    if (options.json === true) await writeJson(io, { written });
    else for (const path of written) await writeLine(io.stdout, path);
    return 0;
  });
}

/** `RUN NAME` is an output of the run itself if it has one of that name; else the word is an action. */
async function meant(
  session: Session,
  run: string,
  [first, second]: readonly string[],
): Promise<{ action: Action; name: string | null }> {
  const { control } = session.godwit;
  const find = async (wanted: string): Promise<Action> => (await control.getAction(session.scope, run, wanted)).action;
  if (first === undefined) return { action: await find("a0"), name: null };
  if (second !== undefined) return { action: await find(first), name: second };
  const root = await find("a0");
  const hasIt = root.outputs !== null && Object.hasOwn(await control.literals(root.outputs), first);
  return hasIt ? { action: root, name: first } : { action: await find(first), name: null };
}

async function outputs(session: Session, action: Action, run: string): Promise<Literals> {
  if (action.outputs !== null) return session.godwit.control.literals(action.outputs);
  throw new GodwitError(
    "failed_precondition",
    `${action.label} of ${run} is ${action.phase} and has no outputs. See godwit get action ${run} ${action.name}`,
  );
}

function named(literals: Literals, name: string, action: Action): Literal {
  const literal = literals[name];
  if (literal !== undefined) return literal;
  const names = Object.keys(literals);
  throw new GodwitError(
    "not_found",
    `${action.label} has no output "${name}".${didYouMean(name, names)} It has: ${names.join(", ") || "none"}.`,
  );
}

/** One value goes to the path itself, several into it as a directory. */
async function extract(session: Session, literals: Literals, given: string, io: Io): Promise<readonly string[]> {
  const to = resolve(io.cwd, given);
  const entries = Object.entries(literals);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined)
    return [await writeValue(session, only[1], await inside(to, given.endsWith(sep), only))];
  const written: string[] = [];
  for (const entry of entries) written.push(await writeValue(session, entry[1], join(to, fileName(entry))));
  return written;
}

/** A file goes into a directory, under its own name; a directory is the path itself. */
async function inside(to: string, isMeant: boolean, entry: readonly [string, Literal]): Promise<string> {
  if (isFolder(entry[1]) && !isMeant) return to;
  const isDirectory = (await stat(to).catch(() => null))?.isDirectory() === true;
  return isDirectory || isMeant ? join(to, fileName(entry)) : to;
}

function isFolder(literal: Literal): boolean {
  const plain = literal.type === "union" ? literal.value : literal;
  return plain.type === "blob" && plain.dimensionality === "multipart";
}

function fileName([name, literal]: readonly [string, Literal]): string {
  const plain = literal.type === "union" ? literal.value : literal;
  if (plain.type === "blob") return safe(nameOf(plain.uri, name));
  return safe(plain.type === "structuredDataset" ? `${name}.parquet` : `${name}.json`);
}

/** Names come from tasks: none of them may lead out of the directory. */
const safe = (name: string): string => name.replaceAll(/[/\\]/g, "_").replace(/^\.+$/, "_");

async function writeValue(session: Session, literal: Literal, path: string): Promise<string> {
  const { blobs } = session.godwit;
  if (literal.type === "union") return writeValue(session, literal.value, path);
  if (literal.type === "blob" && literal.dimensionality === "multipart")
    await writeDirectory(blobs, literal.hash, path);
  else if (literal.type === "blob") await writeTo(path, { type: "file", path: await blobs.path(literal.hash) });
  else if (literal.type === "structuredDataset") await writeTable(session, literal.hash, path);
  else if (literal.type === "externalBlob" || literal.type === "externalTable") await copyFrom(literal.uri, path);
  else {
    const { literalToText } = await import("../../idl/idl.ts");
    await writeTo(path, { type: "text", text: `${literalToText(literal)}\n` });
  }
  return path;
}

/** What another SDK wrote, or a server keeps: at hand only where it is a path of this machine. */
async function copyFrom(uri: string, path: string): Promise<void> {
  const source = uri.replace(/^file:\/\//, "");
  if ((await stat(source).catch(() => null)) === null)
    throw new GodwitError(
      "failed_precondition",
      `This output lies at ${uri}, which is not on this machine: copy it from there.`,
    );
  await mkdir(dirname(path), { recursive: true });
  await cp(source, path, { recursive: true });
}

/** As Parquet, or as CSV or JSON if the path says so. */
async function writeTable({ godwit }: Session, digest: string, path: string): Promise<void> {
  const source = await godwit.blobs.path(digest);
  const extension = extname(path).toLowerCase();
  if (extension === ".csv" || extension === ".json") {
    const { convertTable } = await import("../input-tables.ts");
    await writeTo(path, { type: "text", text: await convertTable(source, extension) });
  } else await writeTo(path, { type: "file", path: source });
}
