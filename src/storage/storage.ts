// The door: the files of Flyte's protocol on this disk, at plain absolute paths that clients are told.
//
//   uploads/<project>/<domain>/<root or MD5>/<file>       what clients upload
//   inputs/<project>/<domain>/<hash>/inputs.pb            inputs that a run is to be started with
//   runs/<project>/<domain>/<run>/<action>/inputs.pb      of each action; the run base is the run's directory
//   runs/<project>/<domain>/<run>/<action>/<attempt>/     outputs.pb, error.pb, report.html, _flytecheckpoints, raw/
//   exports/<digest>/<name>                               blobs as plain files, for tasks that read paths
//   tmp/                                                  what is being written
//
// R1  The database is the truth: what is here of inputs and outputs is written again from there when it is
//     missing. Uploads and the bytes that tasks have written are here alone.
// R2  A path from a client is below the root, links followed, or refused (containment.ts).
// R3  A file is whole or not there (files.ts).
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { translated } from "../blob/storage-error.ts";
import { GodwitError } from "../core/error.ts";
import type { Literals, TypedInterface } from "../core/value.ts";
import { contained } from "./containment.ts";
import { Exports } from "./exports.ts";
import { removeAbandoned, type StoredFile, type WriteOptions, writeFileWhole } from "./files.ts";
import { importedLiterals } from "./imports.ts";
import { keptLiterals } from "./keeping.ts";
import {
  type ActionPlace,
  type AttemptPaths,
  type AttemptPlace,
  actionDirOf,
  attemptPathsOf,
  inputsOfHash,
  relativeName,
  runBaseOf,
  type Scope,
  uploadsOf,
} from "./layout.ts";

export type { StoredFile } from "./files.ts";
export type { ActionPlace, AttemptPaths, AttemptPlace, Scope } from "./layout.ts";

export type StorageOptions = {
  /** Made if it does not exist. */
  readonly root: string;
  readonly blobs: BlobStore;
};

/** Where an upload goes. `filenameRoot` null: under its MD5, which has to be given then. */
export type Upload = {
  readonly filename: string;
  readonly filenameRoot: string | null;
  readonly md5: Uint8Array | null;
};

/** What goes along with an action's inputs. */
type Context = { readonly [key: string]: string };

export type Storage = {
  /** Absolute, without links in it. */
  readonly root: string;
  /** The path that the file will have: what the protocol calls its native URL. */
  uploadTarget(scope: Scope, upload: Upload): { readonly path: string };
  /**
   * Durable when it resolves; replaces a file that is there. Refused are a path outside (R2) or another
   * content than `md5` (`invalid_argument`), and more than `maxBytes` (`resource_exhausted`).
   */
  writeUpload(
    path: string,
    source: AsyncIterable<Uint8Array>,
    options: Pick<WriteOptions, "maxBytes" | "md5">,
  ): Promise<StoredFile>;
  /** R2. The path of a URI: plain, or with `file://`. */
  contained(uri: string): Promise<string>;
  /** R2. Rejects with `not_found`, and with `resource_exhausted` for a larger file. */
  read(uri: string, maxBytes: number): Promise<Uint8Array>;
  /** R2. For downloads. */
  openFile(uri: string): Promise<OpenedFile>;
  /** R2. Files and directories directly in it, by name; a directory's name ends with a slash. */
  list(uri: string): Promise<readonly string[]>;
  /** R2. Nothing if it is not there. */
  remove(uri: string): Promise<void>;
  /** Inputs for a run to come, durably. Answers with the directory in which `inputs.pb` lies. */
  saveInputs(scope: Scope, hash: string, bytes: Uint8Array): Promise<string>;
  /** R2. Of a directory with an `inputs.pb`, or of the file itself. */
  readInputs(uri: string): Promise<Uint8Array>;
  runBase(scope: Scope, run: string): string;
  /** The path of the action's `inputs.pb`. */
  actionInputs(place: ActionPlace): string;
  /** Exactly as a client sent them: they may say more than literals do. Replaces what is there. */
  writeActionInputs(place: ActionPlace, bytes: Uint8Array): Promise<string>;
  /** Where files lie that an action's inputs name and nobody else keeps. */
  actionFiles(place: ActionPlace): string;
  /** Writes them, unless they are there. Blobs become plain files. */
  ensureActionInputs(place: ActionPlace, literals: Literals, types: TypedInterface, context?: Context): Promise<string>;
  attempt(place: AttemptPlace): AttemptPaths;
  /** With its directories made. */
  makeAttempt(place: AttemptPlace): Promise<AttemptPaths>;
  /** Replaces what is there. */
  writeOutputs(place: AttemptPlace, literals: Literals, types: TypedInterface): Promise<void>;
  /** The attempt's directory, with `outputs.pb` in it: written from the literals unless it is there (R1). */
  ensureOutputs(place: AttemptPlace, literals: () => Promise<Literals>, types: TypedInterface): Promise<string>;
  /** As `ensureOutputs` for a trace, which has no attempts: the path of its `outputs.pb`, beside its inputs. */
  ensureTraceOutputs(place: ActionPlace, literals: () => Promise<Literals>): Promise<string>;
  /** What a trace has left of its failure; null: nothing. */
  readTraceError(place: ActionPlace): Promise<Uint8Array | null>;
  /** A blob as a plain file of that name. */
  exportFile(digest: string, name: string): Promise<string>;
  /** Null: there is none. */
  readOptional(path: string, maxBytes: number): Promise<Uint8Array | null>;
  /** The same values with files and tables that Godwit keeps at plain paths, for other languages. */
  exportLiterals(literals: Literals): Promise<Literals>;
  /**
   * The same values with files that lie elsewhere on this machine brought to the directory, which is below
   * the root; the very same object if there were none.
   */
  keepLiterals(literals: Literals, dir: string): Promise<Literals>;
  /** The same values with files and tables that lie at plain paths taken into the blob store. */
  importLiterals(literals: Literals): Promise<Literals>;
};

export type OpenedFile = {
  readonly path: string;
  readonly sizeBytes: number;
  /** From `start` up to and with `end`; default: all of it. */
  stream(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
};

/** Of `error.pb`: a message and a stack. */
const maxErrorBytes = 4 * 1024 * 1024;

/** Whoever reads the values of a trace knows their types. */
const untyped: TypedInterface = { inputs: [], outputs: [] };

/** Of `inputs.pb`: what Flyte's SDK itself takes (10 MB), with room. */
export const maxInputsBytes = 32 * 1024 * 1024;

export async function openStorage({ root: wanted, blobs }: StorageOptions): Promise<Storage> {
  await translated(wanted, () => mkdir(join(wanted, "tmp"), { recursive: true, mode: 0o700 }));
  const root = await realpath(wanted);
  const tmpDir = join(root, "tmp");
  await removeAbandoned(tmpDir);
  const exports = new Exports({ dir: join(root, "exports"), tmpDir, blobs });
  const write = (path: string, bytes: Uint8Array, isDurable: boolean): Promise<StoredFile> =>
    writeFileWhole(tmpDir, path, [bytes], { maxBytes: Number.POSITIVE_INFINITY, md5: null, isDurable });
  const ensure = async (path: string, bytes: () => Promise<Uint8Array>): Promise<void> => {
    if (!(await isThere(path))) await write(path, await bytes(), false);
  };
  const actionInputs = (place: ActionPlace): string => join(actionDirOf(root, place), "inputs.pb");
  return {
    root,
    uploadTarget: (scope, upload) => ({ path: uploadPath(root, scope, upload) }),
    writeUpload: async (path, source, options) =>
      writeFileWhole(tmpDir, await contained(root, path), source, { ...options, isDurable: true }),
    contained: (uri) => contained(root, uri),
    read: async (uri, maxBytes) => readBounded(await contained(root, uri), maxBytes),
    openFile: async (uri) => openedFile(await contained(root, uri)),
    list: async (uri) => listed(await contained(root, uri)),
    remove: async (uri) => {
      const path = await contained(root, uri);
      await translated(path, () => rm(path, { recursive: true, force: true }));
    },
    saveInputs: async (scope, hash, bytes) => {
      const dir = inputsOfHash(root, scope, hash);
      await write(join(dir, "inputs.pb"), bytes, true);
      return dir;
    },
    readInputs: async (uri) => readInputs(await contained(root, uri)),
    runBase: (scope, run) => runBaseOf(root, { ...scope, run }),
    actionInputs,
    writeActionInputs: async (place, bytes) => (await write(actionInputs(place), bytes, false)).path,
    actionFiles: (place) => join(actionDirOf(root, place), "files"),
    ensureActionInputs: async (place, literals, types, context = {}) => {
      const path = actionInputs(place);
      await ensure(path, async () => inputsBytes(await exports.literals(literals), types, context));
      return path;
    },
    attempt: (place) => attemptPathsOf(root, place),
    makeAttempt: async (place) => {
      const paths = attemptPathsOf(root, place);
      await translated(paths.raw, () => mkdir(paths.raw, { recursive: true }));
      return paths;
    },
    writeOutputs: async (place, literals, types) => {
      await write(attemptPathsOf(root, place).outputs, await outputsBytes(literals, types), false);
    },
    ensureOutputs: async (place, literals, types) => {
      const { dir, outputs } = attemptPathsOf(root, place);
      await ensure(outputs, async () => outputsBytes(await exports.literals(await literals()), types));
      return dir;
    },
    ensureTraceOutputs: async (place, literals) => {
      const path = join(actionDirOf(root, place), "outputs.pb");
      await ensure(path, async () => outputsBytes(await exports.literals(await literals()), untyped));
      return path;
    },
    readTraceError: (place) => readOptional(join(actionDirOf(root, place), "error.pb"), maxErrorBytes),
    exportFile: (digest, name) => exports.file(digest, name),
    readOptional: (path, maxBytes) => readOptional(path, maxBytes),
    exportLiterals: (literals) => exports.literals(literals),
    keepLiterals: (literals, dir) => keptLiterals(literals, { root, dir }),
    importLiterals: (literals) => importedLiterals(literals, { blobs, root }),
  };
}

/** Of the file itself, or of the directory it lies in. */
async function readInputs(path: string): Promise<Uint8Array> {
  const found = await translated(path, () => stat(path));
  return readBounded(found.isDirectory() ? join(path, "inputs.pb") : path, maxInputsBytes);
}

/** Messages are loaded with the first of them: a server starts without. */
async function inputsBytes(literals: Literals, types: TypedInterface, context: Context): Promise<Uint8Array> {
  return (await import("../idl/task-files.ts")).inputsBytes(literals, types, context);
}

async function outputsBytes(literals: Literals, types: TypedInterface): Promise<Uint8Array> {
  return (await import("../idl/task-files.ts")).outputsBytes(literals, types);
}

function uploadPath(root: string, scope: Scope, { filename, filenameRoot, md5 }: Upload): string {
  const dir = uploadsOf(root, scope);
  const name = relativeName(filename, "file name");
  if (filenameRoot !== null && filenameRoot !== "")
    return join(dir, relativeName(filenameRoot, "root of the file name"), name);
  if (md5 === null || md5.byteLength !== 16)
    throw new GodwitError(
      "invalid_argument",
      "An upload has to say either the MD5 of its content (content_md5, 16 bytes) or a filename_root.",
    );
  return join(dir, base32(md5), name);
}

const base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += base32Digits[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + base32Digits[(value << (5 - bits)) & 31];
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await translated(path, () => open(path));
  try {
    const { size } = await file.stat();
    if (size > maxBytes)
      throw new GodwitError("resource_exhausted", `${path} has ${size} bytes; at most ${maxBytes} are read.`);
    return await translated(path, () => file.readFile());
  } finally {
    await file.close();
  }
}

async function readOptional(path: string, maxBytes: number): Promise<Uint8Array | null> {
  return (await isThere(path)) ? readBounded(path, maxBytes) : null;
}

async function openedFile(path: string): Promise<OpenedFile> {
  const found = await translated(path, () => stat(path));
  if (!found.isFile()) throw new GodwitError("invalid_argument", `${path} is no file, so it cannot be downloaded.`);
  return { path, sizeBytes: found.size, stream: (range) => createReadStream(path, range) };
}

async function listed(dir: string): Promise<readonly string[]> {
  const entries = await translated(dir, () => readdir(dir, { withFileTypes: true }));
  return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
}

async function isThere(path: string): Promise<boolean> {
  return translated(path, () =>
    stat(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
        throw error;
      },
    ),
  );
}
