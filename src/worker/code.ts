// Loads code bundles into this process: puts their files on disk, and lets their imports find this very
// SDK and the project's packages.
//
// R1  What is loaded is what the bundle's digest names (bundle-files.ts).
// R2  There is one SDK in a process, however the user's code came to import it.
// R3  One bundle of two projects is two modules: each sees its own source files (loaded-bundles.ts).
// R4  Packages are looked up from the module that imports them, as Node would without the bundle.
import { realpath } from "node:fs/promises";
import {
  getSourceMapsSupport,
  isBuiltin,
  type ResolveFnOutput,
  type ResolveHookContext,
  registerHooks,
  setSourceMapsSupport,
} from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BlobStore } from "../blob/blob.ts";
import { inBundle, type ModuleGraph } from "../core/code-graph.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { locate } from "../sdk/call-sites.ts";
import { bundleAt, pathScheme, registerBundle } from "../sdk/loaded-bundles.ts";
import { materialise, unpackBundle } from "./bundle-files.ts";
import { missingExport } from "./missing-export.ts";
import { checkPackages } from "./packages.ts";

export type LoadedCode = {
  readonly graph: ModuleGraph;
  /** Of the user's file. */
  readonly exports: { readonly [name: string]: unknown };
};

export type CodeLoader = {
  /** Rejects with what is wrong with the user's code or packages. A bundle is loaded once; it cannot be unloaded. */
  load(bundle: string, projectDir: string): Promise<LoadedCode>;
};

export type CodeLoaderOptions = {
  readonly blobs: BlobStore;
  /** Where bundles are put: `<digest>/<project>/`. */
  readonly bundlesDir: string;
  /** Where they are made, on the same file system. */
  readonly tmpDir: string;
  /** URLs of this SDK by what users import. */
  readonly sdkUrls: { readonly [specifier: string]: string };
};

export function codeLoader(options: CodeLoaderOptions): CodeLoader {
  const loaded = new Map<string, Promise<LoadedCode>>();
  return {
    load(bundle, projectDir) {
      const key = `${bundle} ${projectDir}`;
      const known = loaded.get(key);
      if (known !== undefined) return known;
      const loading = loadBundle(bundle, projectDir, options);
      loaded.set(key, loading);
      // Packages may be installed later.
      loading.catch(() => loaded.delete(key));
      return loading;
    },
  };
}

async function loadBundle(bundle: string, projectDir: string, options: CodeLoaderOptions): Promise<LoadedCode> {
  const { main, graph } =
    projectDir === inBundle
      ? await unpackBundle(bundle, options)
      : await materialise(bundle, await existing(projectDir), options);
  if (graph.portable === undefined) await checkPackages(graph);
  const url = pathToFileURL(main).href;
  if (!getSourceMapsSupport().enabled) setSourceMapsSupport(true);
  registerBundle({ url, projectDir: graph.projectDir });
  graphs.set(url, graph);
  hookImports(options.sdkUrls);
  try {
    return { graph, exports: (await import(url)) as LoadedCode["exports"] };
  } catch (error) {
    // Thrown before any module ran.
    const missing = error instanceof SyntaxError ? await missingExport(graph, options.sdkUrls) : null;
    throw missing ?? loadError(error, graph.projectDir);
  }
}

const existing = (projectDir: string): Promise<string> =>
  realpath(projectDir).catch(() => {
    throw new GodwitError(
      "failed_precondition",
      `The project directory ${projectDir} of this run does not exist any more.`,
    );
  });

/** The user's own error, with the place where it was thrown. */
function loadError(error: unknown, projectDir: string): unknown {
  if (isGodwitError(error)) return error;
  const place = locate(error);
  const where = place === null ? "The code" : `${relative(projectDir, place.file)}:${place.line}:${place.column}`;
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const told = new GodwitError("invalid_argument", `${where} failed while it was loaded: ${what}`, { cause: error });
  // Where we noticed it tells the user nothing: the frames are those of the user's error.
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  told.stack = `${told.name}: ${told.message}${stack.slice(Math.max(0, stack.indexOf("\n    at ")))}`;
  return told;
}

const graphs = new Map<string, ModuleGraph>();
let sdk: CodeLoaderOptions["sdkUrls"] | null = null;

/** Hooks are of the process: they are set once. */
function hookImports(sdkUrls: CodeLoaderOptions["sdkUrls"]): void {
  const isHooked = sdk !== null;
  sdk = sdkUrls;
  if (!isHooked) registerHooks({ resolve });
}

type NextResolve = (specifier: string, context?: Partial<ResolveHookContext>) => ResolveFnOutput;

function resolve(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
  const own = sdk !== null && Object.hasOwn(sdk, specifier) ? sdk[specifier] : undefined;
  // R2.
  if (own !== undefined) return { url: own, shortCircuit: true };
  const bundle = context.parentURL === undefined ? null : bundleAt(context.parentURL);
  if (bundle === null || isBuiltin(specifier) || specifier.startsWith("file:") || specifier.startsWith("data:"))
    return next(specifier, context);
  const { projectDir, url } = bundle;
  if (specifier.startsWith(pathScheme))
    return next(pathToFileURL(join(projectDir, specifier.slice(pathScheme.length))).href, context);
  // R4.
  const graph = graphs.get(url);
  const importer =
    graph !== undefined && Object.hasOwn(graph.importers, specifier) ? graph.importers[specifier] : undefined;
  try {
    return next(specifier, { ...context, parentURL: pathToFileURL(join(projectDir, importer ?? "package.json")).href });
  } catch (error) {
    throw missingPackage(error, specifier, { importer, projectDir, graph }) ?? error;
  }
}

type Asked = {
  readonly importer: string | undefined;
  readonly projectDir: string;
  readonly graph: ModuleGraph | undefined;
};

/** Null: code that asks for what may be missing expects Node's own error. */
function missingPackage(error: unknown, specifier: string, { importer, projectDir, graph }: Asked): GodwitError | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (importer === undefined || (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND")) return null;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  if (graph?.packages[name] === "not installed") return null;
  return new GodwitError(
    "failed_precondition",
    `Cannot find package "${name}", which ${importer} imports. It was there when the code was bundled. Install it in ${projectDir}: npm install`,
    { cause: error },
  );
}

/** The SDK's entries beside this file, built or as source. */
export function ownSdkUrls(): CodeLoaderOptions["sdkUrls"] {
  const here = fileURLToPath(import.meta.url);
  const extension = here.endsWith(".ts") ? "ts" : "js";
  const entry = (name: string): string => pathToFileURL(join(dirname(dirname(here)), `${name}.${extension}`)).href;
  return { godwit: entry("index"), "godwit/client": entry("client"), "godwit/testing": entry("testing") };
}
