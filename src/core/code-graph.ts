// Which code a task reaches, for the cache key (design §5.6). The graph is a table of the user's
// modules, statement by statement, made by the bundler (sdk/module-graph.ts); here it is followed
// from the statements that define the task.
//
// R1  A statement that is reached reaches what it mentions, binding by binding: importing one
//     function of a module reaches that function and what it reaches, not the module.
// R2  A module of which something is reached also gives its statements that act when it is loaded,
//     and what it imports only for its effects.
// R3  A declaration whose value is computed may change what it mentions: it belongs to each reached
//     binding of its own module that it mentions. A statement that is no declaration belongs to
//     each that it mentions, of any module.
// R4  What defines another task is no part of this one (R2, R3), unless it is mentioned (R1).
// R5  What cannot be followed makes the identity unknown: a key that might lie is no key.
// R6  The hash of a module covers the reached statements and what the names in them stand for.
//     Statements that only declare have no order; those that compute or act keep theirs.
// R7  What starts a task is no part of what it does: where a statement is known to be the call that defines a task,
//     and no more, it counts without the triggers that are written there.
import { canonicalJson, hashParts } from "./hash.ts";
import type { CodeIdentity, SourceLocation } from "./task.ts";

/** Line and column, from 1. */
export type Position = readonly [line: number, column: number];
export type Range = readonly [start: Position, end: Position];

/** Where an import leads. */
export type Origin =
  | { readonly type: "module"; readonly path: string }
  | { readonly type: "package"; readonly name: string; readonly specifier: string }
  | { readonly type: "builtin"; readonly name: string };

/** `imported` is a name of the origin's exports, or `*` for all of them as one object. */
export type Binding = { readonly from: Origin; readonly imported: string };

export type Statement = {
  readonly range: Range;
  /** Of what it says, not of how it is laid out. */
  readonly hash: string;
  /** `declares`: nothing happens when it is loaded; `computes`: declares names, and runs code; `acts`: the rest. */
  readonly type: "declares" | "computes" | "acts";
  readonly declares: readonly string[];
  /** Names of the module's top level, `name.member` where a namespace is only asked for a member. */
  readonly mentions: readonly string[];
  /** What it loads as a whole, by `import()` or `require()`. */
  readonly loads: readonly Origin[];
  /** Functions in it: code that runs later. */
  readonly functions: readonly Range[];
  /** R5: what in it cannot be followed, in words; null if nothing. */
  readonly unknown: string | null;
  /** R7. Given if it is such a call, should the call before `argumentsAt` be the one that defines a task. */
  readonly untriggered?: { readonly hash: string; readonly argumentsAt: Position };
};

export type Module = {
  /** `text`: JSON and the like, of which only the content is known; `commonjs`: reached as a whole. */
  readonly type: "esm" | "commonjs" | "text";
  /** Of the whole text. */
  readonly hash: string;
  readonly statements: readonly Statement[];
  readonly imports: { readonly [local: string]: Binding };
  /** A string is a name of the module's own top level. */
  readonly exports: { readonly [name: string]: string | Binding };
  /** `export * from …` */
  readonly stars: readonly Origin[];
  /** Loaded for their effects only, and what the compiler itself imports (JSX). */
  readonly effects: readonly Origin[];
};

/** What a bundle carries. Paths are relative to the project directory, with forward slashes. */
export type StoredModuleGraph = {
  readonly modules: { readonly [path: string]: Module };
  /** Installed versions. */
  readonly packages: { readonly [name: string]: string };
  /** For each import of a package, a module that has it: it is looked up from there when the code is loaded. */
  readonly importers: { readonly [specifier: string]: string };
  /** The bundle has all that the code needs, and runs without the project. `platform`: its native addons run on this one only. */
  readonly portable?: { readonly platform: string | null };
};

/** The project directory of a run or a task whose bundle is portable, wherever that is unpacked. */
export const inBundle = "";

/** With what is only known where the code is loaded. */
export type ModuleGraph = StoredModuleGraph & {
  /** Absolute; what lies in it is told by its path from there. */
  readonly projectDir: string;
  /** Node's major version. */
  readonly node: string;
};

/**
 * The code of the task that was defined at these places (the definition itself first, then its
 * callers). `allCallSites` holds those of every task in the bundle, for R4.
 */
export function identify(
  graph: ModuleGraph,
  callSites: readonly SourceLocation[],
  allCallSites: readonly (readonly SourceLocation[])[] = [],
): CodeIdentity {
  const roots = callSites.map((site) => placeOf(graph, site));
  const lost = roots.indexOf(null);
  const where = callSites[lost === -1 ? callSites.length - 1 : lost];
  if (where === undefined) return unknown("it is not known where the task is defined");
  const at = `${relativePath(graph, where.file)}:${where.line}`;
  if (lost !== -1) return unknown(`${at} is not a statement of the code bundle`);
  const outermost = roots.at(-1);
  if (outermost != null && runsLater(outermost, where)) {
    return unknown(
      `${at} defines the task in a function that runs after its module was loaded, so that its callers are not known`,
    );
  }
  const definitions = new Set(allCallSites.flat().flatMap((site) => placeOf(graph, site)?.statement ?? []));
  const reach = new Reach(graph, definitions, definingCalls(graph, [callSites, ...allCallSites]));
  for (const place of roots) if (place !== null) reach.root(place);
  return reach.identity();
}

/** R7. The first of a task's call sites is that of the call itself. */
function definingCalls(graph: ModuleGraph, allCallSites: readonly (readonly SourceLocation[])[]): Set<Statement> {
  const found = new Set<Statement>();
  for (const [site] of allCallSites) {
    const statement = site === undefined ? undefined : placeOf(graph, site)?.statement;
    const start = statement?.range[0];
    const end = statement?.untriggered?.argumentsAt;
    if (site !== undefined && statement !== undefined && start !== undefined && end !== undefined)
      if (isWithin([start, end], site)) found.add(statement);
  }
  return found;
}

const unknown = (reason: string): CodeIdentity => ({ type: "unknown", reason });

type Place = { readonly path: string; readonly index: number; readonly statement: Statement };

const relativePath = (graph: ModuleGraph, file: string): string => {
  const prefix = graph.projectDir.endsWith("/") ? graph.projectDir : `${graph.projectDir}/`;
  if (file.startsWith(prefix)) return file.slice(prefix.length);
  if (!file.startsWith("/")) return file;
  // A linked package beside the project: the bundler tells it as `../…`.
  const from = prefix.split("/").slice(1, -1);
  const to = file.split("/").slice(1);
  let common = 0;
  while (common < from.length && from[common] === to[common]) common++;
  return [...from.slice(common).map(() => ".."), ...to.slice(common)].join("/");
};

function placeOf(graph: ModuleGraph, site: SourceLocation): Place | null {
  const path = relativePath(graph, site.file);
  const statements = graph.modules[path]?.statements ?? [];
  const index = statements.findIndex(({ range }) => isWithin(range, site));
  const statement = statements[index];
  return statement === undefined ? null : { path, index, statement };
}

const isWithin = ([start, end]: Range, { line, column }: SourceLocation): boolean =>
  (line > start[0] || (line === start[0] && column >= start[1])) &&
  (line < end[0] || (line === end[0] && column <= end[1]));

const runsLater = ({ statement }: Place, site: SourceLocation): boolean =>
  statement.functions.some((range) => isWithin(range, site));

const originKey = (origin: Origin): string =>
  `${origin.type} ${origin.type === "module" ? origin.path : origin.type === "package" ? origin.specifier : origin.name}`;

/** What a name stands for, once all re-exports have been followed. */
type Meaning = {
  readonly key: string;
  readonly in: /** `*`: all of it. */
    | { readonly type: "module"; readonly path: string; readonly name: string }
    | { readonly type: "package"; readonly name: string }
    /** Node's own, or the name of a type. */
    | { readonly type: "nothing" };
  /** Modules that only pass it on. */
  readonly via: readonly string[];
};

class Reach {
  readonly #graph: ModuleGraph;
  /** R4. */
  readonly #definitions: ReadonlySet<Statement>;
  /** R7. */
  readonly #definingCalls: ReadonlySet<Statement>;
  readonly #statements = new Map<string, Set<number>>();
  readonly #whole = new Set<string>();
  readonly #loaded = new Set<string>();
  readonly #packages = new Set<string>();
  /** Reached bindings, as `path#name`. */
  readonly #names = new Set<string>();
  readonly #unknown: string[] = [];
  #work: (() => void)[] = [];

  constructor(graph: ModuleGraph, definitions: ReadonlySet<Statement>, definingCalls: ReadonlySet<Statement>) {
    this.#graph = graph;
    this.#definitions = definitions;
    this.#definingCalls = definingCalls;
  }

  root({ path, index }: Place): void {
    this.#statement(path, index);
  }

  identity(): CodeIdentity {
    do this.#drain();
    while (this.#reachChangers());
    const [reason] = [...this.#unknown].sort();
    if (reason !== undefined) return unknown(reason);
    const packages: Record<string, string> = { node: this.#graph.node };
    for (const name of [...this.#packages].sort()) {
      const version = this.#graph.packages[name];
      if (version === undefined) return unknown(`the installed version of package ${name} is not known`);
      packages[name] = version;
    }
    const modules = [...new Set([...this.#statements.keys(), ...this.#whole])].sort();
    return { type: "known", modules: Object.fromEntries(modules.map((path) => [path, this.#hash(path)])), packages };
  }

  #drain(): void {
    for (let next = this.#work.pop(); next !== undefined; next = this.#work.pop()) next();
  }

  #module(path: string): Module {
    const module = this.#graph.modules[path];
    if (module !== undefined) return module;
    this.#unknown.push(`${path} is not in the module graph`);
    return { type: "text", hash: "", statements: [], imports: {}, exports: {}, stars: [], effects: [] };
  }

  /** R1. */
  #statement(path: string, index: number): void {
    const reached = this.#statements.get(path) ?? new Set();
    const statement = this.#module(path).statements[index];
    if (reached.has(index) || statement === undefined) return;
    this.#statements.set(path, reached.add(index));
    if (statement.unknown !== null) this.#unknown.push(statement.unknown);
    for (const name of statement.declares) this.#names.add(`${path}#${name}`);
    this.#work.push(() => {
      this.#load(path);
      for (const mention of statement.mentions) this.#mention(path, mention);
      for (const origin of statement.loads) this.#all(origin);
    });
  }

  /** R2. */
  #load(path: string): void {
    if (this.#loaded.has(path)) return;
    this.#loaded.add(path);
    const module = this.#module(path);
    if (module.type !== "esm") this.#all({ type: "module", path });
    module.statements.forEach((statement, index) => {
      if (statement.type === "acts") this.#statement(path, index);
    });
    for (const origin of module.effects) {
      if (origin.type === "module") this.#load(origin.path);
      else this.#all(origin);
    }
  }

  /** A module or package as a whole. */
  #all(origin: Origin): void {
    if (origin.type === "package") this.#packages.add(origin.name);
    if (origin.type !== "module" || this.#whole.has(origin.path)) return;
    const { path } = origin;
    this.#whole.add(path);
    const module = this.#module(path);
    this.#load(path);
    for (const index of module.statements.keys()) this.#statement(path, index);
    for (const target of Object.values(module.exports)) {
      if (typeof target === "string") this.#mention(path, target);
      else this.#reach(this.#meaning(target));
    }
    for (const star of module.stars) this.#all(star);
  }

  #mention(path: string, mention: string): void {
    this.#reach(this.#meaningOf(path, mention));
  }

  #reach(meaning: Meaning): void {
    for (const path of meaning.via) this.#work.push(() => this.#load(path));
    if (meaning.in.type === "package") this.#packages.add(meaning.in.name);
    if (meaning.in.type !== "module") return;
    const { path, name } = meaning.in;
    this.#work.push(() => {
      this.#load(path);
      if (name === "*") return this.#all({ type: "module", path });
      this.#module(path).statements.forEach((statement, index) => {
        if (statement.declares.includes(name)) this.#statement(path, index);
      });
    });
  }

  #meaningOf(path: string, mention: string): Meaning {
    const [name = "", member] = mention.split(".");
    const { imports } = this.#module(path);
    const binding = Object.hasOwn(imports, name) ? imports[name] : undefined;
    if (binding === undefined) return { key: `${path}#${name}`, in: { type: "module", path, name }, via: [] };
    return this.#meaning(
      binding.imported === "*" && member !== undefined ? { from: binding.from, imported: member } : binding,
    );
  }

  #meaning({ from, imported }: Binding): Meaning {
    if (from.type === "module") {
      return (
        this.#exported(from.path, imported, []) ?? {
          key: `${from.path}#${imported}?`,
          in: { type: "nothing" },
          via: [],
        }
      );
    }
    const key = `${originKey(from)}#${imported}`;
    return { key, in: from.type === "package" ? { type: "package", name: from.name } : { type: "nothing" }, via: [] };
  }

  /** Null: the module has no such export, which the compiler allows for the names of types only. */
  #exported(path: string, name: string, via: readonly string[]): Meaning | null {
    const module = this.#module(path);
    if (name === "*" || module.type !== "esm")
      return { key: `${path}#*`, in: { type: "module", path, name: "*" }, via };
    if (via.includes(path)) return null;
    const passed = [...via, path];
    const target = Object.hasOwn(module.exports, name) ? module.exports[name] : undefined;
    if (target !== undefined) {
      const meaning = typeof target === "string" ? this.#meaningOf(path, target) : this.#next(target, passed);
      return meaning === null ? null : { ...meaning, via: [...passed, ...meaning.via] };
    }
    for (const star of name === "default" ? [] : module.stars) {
      const found = star.type === "module" ? this.#exported(star.path, name, passed) : null;
      if (found !== null) return found;
    }
    const outside = module.stars.find((star) => star.type === "package");
    return outside === undefined ? null : { ...this.#meaning({ from: outside, imported: name }), via: passed };
  }

  #next(target: Binding, via: readonly string[]): Meaning | null {
    return target.from.type === "module"
      ? this.#exported(target.from.path, target.imported, via)
      : this.#meaning(target);
  }

  /** R3. Whether there was one. */
  #reachChangers(): boolean {
    const before = this.#count();
    for (const [path, module] of Object.entries(this.#graph.modules)) {
      const isLoaded = this.#loaded.has(path);
      module.statements.forEach((statement, index) => {
        if (statement.type === "declares" || this.#statements.get(path)?.has(index) === true) return;
        if (statement.type === "computes" && (!isLoaded || this.#definitions.has(statement))) return;
        const isChanger = statement.mentions.some((mention) => {
          const isImport = Object.hasOwn(module.imports, mention.split(".")[0] ?? "");
          if (isImport && statement.type === "computes") return false;
          return this.#names.has(this.#meaningOf(path, mention).key);
        });
        if (isChanger) this.#statement(path, index);
      });
    }
    return this.#count() > before;
  }

  #count(): number {
    let count = 0;
    for (const reached of this.#statements.values()) count += reached.size;
    return count;
  }

  /** R6. */
  #hash(path: string): string {
    const module = this.#module(path);
    if (module.type === "text") return module.hash;
    const declared: string[] = [];
    const ordered: string[] = [];
    for (const index of [...(this.#statements.get(path) ?? [])].sort((a, b) => a - b)) {
      const statement = module.statements[index];
      if (statement !== undefined)
        (statement.type === "declares" ? declared : ordered).push(this.#statementHash(path, statement));
    }
    const whole = this.#whole.has(path) ? canonicalJson({ exports: module.exports, stars: module.stars }) : "";
    return hashParts(hashParts(...declared.sort()), hashParts(...ordered), whole);
  }

  #statementHash(path: string, statement: Statement): string {
    const { imports } = this.#module(path);
    const names = statement.mentions
      .filter((mention) => Object.hasOwn(imports, mention.split(".")[0] ?? ""))
      .map((mention) => `${mention}=${this.#meaningOf(path, mention).key}`);
    const hash = this.#definingCalls.has(statement) ? (statement.untriggered?.hash ?? statement.hash) : statement.hash;
    return hashParts(hash, ...names.sort(), ...statement.loads.map(originKey).sort());
  }
}
