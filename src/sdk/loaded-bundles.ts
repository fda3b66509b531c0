// The code bundles that are loaded in this process. A bundle does not know where its project lies, so
// that its bytes are the same everywhere; what depends on the place is asked here while it runs.
//
// R1  To the user's code, `import.meta`, `__filename` and the like tell of the source file, not of
//     the bundle (source-rewrite.ts puts the calls in).
import { createRequire, isBuiltin } from "node:module";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export type LoadedBundle = {
  /** Of its `main.mjs`. */
  readonly url: string;
  /** Absolute, without symbolic links. */
  readonly projectDir: string;
};

/** Before the path, relative to the project, of what a bundle imports from a package by its path. */
export const pathScheme = "godwit-path:";

/** What stands for `import.meta` in a module. */
export type SourceMeta = {
  readonly url: string;
  readonly dirname: string;
  readonly filename: string;
  readonly main: boolean;
  resolve(specifier: string): string;
  /** What `import()` of a path that is computed has to load. */
  target(specifier: unknown): unknown;
};

const bundles = new Map<string, LoadedBundle>();

export function registerBundle(bundle: LoadedBundle): void {
  bundles.set(bundle.url, bundle);
  Object.assign(globalThis, { [sourceKey]: (url: string) => (path: string) => sourceMeta(url, path) });
}

/** Null if the module is not a bundle of the user's code. */
export const bundleAt = (url: string): LoadedBundle | null => bundles.get(url) ?? null;

const sourceKey = Symbol.for("godwit.source");

/** First line of each bundle: binds what R1 needs to this bundle. */
export const bundlePrologue = 'const __godwitSource = globalThis[Symbol.for("godwit.source")](import.meta.url);';

/** R1, as an expression in a module of the bundle. */
export const sourceExpression = (path: string): string => `__godwitSource(${JSON.stringify(path)})`;

/** Modules ask for it again and again, and code may compare it. */
const metas = new Map<string, SourceMeta>();

function sourceMeta(bundleUrl: string, path: string): SourceMeta {
  const key = `${bundleUrl}\n${path}`;
  const known = metas.get(key);
  if (known !== undefined) return known;
  const filename = join(bundleAt(bundleUrl)?.projectDir ?? "", path);
  const url = pathToFileURL(filename).href;
  const meta: SourceMeta = {
    url,
    filename,
    dirname: join(filename, ".."),
    main: false,
    resolve: (specifier) => (isRelative(specifier) ? new URL(specifier, url).href : resolveFrom(url, specifier)),
    target: (specifier) =>
      typeof specifier === "string" && isRelative(specifier) ? new URL(specifier, url).href : specifier,
  };
  metas.set(key, meta);
  return meta;
}

/** As near as Node lets us: `import.meta.resolve` answers for its own module only. */
const resolveFrom = (url: string, specifier: string): string => {
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  return pathToFileURL(createRequire(url).resolve(specifier)).href;
};

const isRelative = (specifier: string): boolean => /^\.{0,2}\//.test(specifier);

/** Whether a file is in a package, not of the user's own: a project may itself lie below `node_modules`. */
export function isInPackage(file: string): boolean {
  const project = [...bundles.values()].find(({ projectDir }) => file.startsWith(projectDir + sep));
  return (project === undefined ? file : file.slice(project.projectDir.length)).includes(`${sep}node_modules${sep}`);
}

/** The path of a place as stack traces tell it. Null: not a file, or a bundle's own code. */
export function sourcePath(script: string): string | null {
  if (bundles.has(script)) return null;
  if (script.startsWith("file://")) return fileURLToPath(script);
  return script.startsWith("/") && !bundles.has(pathToFileURL(script).href) ? script : null;
}
