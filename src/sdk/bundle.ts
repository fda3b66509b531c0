// The user's code as one file: what a run is pinned to, and what its workers load.
//
// R1  Same sources, same bytes, wherever the project lies: paths are relative to it, and what depends
//     on the place is asked when the code runs (loaded-bundles.ts).
// R2  Only the user's own modules are in it. Packages stay imports, by the names the user wrote. (But R4.)
// R3  The code behaves as Node would run its modules one by one: nothing is dropped, shortened or renamed
//     to the eye of the code.
// R4  A portable bundle has besides what the code needs of packages (portable-packages.ts) and of the
//     project's files (portable-bundle.ts), so that it runs where the project is not. The code's
//     identity, and with it the cache key, is the same.
import { realpath, stat } from "node:fs/promises";
import { extname, relative, sep } from "node:path";
import type { BlobStore, DirectoryManifest } from "../blob/blob.ts";
import { assert, GodwitError } from "../core/error.ts";
import { canonicalJson, sha256Hex } from "../core/hash.ts";
import { buildBundle } from "./bundle-build.ts";
import { missingFile, sourceExtensions } from "./bundle-error.ts";
import { type BundleTexts, readMemo, writeMemo } from "./bundle-memo.ts";
import { BundleReader } from "./bundle-reader.ts";
import { type BundledFile, portableFiles } from "./portable-bundle.ts";

export type CodeBundle = {
  /** Of the directory that `files` are, as the blob store names it. */
  readonly digest: string;
  /**
   * `main.mjs`, its source map, and `modules.json`, which holds a `StoredModuleGraph`. Of a portable one
   * also, below `project/`, what it has in place of the project directory.
   */
  readonly files: readonly BundledFile[];
  /** The user's file, relative to the project directory. */
  readonly entry: string;
};

export type BundleOptions = {
  /** To run where neither the project nor its packages are (R4). Default: false. */
  readonly isPortable?: boolean;
  /** Where to remember bundles of unchanged sources. Default: nowhere. */
  readonly memoDir?: string;
};

/** Bundles the module and all of the user's modules that it imports. Rejects with what is wrong with them. */
export async function bundleFile(
  entryPath: string,
  projectDir: string,
  options: BundleOptions = {},
): Promise<CodeBundle> {
  const directory = await realpath(projectDir);
  const entry = await entryFile(entryPath, directory);
  if (options.isPortable === true) return codeBundle(entry, directory, await portableFiles(entry, directory));
  const place = options.memoDir === undefined ? null : { memoDir: options.memoDir, projectDir: directory, entry };
  const remembered = place === null ? null : await readMemo(place);
  if (remembered !== null) return codeBundle(entry, directory, bytesOf(remembered));
  const reader = new BundleReader(directory);
  const texts = await buildBundle(entry, directory, reader);
  if (place !== null) await writeMemo(place, texts, reader.inputs());
  return codeBundle(entry, directory, bytesOf(texts));
}

/** Resolves with the bundle's digest. */
export async function storeBundle(bundle: CodeBundle, blobs: BlobStore): Promise<string> {
  const manifest = directoryOf(bundle.files);
  // What is damaged is put again, which heals it.
  const present = await blobs.sound([bundle.digest, ...manifest.files.map(({ digest }) => digest)]);
  for (const [index, { bytes }] of bundle.files.entries()) {
    if (!present.has(manifest.files[index]?.digest ?? "")) await blobs.put(bytes);
  }
  if (present.has(bundle.digest)) return bundle.digest;
  // Last, so that a bundle that is present is whole.
  const stored = await blobs.put(Buffer.from(canonicalJson(manifest)));
  assert(stored.digest === bundle.digest, "a code bundle is stored under its digest");
  return stored.digest;
}

const bytesOf = (texts: BundleTexts): readonly BundledFile[] =>
  Object.entries(texts).map(([path, text]) => ({ path, bytes: Buffer.from(text) }));

function codeBundle(entry: string, projectDir: string, unsorted: readonly BundledFile[]): CodeBundle {
  const files = [...unsorted].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { digest: bundleDigest(files), files, entry: projectPath(projectDir, entry) };
}

/** Of files sorted by path. */
export const bundleDigest = (files: CodeBundle["files"]): string => sha256Hex(canonicalJson(directoryOf(files)));

const directoryOf = (files: CodeBundle["files"]): DirectoryManifest => ({
  files: files.map(({ path, bytes }) => ({
    path,
    digest: sha256Hex(bytes),
    sizeBytes: bytes.byteLength,
    executable: false,
  })),
});

/** R1: relative, with forward slashes. */
export const projectPath = (projectDir: string, file: string): string =>
  relative(projectDir, file).split(sep).join("/");

async function entryFile(entryPath: string, projectDir: string): Promise<string> {
  const found = await stat(entryPath).catch(() => null);
  if (found === null) throw missingFile(entryPath, projectDir);
  if (!found.isFile())
    throw new GodwitError("invalid_argument", `${entryPath} is not a file. Give the file that defines the tasks.`);
  const extension = extname(entryPath);
  if (extension === ".json" || !sourceExtensions.includes(extension)) {
    throw new GodwitError(
      "invalid_argument",
      `${entryPath} is not a TypeScript or JavaScript file (.ts, .tsx, .mts, .js, .mjs …).`,
    );
  }
  return realpath(entryPath);
}
