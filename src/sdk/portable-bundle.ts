// A bundle that needs neither the project nor its packages where it runs.
//
// R1  What the code imports of packages is bundled, or taken along (portable-packages.ts), which is known
//     only while bundling: it is done again until nothing new is to be taken along.
// R2  Files that the code reads by a place it writes down (source-references.ts) are taken along, at
//     that place. What it finds in other ways is not there.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { StoredModuleGraph } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import { type BuiltTexts, buildBundle } from "./bundle-build.ts";
import type { BundlerProblem } from "./bundle-error.ts";
import { BundleReader } from "./bundle-reader.ts";
import { PortablePackages } from "./portable-packages.ts";

export type BundledFile = { readonly path: string; readonly bytes: Uint8Array };

/** Each pass finds at least one package; real projects need two or three. */
const maxPasses = 50;
const maxReadBytes = 256 * 1024 * 1024;

/** Below this lies what stands for the project directory. */
export const portableProject = "project";

export async function portableFiles(entry: string, projectDir: string): Promise<readonly BundledFile[]> {
  const packages = new PortablePackages(projectDir);
  for (let pass = 0; pass < maxPasses; pass++) {
    const reader = new BundleReader(projectDir, packages);
    const before = packages.size;
    const texts = await tryBuild(entry, projectDir, reader, packages);
    if (texts !== null) reader.takeReadPackages();
    if (texts === null || packages.size !== before) continue;
    return [...coreFiles(texts, packages), ...inProject([...packages.files(), ...readFiles(reader, projectDir)])];
  }
  throw new GodwitError("internal", "The packages of the code could not be told apart. This is a bug in Godwit.");
}

/** Null: the trouble was with packages, which are now taken along. */
async function tryBuild(
  entry: string,
  projectDir: string,
  reader: BundleReader,
  packages: PortablePackages,
): Promise<BuiltTexts | null> {
  let isDealtWith = false;
  const onProblems = (problems: readonly BundlerProblem[]): boolean => {
    for (const { id } of problems)
      if (id !== undefined && packages.takeAlong(id, "cannot be bundled")) isDealtWith = true;
    return isDealtWith;
  };
  try {
    // As Node: `module` is a field that only bundlers know.
    return await buildBundle(entry, projectDir, reader, { mainFields: ["main"], onProblems });
  } catch (error) {
    if (isDealtWith) return null;
    throw error;
  }
}

function coreFiles(texts: BuiltTexts, packages: PortablePackages): readonly BundledFile[] {
  const graph = JSON.parse(texts["modules.json"]) as StoredModuleGraph;
  const portable: StoredModuleGraph = { ...graph, portable: { platform: packages.platform() } };
  return Object.entries({ ...texts, "modules.json": canonicalJson(portable) }).map(([path, text]) => ({
    path,
    bytes: Buffer.from(text),
  }));
}

const inProject = (files: readonly BundledFile[]): readonly BundledFile[] => {
  const unique = new Map(files.map(({ path, bytes }) => [`${portableProject}/${path}`, bytes]));
  return [...unique].map(([path, bytes]) => ({ path, bytes }));
};

/** R2. What is not there now may be made while the code runs. */
function readFiles(reader: BundleReader, projectDir: string): readonly BundledFile[] {
  const found: BundledFile[] = [];
  let sizeBytes = 0;
  for (const place of reader.readFiles()) {
    const path = relative(projectDir, place).split(sep).join("/");
    // The directory as a whole means "somewhere in here".
    if (path === "" || path.startsWith("..") || !existsSync(place)) continue;
    for (const file of filesAt(place)) {
      const bytes = readFileSync(file);
      sizeBytes += bytes.length;
      if (sizeBytes > maxReadBytes) throw tooMuch(path);
      found.push({ path: relative(projectDir, file).split(sep).join("/"), bytes });
    }
  }
  return found;
}

const tooMuch = (path: string): GodwitError =>
  new GodwitError(
    "resource_exhausted",
    `The files that the code reads beside itself are more than ${maxReadBytes / 1024 / 1024} MiB (with ${path}). Make them an input of the task: inputs are stored once, and not with the code.`,
  );

function filesAt(place: string): readonly string[] {
  if (!statSync(place).isDirectory()) return [place];
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !join(entry.parentPath, "/").includes(`${sep}node_modules${sep}`))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
