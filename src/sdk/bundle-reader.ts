// What Rolldown asks while it bundles: where an import leads, and what a module's text is to become.
// On the way it gathers what the module graph and the memo need.
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin, ResolvedId } from "rolldown";
import type { Module, Origin, StoredModuleGraph } from "../core/code-graph.ts";
import type { GodwitError } from "../core/error.ts";
import { errorAt, isInstalled, packageName, type Spot, sourceExtensions, unresolved } from "./bundle-error.ts";
import { childrenOf, type Node } from "./free-names.ts";
import { pathScheme } from "./loaded-bundles.ts";
import { moduleOf, positionsOf, type Source, type Syntax, writtenSpecifiers } from "./module-graph.ts";
import { installedAt, type PortablePackages, unbundledReason } from "./portable-packages.ts";
import { referencesIn } from "./source-references.ts";
import { sourceEdits } from "./source-rewrite.ts";

/** Version of a package that may be missing, because it is only asked for by `import()` or `require()`. */
const notInstalled = "not installed";

type Lang = "js" | "jsx" | "ts" | "tsx";
const isLang = (type: string): type is Lang => ["js", "jsx", "ts", "tsx"].includes(type);

export class BundleReader {
  readonly #projectDir: string;
  /** By absolute path. */
  readonly #sources = new Map<string, Source>();
  /** Importer, specifier. */
  readonly #origins = new Map<string, Map<string, Origin>>();
  readonly #versions = new Map<string, Set<string>>();
  readonly #packageFiles = new Set<string>();
  readonly #portable: PortablePackages | null;
  #failure: GodwitError | null = null;

  /** With `portable`, packages are bundled, or noted there to be taken along. */
  constructor(projectDir: string, portable: PortablePackages | null = null) {
    this.#projectDir = projectDir;
    this.#portable = portable;
  }

  /** What is wrong with the user's code, where it was found here and not by Rolldown. */
  failure(): GodwitError | null {
    return this.#failure;
  }

  textOf(file: string): string | null {
    return this.#sources.get(file)?.text ?? null;
  }

  /** Every file that the bundle was made of: the modules with the text that was read, and those that say where imports lead. */
  inputs(): { readonly sources: ReadonlyMap<string, string>; readonly others: readonly string[] } {
    return {
      sources: new Map([...this.#sources].map(([file, { text }]) => [file, text])),
      others: [...this.#packageFiles].sort(),
    };
  }

  /** Of the project's own files, those that the code reads by a place it writes down. Absolute. */
  readFiles(): readonly string[] {
    const found = [...this.#sources].flatMap(([file, { syntax }]) =>
      referencesIn(syntax?.body ?? []).paths.map((path) => join(dirname(file), path)),
    );
    // Aliases of packages are looked up where the code runs.
    const aliases = [...this.#origins].flatMap(([file, origins]) =>
      [...origins.keys()].some((specifier) => specifier.startsWith("#")) ? [findUp(dirname(file))] : [],
    );
    return [...new Set([...found, ...aliases])].filter((file) => this.#isSource(file) && !this.#sources.has(file));
  }

  /** Packages whose files the code asks for are taken along. */
  takeReadPackages(): void {
    for (const [file, { syntax }] of this.#sources) {
      for (const specifier of referencesIn(syntax?.body ?? []).packages) {
        const directory = isBuiltin(specifier) ? null : installedAt(packageName(specifier), dirname(file));
        if (directory !== null) this.#portable?.takeAlong(directory, "has files that the code reads");
      }
    }
  }

  /** Throws for decorators that are still in the bundle's text: Node does not know them. */
  async checkDecorators(text: string): Promise<void> {
    const { parseSync } = await import("rolldown/utils");
    for (const { path, text: written, syntax } of this.#sources.values()) {
      const [decorator] = decoratorsIn(syntax?.body ?? []);
      if (decorator === undefined) continue;
      if (decoratorsIn(parseSync("main.mjs", text).program.body as unknown as readonly Node[]).length === 0) return;
      const next = 'Set "experimentalDecorators": true in the "compilerOptions" of tsconfig.json.';
      const position = positionsOf(written)(decorator.start);
      throw this.#fail(errorAt({ path, text: written, position }, "Node cannot run decorators as they are.", next));
    }
  }

  modules(): StoredModuleGraph {
    const modules: Record<string, Module> = {};
    const importers: Record<string, string> = {};
    for (const [file, source] of [...this.#sources].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const origins = this.#origins.get(file) ?? new Map<string, Origin>();
      const written = new Set(writtenSpecifiers(source.syntax?.body ?? []).map(({ specifier }) => specifier));
      const added = [...origins].filter(([specifier]) => !written.has(specifier)).map(([, origin]) => origin);
      modules[source.path] = moduleOf(
        source,
        (specifier) => origins.get(specifier) ?? null,
        added.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      );
      for (const origin of origins.values()) if (origin.type === "package") importers[origin.specifier] ??= source.path;
    }
    const packages = Object.fromEntries(
      [...this.#versions].map(([name, versions]) => [name, [...versions].sort().join(", ")]),
    );
    return { modules, packages, importers };
  }

  async plugin(): Promise<Plugin> {
    const { parseSync } = await import("rolldown/utils");
    const parse = (text: string, file: string, lang: Lang): Syntax => {
      const result = parseSync(file, text, { lang, sourceType: /\.c[jt]s$/.test(file) ? "commonjs" : "module" });
      const [error] = result.errors;
      if (error !== undefined) {
        const position = positionsOf(text)(error.labels[0]?.start ?? 0);
        throw this.#fail(
          errorAt(
            { path: this.#path(file), text, position },
            ended(error.message),
            error.helpMessage === null ? null : ended(error.helpMessage),
          ),
        );
      }
      return {
        body: result.program.body as unknown as readonly Node[],
        hasModuleSyntax: result.module.hasModuleSyntax,
      };
    };
    const reader = this;
    return {
      name: "godwit",
      transform(text, id, meta) {
        const { magicString, moduleType } = meta;
        if (!reader.#isSource(id)) {
          reader.#lookAtPackage(id, text, isLang(moduleType) ? () => parse(text, id, moduleType) : null);
          return null;
        }
        const syntax = isLang(moduleType) ? parse(text, id, moduleType) : null;
        const path = reader.#path(id);
        reader.#sources.set(id, { path, text, syntax });
        const edits = syntax === null ? [] : sourceEdits(syntax.body, path);
        if (edits.length === 0 || magicString === undefined) return null;
        for (const { start, end, text: replacement } of edits) {
          if (end > start) magicString.update(start, end, replacement);
        }
        for (const { start, end, text: inserted } of edits) if (end === start) magicString.appendLeft(start, inserted);
        return { code: magicString };
      },
      async resolveId(specifier, importer, { kind, isEntry }) {
        if (isEntry || importer === undefined) return null;
        if (!reader.#isSource(importer)) {
          if (reader.#portable === null || isBuiltin(specifier)) return null;
          const found = ownPackage.test(specifier) ? null : await this.resolve(specifier, importer, { skipSelf: true });
          return reader.#inPackage(importer, specifier, found);
        }
        if (isBuiltin(specifier)) return reader.#keep(importer, specifier, { type: "builtin", name: specifier });
        if (ownPackage.test(specifier))
          return reader.#keepPackage(importer, specifier, { name: "godwit", packageFile: ownPackageFile });
        const resolved = await this.resolve(specifier, importer, { skipSelf: true });
        if (resolved === null) {
          // Code may ask for a package that need not be there, and catch the error.
          if (kind !== "import-statement" && !/^[./#]/.test(specifier))
            return reader.#keepPackage(importer, specifier, { name: packageName(specifier), packageFile: null });
          throw reader.#fail(reader.#unresolved(importer, specifier));
        }
        if (resolved.external !== false || !isAbsolute(resolved.id)) return resolved;
        if (!reader.#isSource(resolved.id)) {
          const kept = reader.#keepPackage(importer, specifier, installed(specifier, importer, resolved.id));
          return reader.#isBundled(resolved.id) ? resolved : kept;
        }
        if (!sourceExtensions.includes(extname(resolved.id))) throw reader.#fail(reader.#notCode(importer, specifier));
        reader.#note(importer, specifier, { type: "module", path: reader.#path(resolved.id) });
        return { id: resolved.id };
      },
    };
  }

  /** The user's own: not in a package, nor made up by the bundler. */
  #isSource(id: string): boolean {
    if (!isAbsolute(id)) return false;
    const inside = relative(this.#projectDir, id);
    return !(inside.startsWith("..") ? id : `${sep}${inside}`).includes(`${sep}node_modules${sep}`);
  }

  #isBundled(file: string): boolean {
    if (this.#portable === null) return false;
    const reason = unbundledReason(file, "", true);
    if (reason !== null) this.#portable.takeAlong(file, reason);
    return !this.#portable.isTaken(file);
  }

  /** A module of a package that is to be bundled. */
  #lookAtPackage(id: string, text: string, parse: (() => Syntax) | null): void {
    if (this.#portable === null || !isAbsolute(id)) return;
    let reason: string | null;
    try {
      reason = unbundledReason(id, text, parse?.().hasModuleSyntax ?? true);
    } catch {
      reason = "is written in what the bundler does not read";
      this.#failure = null;
    }
    if (reason !== null) this.#portable.takeAlong(id, reason);
  }

  /** What a module of a package imports. */
  #inPackage(importer: string, specifier: string, resolved: Found | null): Found | { id: string; external: true } {
    const external = { id: specifier, external: true } as const;
    if (ownPackage.test(specifier)) return external;
    // Node would find it missing when the module runs, if it ever does.
    if (resolved === null) this.#portable?.takeAlong(importer, "imports what is not installed");
    if (resolved === null || (isAbsolute(resolved.id) && !this.#isBundled(resolved.id))) return external;
    return resolved;
  }

  #path(file: string): string {
    return relative(this.#projectDir, file).split(sep).join("/");
  }

  /** Rolldown writes into errors that are thrown at it: it gets one of its own. */
  #fail(error: GodwitError): Error {
    this.#failure ??= error;
    return new Error(error.message);
  }

  #unresolved(importer: string, specifier: string): GodwitError {
    return unresolved(this.#spot(importer, specifier), specifier, this.#projectDir);
  }

  #notCode(importer: string, specifier: string): GodwitError {
    const next = `Read it when the code runs: readFile(new URL(${JSON.stringify(specifier)}, import.meta.url)).`;
    return errorAt(
      this.#spot(importer, specifier),
      `Cannot import "${specifier}": it is neither TypeScript, JavaScript nor JSON.`,
      next,
    );
  }

  /** Where a module writes down an import. */
  #spot(importer: string, specifier: string): Spot {
    const { text = "", syntax } = this.#sources.get(importer) ?? {};
    const written = writtenSpecifiers(syntax?.body ?? []).find((each) => each.specifier === specifier);
    return { path: this.#path(importer), text, position: positionsOf(text)(written?.start ?? 0) };
  }

  #note(importer: string, specifier: string, origin: Origin): void {
    const origins = this.#origins.get(importer) ?? new Map<string, Origin>();
    this.#origins.set(importer, origins.set(specifier, origin));
  }

  /** Stays an import of the bundle. */
  #keep(importer: string, specifier: string, origin: Origin): External {
    this.#note(importer, specifier, origin);
    return { id: origin.type === "package" ? origin.specifier : specifier, external: true, moduleSideEffects: true };
  }

  #keepPackage(importer: string, specifier: string, { name, packageFile, file }: Installed): External {
    const versions = this.#versions.get(name) ?? new Set();
    this.#versions.set(name, versions.add(packageFile === null ? notInstalled : this.#versionIn(packageFile)));
    return this.#keep(importer, specifier, {
      type: "package",
      name,
      specifier: file === undefined ? specifier : `${pathScheme}${this.#path(file)}`,
    });
  }

  #versionIn(packageFile: string): string {
    this.#packageFiles.add(packageFile);
    const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version?: unknown };
    return typeof version === "string" ? version : "without version";
  }
}

type Found = Pick<ResolvedId, "id" | "external">;

const ownPackage = /^godwit(\/|$)/;

type External = { readonly id: string; readonly external: true; readonly moduleSideEffects: true };

type Installed = {
  readonly name: string;
  /** Null: not installed. */
  readonly packageFile: string | null;
  /** Given if Node could not find it by the specifier, which means something to the bundler only. */
  readonly file?: string;
};

function installed(specifier: string, importer: string, file: string): Installed {
  const [directory, inPath] = /^.*[/\\]node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)/.exec(file) ?? ["", ""];
  const packageFile = join(directory, "package.json");
  const isBare = !/^[./#]/.test(specifier);
  const name = isBare ? packageName(specifier) : (inPath ?? "").split(sep).join("/");
  if (specifier.startsWith("#") || (isBare && (name === inPath || isInstalled(name, dirname(importer)))))
    return { name, packageFile };
  return { name: inPath ?? name, packageFile, file };
}

const decoratorsIn = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((node) => (node.type === "Decorator" ? [node] : decoratorsIn(childrenOf(node))));

const ended = (sentence: string): string => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`);

const ownPackageFile = findUp(dirname(fileURLToPath(import.meta.url)));

function findUp(directory: string): string {
  const file = join(directory, "package.json");
  return existsSync(file) || dirname(directory) === directory ? file : findUp(dirname(directory));
}
