// The user's code as one file: what a run is pinned to, and what its workers load.
//
// R1  Same sources, same bytes, wherever the project lies: paths are relative to it, and what depends
//     on the place is asked when the code runs (loaded-bundles.ts).
// R2  Only the user's own modules are in it. Packages stay imports, by the names the user wrote.
// R3  The code behaves as Node would run its modules one by one: nothing is dropped, shortened or renamed
//     to the eye of the code.
import { realpath, stat } from "node:fs/promises";
import { extname, relative, sep } from "node:path";
import type { BlobStore, DirectoryManifest } from "../blob/blob.ts";
import { assert, GodwitError } from "../core/error.ts";
import { canonicalJson, sha256Hex } from "../core/hash.ts";
import { type BundlerProblem, bundlerError, missingFile, sourceExtensions } from "./bundle-error.ts";
import { type BundleTexts, readMemo, writeMemo } from "./bundle-memo.ts";
import { BundleReader } from "./bundle-reader.ts";
import { bundlePrologue } from "./loaded-bundles.ts";

export type CodeBundle = {
  /** Of the directory that `files` are, as the blob store names it. */
  readonly digest: string;
  /** `main.mjs`, its source map, and `modules.json`, which holds a `StoredModuleGraph`. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** The user's file, relative to the project directory. */
  readonly entry: string;
};

export type BundleOptions = {
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
  const place = options.memoDir === undefined ? null : { memoDir: options.memoDir, projectDir: directory, entry };
  const remembered = place === null ? null : await readMemo(place);
  if (remembered !== null) return codeBundle(entry, directory, remembered);
  const reader = new BundleReader(directory);
  const files = await build(entry, directory, reader);
  if (place !== null) await writeMemo(place, files, reader.inputs());
  return codeBundle(entry, directory, files);
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

function codeBundle(entry: string, projectDir: string, texts: BundleTexts): CodeBundle {
  const files = Object.entries(texts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, text]) => ({ path, bytes: Buffer.from(text) }));
  return { digest: sha256Hex(canonicalJson(directoryOf(files))), files, entry: projectPath(projectDir, entry) };
}

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

async function build(entry: string, projectDir: string, reader: BundleReader): Promise<BundleTexts> {
  const { rolldown } = await import("rolldown");
  try {
    const bundler = await rolldown({
      input: entry,
      cwd: projectDir,
      platform: "node",
      logLevel: "silent",
      // R3. Tree-shaking believes `sideEffects` of package.json, and drops what Node would run.
      treeshake: false,
      optimization: { inlineConst: false },
      experimental: { nativeMagicString: true },
      resolve: {
        // TypeScript lets people write the name of the compiled file.
        extensionAlias: {
          ".js": [".ts", ".tsx", ".js"],
          ".jsx": [".tsx", ".jsx"],
          ".mjs": [".mts", ".mjs"],
          ".cjs": [".cts", ".cjs"],
        },
      },
      plugins: [await reader.plugin()],
    });
    try {
      const { output } = await bundler.generate({
        dir: projectDir,
        format: "esm",
        codeSplitting: false,
        entryFileNames: "main.mjs",
        sourcemap: true,
        keepNames: true,
        minify: false,
        banner: bundlePrologue,
      });
      const [{ code, map }] = output;
      await reader.checkDecorators(code);
      return {
        "main.mjs": code,
        "main.mjs.map":
          map === null
            ? emptyMap
            : JSON.stringify({ ...JSON.parse(map.toString()), sources: map.sources.map(encodePath) }),
        "modules.json": canonicalJson(reader.modules()),
      };
    } finally {
      await bundler.close();
    }
  } catch (error) {
    throw reader.failure() ?? bundlerError(problemsOf(error), projectDir, (file) => reader.textOf(file), error);
  }
}

const problemsOf = (error: unknown): readonly BundlerProblem[] => {
  const problems = error instanceof Error && "errors" in error ? error.errors : null;
  return Array.isArray(problems)
    ? (problems as BundlerProblem[])
    : error instanceof Error
      ? [{ message: error.message }]
      : [];
};

/** Of a module that only passes on what packages export. */
const emptyMap = '{"version":3,"file":"main.mjs","names":[],"sources":[],"sourcesContent":[],"mappings":""}';

/** Sources in a map are URLs. */
const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
