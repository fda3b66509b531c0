// The files of a code bundle on this machine's disk, where Node loads them from: put there once, and
// kept under the bundle's digest.
//
// R1  What is loaded is what the digest names: texts on disk are compared before they are used; files that
//     a portable bundle took along are there whole or not at all, and are looked at for their size.
// R2  A bundle that stands on a project lies in a place of that project's own; a portable one is its own
//     project: its code lies in `.bundle`, from where Node finds the packages beside it.
import { mkdir, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BlobStore, DirectoryManifest } from "../blob/blob.ts";
import { readManifest } from "../blob/directory.ts";
import type { ModuleGraph, StoredModuleGraph } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { sha256Hex } from "../core/hash.ts";
import { scratchPrefix } from "../core/scratch-name.ts";
import { portableProject } from "../sdk/portable-bundle.ts";

export type BundlePlace = {
  readonly blobs: BlobStore;
  readonly bundlesDir: string;
  readonly tmpDir: string;
};

export type Materialised = { readonly main: string; readonly graph: ModuleGraph };

type Texts = { readonly [path: string]: string };

/** Of a bundle that stands on a project. */
export async function materialise(bundle: string, projectDir: string, place: BundlePlace): Promise<Materialised> {
  const { texts, modules } = textsOf(await bundleTexts(bundle, place.blobs), projectDir);
  const directory = join(place.bundlesDir, bundle, sha256Hex(projectDir).slice(0, 16));
  const isThere = (): Promise<boolean> => hasTexts(directory, texts);
  if (!(await isThere())) await write({ directory, tmpDir: place.tmpDir, isThere }, (into) => writeTexts(into, texts));
  // `import()` tells modules apart by their URL, which must be that of the real file.
  return { main: join(await realpath(directory), "main.mjs"), graph: graphOf(modules, projectDir) };
}

/** Of a portable bundle (R2). */
export async function unpackBundle(bundle: string, place: BundlePlace): Promise<Materialised> {
  await mkdir(place.bundlesDir, { recursive: true });
  const directory = join(await realpath(place.bundlesDir), bundle, "portable");
  const stored = await bundleTexts(bundle, place.blobs);
  const { texts, modules } = textsOf(stored, directory);
  checkPlatform(modules);
  const { files } = await readManifest(place.blobs, bundle);
  const taken = files.filter(({ path }) => path.startsWith(`${portableProject}/`));
  const code = join(directory, ".bundle");
  const isThere = async (): Promise<boolean> => (await hasTexts(code, texts)) && (await hasFiles(directory, taken));
  if (!(await isThere())) {
    await write({ directory, tmpDir: place.tmpDir, isThere }, async (into) => {
      await mkdir(join(into, ".bundle"));
      await writeTexts(join(into, ".bundle"), texts);
      for (const { path, digest } of taken) {
        const target = join(into, ownPath(path));
        await mkdir(dirname(target), { recursive: true });
        await writeFile(target, await place.blobs.read(digest));
      }
    });
  }
  return { main: join(code, "main.mjs"), graph: graphOf(modules, directory) };
}

function checkPlatform({ portable }: StoredModuleGraph): void {
  if (portable === undefined) {
    throw new GodwitError(
      "failed_precondition",
      "This code was bundled to run beside its project, which is not here. Deploy it, or run it with --remote.",
    );
  }
  const here = `${process.platform}-${process.arch}`;
  if (portable.platform === null || portable.platform === here) return;
  throw new GodwitError(
    "failed_precondition",
    `This code was bundled with native addons for ${portable.platform}, and this machine is ${here}. Deploy it from a machine like this one.`,
  );
}

const ownPath = (path: string): string => path.slice(portableProject.length + 1);

const graphOf = (stored: StoredModuleGraph, projectDir: string): ModuleGraph => {
  const [node = ""] = process.versions.node.split(".");
  return { ...stored, projectDir, node };
};

/** All but what was taken along. */
async function bundleTexts(bundle: string, blobs: BlobStore): Promise<ReadonlyMap<string, string>> {
  const { files } = await readManifest(blobs, bundle);
  const own = files.filter(({ path }) => !path.startsWith(`${portableProject}/`));
  return new Map(
    await Promise.all(
      own.map(async ({ path, digest }) => [path, new TextDecoder().decode(await blobs.read(digest))] as const),
    ),
  );
}

function textsOf(
  stored: ReadonlyMap<string, string>,
  projectDir: string,
): { readonly texts: Texts; readonly modules: StoredModuleGraph } {
  const textOf = (path: string): string => {
    const text = stored.get(path);
    if (text === undefined) throw new GodwitError("data_loss", `The code bundle has no ${path}.`);
    return text;
  };
  // Node makes paths of stack traces from the map: its sources are relative to the project.
  const map = { ...(JSON.parse(textOf("main.mjs.map")) as object), sourceRoot: `${pathToFileURL(projectDir).href}/` };
  return {
    texts: { "main.mjs": textOf("main.mjs"), "main.mjs.map": JSON.stringify(map) },
    modules: JSON.parse(textOf("modules.json")) as StoredModuleGraph,
  };
}

/** R1. */
async function hasTexts(directory: string, texts: Texts): Promise<boolean> {
  for (const [path, text] of Object.entries(texts)) {
    const found = await readFile(join(directory, path), "utf8").catch(() => null);
    if (found !== text) return false;
  }
  return true;
}

/** R1. */
async function hasFiles(directory: string, files: DirectoryManifest["files"]): Promise<boolean> {
  for (const { path, sizeBytes } of files) {
    const found = await stat(join(directory, ownPath(path))).catch(() => null);
    if (found?.size !== sizeBytes) return false;
  }
  return true;
}

async function writeTexts(into: string, texts: Texts): Promise<void> {
  for (const [path, text] of Object.entries(texts)) await writeFile(join(into, path), text);
}

type Target = { readonly directory: string; readonly tmpDir: string; readonly isThere: () => Promise<boolean> };

/** Whole or not at all, whoever else does the same now. What is killed here is left in `tmpDir`, under this process's name. */
async function write(target: Target, fill: (into: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(target.directory), { recursive: true });
  await mkdir(target.tmpDir, { recursive: true });
  const scratch = join(target.tmpDir, scratchPrefix("bundle", hostname(), process.pid));
  const temporary = await mkdtemp(scratch);
  try {
    await fill(temporary);
    await move(temporary, target, scratch);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function move(temporary: string, { directory, isThere }: Target, scratch: string): Promise<void> {
  try {
    await rename(temporary, directory);
  } catch (error) {
    // Another process was faster; or a damaged one lies there, and makes room.
    if (await isThere()) return;
    const aside = await mkdtemp(scratch);
    await rename(directory, join(aside, "damaged")).catch(() => Promise.reject(error));
    await rename(temporary, directory);
    await rm(aside, { recursive: true, force: true });
  }
}
