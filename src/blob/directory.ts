// Directories as blobs: a manifest of the files below, in a blob of its own, and each file in its own.
//
// R1  The same files give the same manifest, so the same digest: paths are sorted, and nothing but
//     path, content and the executable bit counts. Empty directories are not kept.
// R2  Links are never followed and cannot be kept: a directory with a symbolic link in it, wherever the
//     link leads, is refused, and so is everything else that is neither file nor directory.
// R3  Writing a manifest never touches anything outside of the target: paths that lead out are refused,
//     and links that lie in the way are replaced, not followed.
import { constants, type Dirent } from "node:fs";
import { chmod, copyFile, lstat, mkdir, readdir, readlink, rm } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import type { BlobStore, DirectoryManifest } from "./blob.ts";
import { Gate } from "./gate.ts";
import { translated } from "./storage-error.ts";

export type StoredDirectory = {
  /** Of the manifest. */
  readonly digest: string;
  readonly manifest: DirectoryManifest;
  /** Of all files together. */
  readonly sizeBytes: number;
};

type ManifestFile = DirectoryManifest["files"][number];

/** The manifest of so many files is about 150 MB, and still fits in `maxReadBytes`. */
const maxFiles = 1_000_000;
const filesAtOnce = 16;

/** Stores a directory with all files below it. Throws `invalid_argument` for what cannot be kept (R2). */
export async function putDirectory(blobs: BlobStore, path: string): Promise<StoredDirectory> {
  const root = resolve(path);
  const found = await translated(root, () => lstat(root));
  if (!found.isDirectory()) {
    const what = found.isSymbolicLink() ? "a symbolic link" : "no directory";
    throw new GodwitError("invalid_argument", `${root} is ${what}; a directory was expected.`);
  }
  const paths = (await filesBelow(root)).sort();
  const files = await atOnce(paths, (filePath) => storeFile(blobs, root, filePath));
  const manifest: DirectoryManifest = { files };
  const { digest } = await blobs.put(new TextEncoder().encode(canonicalJson(manifest)));
  return { digest, manifest, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
}

/** The files of a stored directory. Throws `data_loss` if the blob is no manifest, or one that leads out (R3). */
export async function readManifest(blobs: BlobStore, digest: string): Promise<DirectoryManifest> {
  const text = new TextDecoder().decode(await blobs.read(digest));
  const files = parsedFiles(text);
  if (files === null) throw new GodwitError("data_loss", `The blob ${digest} is not the manifest of a directory.`);
  const bad = files.find(({ path }) => !isInside(path));
  if (bad !== undefined) {
    throw new GodwitError(
      "data_loss",
      `The directory ${digest} has a file that would lie outside of it: ${JSON.stringify(bad.path)}.`,
    );
  }
  return { files };
}

/** Writes the files into a directory, which is made if need be. Files of the same paths are replaced, others stay. */
export async function writeDirectory(blobs: BlobStore, digest: string, intoPath: string): Promise<void> {
  const root = resolve(intoPath);
  const { files } = await readManifest(blobs, digest);
  await translated(root, () => mkdir(root, { recursive: true }));
  for (const folder of foldersOf(files)) await makeFolder(join(root, folder));
  await atOnce(files, async (file) => {
    const target = join(root, file.path);
    const source = await blobs.path(file.digest);
    await translated(target, async () => {
      await rm(target, { force: true });
      await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(target, file.executable ? 0o755 : 0o644);
    });
  });
}

async function filesBelow(root: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const inside = folder;
    for (const entry of await translated(inside, () => readdir(inside, { withFileTypes: true }))) {
      const path = join(inside, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) found.push(relative(root, path));
      else throw await notKept(root, path, entry);
      if (found.length > maxFiles) {
        throw new GodwitError(
          "resource_exhausted",
          `${root} has more than ${maxFiles} files. Pack them into an archive and pass that as a file.`,
        );
      }
    }
  }
  return found;
}

async function notKept(root: string, path: string, entry: Dirent): Promise<GodwitError> {
  if (!entry.isSymbolicLink()) {
    return new GodwitError(
      "invalid_argument",
      `${path} is neither a file nor a directory, so ${root} cannot be stored. Remove it first.`,
    );
  }
  const target = await translated(path, () => readlink(path));
  const leads = isInside(relative(root, resolve(dirname(path), target))) ? "" : ", which is outside of the directory";
  return new GodwitError(
    "invalid_argument",
    `${path} is a symbolic link to ${target}${leads}. Links are not stored: put the file itself in its place, for example by copying the directory with cp -RL.`,
  );
}

async function storeFile(blobs: BlobStore, root: string, path: string): Promise<ManifestFile> {
  if (path.includes("\uFFFD")) {
    throw new GodwitError(
      "invalid_argument",
      `A file name in ${root} is not UTF-8: ${JSON.stringify(path)}. Rename it.`,
    );
  }
  const absolute = join(root, path);
  const { mode } = await translated(absolute, () => lstat(absolute));
  const { digest, sizeBytes } = await blobs.putFile(absolute);
  return { path, digest, sizeBytes, executable: (mode & 0o100) !== 0 };
}

function parsedFiles(text: string): readonly ManifestFile[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null; // The caller says so.
  }
  const files = (parsed as { readonly files?: unknown } | null)?.files;
  return Array.isArray(files) && files.every(isManifestFile) ? files : null;
}

const isManifestFile = (file: Partial<ManifestFile> | null): file is ManifestFile =>
  typeof file?.path === "string" &&
  typeof file.digest === "string" &&
  typeof file.sizeBytes === "number" &&
  typeof file.executable === "boolean";

/** Whether a relative path names something below the directory it starts from. */
export const isInside = (path: string): boolean =>
  !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");

/** Parents before children. */
function foldersOf(files: readonly ManifestFile[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    for (let folder = dirname(path); folder !== "." && !folders.has(folder); folder = dirname(folder))
      folders.add(folder);
  }
  return [...folders].sort();
}

async function makeFolder(path: string): Promise<void> {
  await translated(path, async () => {
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (found?.isDirectory()) return;
    if (found !== null) await rm(path);
    await mkdir(path);
  });
}

/** A bounded number at once; rejects with the first error when none runs any more. */
async function atOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const gate = new Gate(filesAtOnce);
  const results = await Promise.allSettled(items.map((item) => gate.through(() => work(item))));
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
