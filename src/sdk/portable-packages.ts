// What a portable bundle takes along of packages, so that it runs where nothing is installed.
//
// R1  A package is bundled if its modules mean the same in one file: they are ECMAScript modules that
//     neither ask where they lie nor load by computed names. Every other one is taken along as its
//     files, with all that it depends on, laid out so that Node finds of each the version it found here.
// R2  What is taken along is never bundled besides: there is one instance of a package, as in Node.
// R3  Native addons run on the platform they were installed for: the bundle then names it.
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { GodwitError } from "../core/error.ts";

export type TakenFile = { readonly path: string; readonly bytes: Uint8Array };

/** Of all files that are taken along. */
const maxTakenBytes = 256 * 1024 * 1024;
const maxTakenFiles = 40_000;

export class PortablePackages {
  readonly #projectDir: string;
  /** Directories of packages that code of the bundle imports, and why they are not bundled. */
  readonly #roots = new Map<string, string>();
  /** Where each lies in the bundle, and where here. */
  #placed: ReadonlyMap<string, string> = new Map();
  #real: ReadonlySet<string> = new Set();

  constructor(projectDir: string) {
    this.#projectDir = projectDir;
  }

  /** True if that is new: what was bundled with it is to be bundled again. */
  takeAlong(file: string, reason: string): boolean {
    const directory = packageDirectory(file);
    if (directory === null || this.#real.has(directory)) return false;
    this.#roots.set(directory, reason);
    this.#lay();
    return true;
  }

  /** R2. */
  isTaken(file: string): boolean {
    const directory = packageDirectory(file);
    return directory !== null && this.#real.has(directory);
  }

  /** How many are taken along because code of the bundle asks for them. */
  get size(): number {
    return this.#roots.size;
  }

  files(): readonly TakenFile[] {
    const found: TakenFile[] = [];
    let sizeBytes = 0;
    for (const [place, directory] of [...this.#placed].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const path of filesOf(directory)) {
        const bytes = readFileSync(join(directory, path));
        sizeBytes += bytes.length;
        found.push({ path: `${place}/${path.split(sep).join("/")}`, bytes });
        if (sizeBytes > maxTakenBytes || found.length > maxTakenFiles) throw this.#tooMuch();
      }
    }
    return found;
  }

  /** R3. */
  platform(): string | null {
    const isNative = [...this.#real].some((directory) => filesOf(directory).some((path) => path.endsWith(".node")));
    return isNative ? `${process.platform}-${process.arch}` : null;
  }

  #lay(): void {
    const placed = new Map<string, string>();
    for (const directory of this.#roots.keys()) {
      const place = `node_modules/${nameOf(directory)}`;
      const other = placed.get(place);
      if (other !== undefined && other !== directory) throw this.#twoVersions(nameOf(directory), [other, directory]);
      placed.set(place, directory);
    }
    for (const [place, directory] of [...placed]) layDependencies(placed, place, directory);
    this.#placed = placed;
    this.#real = new Set(placed.values());
  }

  #twoVersions(name: string, directories: readonly string[]): GodwitError {
    const where = directories.map((directory) => relative(this.#projectDir, directory)).join(" and ");
    return new GodwitError(
      "invalid_argument",
      `The code imports two versions of the package "${name}" (${where}), and it cannot be bundled: ${this.#reasons()}. Install one version for all, for example with "overrides" in package.json.`,
    );
  }

  #tooMuch(): GodwitError {
    return new GodwitError(
      "resource_exhausted",
      `The packages that have to be taken along are more than ${maxTakenBytes / 1024 / 1024} MiB or ${maxTakenFiles} files: ${this.#reasons()}. Import less of them in the file of the tasks, or run it where they are installed.`,
    );
  }

  #reasons(): string {
    return [...this.#roots].map(([directory, reason]) => `${nameOf(directory)} ${reason}`).join("; ");
  }
}

/** Why a module of a package cannot be bundled (R1); null if it can. */
export function unbundledReason(file: string, text: string, hasModuleSyntax: boolean): string | null {
  if (/\.(node|wasm)$/.test(file)) return "has native code";
  if (file.endsWith(".json")) return null;
  if (!hasModuleSyntax) return "is CommonJS";
  if (/\bimport\.meta\b|\b__dirname\b|\b__filename\b/.test(text)) return "asks where its files lie";
  if (/\b(?:import|require)\(\s*(?!["'`)])/.test(text) || /\bcreateRequire\b/.test(text))
    return "loads modules by computed names";
  return null;
}

/** Of the package that a file belongs to; null if it lies in none. */
export function packageDirectory(file: string): string | null {
  return /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/.exec(file)?.[0] ?? null;
}

/** By the directory it is installed in, which is how it is imported. */
const nameOf = (directory: string): string =>
  directory
    .slice(directory.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules${sep}`.length)
    .split(sep)
    .join("/");

/** Each where Node finds it from its dependents: at the top if there is room, else below the one that needs it. */
function layDependencies(placed: Map<string, string>, place: string, directory: string): void {
  const waiting = [{ place, directory }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const name of dependenciesOf(next.directory)) {
      const real = installedAt(name, next.directory);
      if (real === null || visible(placed, next.place, name) === real) continue;
      const top = `node_modules/${name}`;
      const at = placed.has(top) ? `${next.place}/node_modules/${name}` : top;
      placed.set(at, real);
      waiting.push({ place: at, directory: real });
    }
  }
}

function dependenciesOf(directory: string): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly dependencies?: object;
    readonly optionalDependencies?: object;
    readonly peerDependencies?: object;
  };
  const names = [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies].flatMap((group) =>
    Object.keys(group ?? {}),
  );
  // Whoever runs the bundle is the `godwit` of all of it.
  return [...new Set(names)].filter((name) => name !== "godwit").sort();
}

/** As Node looks for it; null if it is not installed, which code may expect. */
export function installedAt(name: string, from: string): string | null {
  const directory = join(from, "node_modules", name);
  if (existsSync(join(directory, "package.json"))) return realpathSync(directory);
  return dirname(from) === from ? null : installedAt(name, dirname(from));
}

/** What is found in the bundle under the name from that place. */
function visible(placed: ReadonlyMap<string, string>, place: string, name: string): string | undefined {
  for (let at = place; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const found = placed.get(at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`);
    if (found !== undefined || at === "") return found;
  }
}

/** Files that are never run are left out: types and source maps. */
const isNeverRun = (path: string): boolean => /\.d\.[cm]?ts$|\.[cm]?[jt]s\.map$/.test(path);

function filesOf(directory: string): readonly string[] {
  const found: string[] = [];
  const visit = (inside: string): void => {
    for (const entry of readdirSync(join(directory, inside), { withFileTypes: true })) {
      const path = join(inside, entry.name);
      // A link leads to the same file elsewhere; what it means is what it leads to.
      const isDirectory = entry.isSymbolicLink()
        ? (statSync(join(directory, path), { throwIfNoEntry: false })?.isDirectory() ?? null)
        : entry.isDirectory();
      if (isDirectory === null || entry.name === "node_modules" || entry.name === ".git") continue;
      if (isDirectory) visit(path);
      else if (!isNeverRun(path)) found.push(path);
    }
  };
  visit("");
  return found.sort();
}
