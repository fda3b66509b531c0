// The house rules of STYLE.md that a program can check, over a tree of sources given as text.
//
// R1  A folder of src imports only those that its row in the table names, and of them only the doors.
// R2  A package is imported by the one folder whose row names it. Those that are the words of the protocol, which
//     both of its ends speak, are listed beside the table, and named by each row that may use them.
// R3  No import cycles; imports of types count.
// R4  Nothing but tests imports tests.
// R5  At most 400 lines a file, and 70 a function that is not a test.
// R6  File names are kebab-case nouns; the words that say nothing are banned; no index.ts in folders.
// R7  A file begins with a comment that says what it is for.
// R8  No default exports and no `export *`.
import { dirname, join } from "node:path/posix";
import { parseAst } from "rolldown/parseAst";

/** File path from the root of the repository, with forward slashes → content. */
export type Tree = ReadonlyMap<string, string>;

export type Layer = {
  /** "store": its doors. "store/": all of it. "store/rows.ts": that file, besides or without the doors. */
  readonly may: readonly string[];
  /** Files that others import, besides the one that bears the folder's name. "all": every file. */
  readonly doors?: readonly string[] | "all";
  /** npm packages, and those of Node's modules that do something to the world. */
  readonly packages?: readonly string[];
};

export type Layers = { readonly [folderOrFile: string]: Layer };

/** Node's modules that only the rows naming them import. The others are free, except in core. */
const guardedModules = ["node:child_process", "node:sqlite", "node:http", "node:net", "node:worker_threads"];

const maxFileLines = 400;
const maxFunctionLines = 70;
const emptyName = /^(types|interfaces)$|(^|-)(utils?|helpers?|common|misc|base|managers?|handlers?|data|info|impl)$/;

export type Violation = { readonly rule: string; readonly offender: string };

/** Every offence against R1 to R8, in order of file. */
export function violations(tree: Tree, layers: Layers, shared: readonly string[] = []): readonly Violation[] {
  const modules = [...tree].map(([path, text]) => readModule(path, text));
  const found = modules.flatMap((module) => [...shape(module), ...names(module.path), ...imports(module, layers)]);
  return [...found, ...cycles(modules), ...sharedPackages(layers, shared)];
}

type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [key: string]: unknown };

type Module = {
  readonly path: string;
  readonly text: string;
  readonly nodes: readonly Node[];
  /** Paths and package names as written, of types too. */
  readonly specifiers: readonly string[];
};

const isTest = (path: string): boolean => /\.(test|suite|fixture)\.ts$/.test(path) || path.startsWith("test/");

function readModule(path: string, text: string): Module {
  const nodes: Node[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (value === null || typeof value !== "object" || !("type" in value)) return;
    nodes.push(value as Node);
    Object.values(value).forEach(visit);
  };
  visit(parseAst(text, { lang: path.endsWith(".js") ? "js" : "ts" }, path));
  const specifiers = nodes
    .filter(({ type }) => /^(Import|ExportNamed|ExportAll)Declaration$|^ImportExpression$|^TSImportType$/.test(type))
    .map(({ source }) => (source as { readonly value?: unknown } | null)?.value)
    .filter((value) => typeof value === "string");
  return { path, text, nodes, specifiers };
}

function shape({ path, text, nodes }: Module): readonly Violation[] {
  const found: Violation[] = [];
  const lines = text.trimEnd().split("\n");
  if (lines.length > maxFileLines) {
    found.push({ rule: `R5 at most ${maxFileLines} lines a file`, offender: `${path} has ${lines.length}` });
  }
  if (!/^(\/\/|\/\*)/.test((lines[0]?.startsWith("#!") ? lines[1] : lines[0]) ?? "")) {
    found.push({ rule: "R7 a file begins with a comment", offender: path });
  }
  for (const node of nodes) {
    const at = `${path}:${lineOf(text, node.start)}`;
    const length = lineOf(text, node.end) - lineOf(text, node.start) + 1;
    if (/Function/.test(node.type) && !node.type.startsWith("TS") && length > maxFunctionLines && !isTest(path)) {
      found.push({ rule: `R5 at most ${maxFunctionLines} lines a function`, offender: `${at} has ${length}` });
    }
    if (node.type === "ExportDefaultDeclaration") found.push({ rule: "R8 no default exports", offender: at });
    if (node.type === "ExportAllDeclaration") found.push({ rule: "R8 no `export *`", offender: at });
  }
  return found;
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

function names(path: string): readonly Violation[] {
  const found: Violation[] = [];
  const parts = path.replace(/(\.[a-z]+)?(\.(test|suite|fixture))?\.(ts|js)$/, "").split("/");
  for (const part of parts) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(part)) found.push({ rule: "R6 names are kebab-case", offender: path });
    if (emptyName.test(part)) {
      found.push({ rule: "R6 a name says what a thing is", offender: path });
    }
  }
  if (parts.at(-1) === "index" && path !== "src/index.ts")
    found.push({ rule: "R6 no index.ts in folders", offender: path });
  return found;
}

/** The row of the table for a file of src: a folder's, or the file's own if it lies in src itself. */
const rowOf = (path: string): string => path.split("/")[1] as string;

function imports(module: Module, layers: Layers): readonly Violation[] {
  const { path } = module;
  if (!path.startsWith("src/") || isTest(path)) return [];
  const row = rowOf(path);
  const layer = layers[row];
  if (layer === undefined) return [{ rule: "R1 every folder has a row in the table", offender: path }];
  return module.specifiers.flatMap((specifier): readonly Violation[] => {
    const offender = `${path} imports ${specifier}`;
    if (!specifier.startsWith(".")) return packageImport(row, layer, specifier, offender);
    const target = join(dirname(path), specifier);
    if (isTest(target)) return [{ rule: "R4 nothing but tests imports tests", offender }];
    if (!target.startsWith("src/"))
      return target === "package.json" ? [] : [{ rule: "R1 src imports only src", offender }];
    return folderImport({ row, layer }, target, layers).map((rule) => ({ rule, offender }));
  });
}

function folderImport({ row, layer }: { readonly row: string; readonly layer: Layer }, target: string, layers: Layers) {
  const folder = rowOf(target);
  const inside = target.slice("src/".length);
  if (folder === row || layer.may.includes(inside) || layer.may.includes(`${folder}/`)) return [];
  if (!layer.may.includes(folder)) return [`R1 ${row} may not import ${folder}`];
  const doors = layers[folder]?.doors ?? [];
  const isDoor = doors === "all" || inside === `${folder}/${folder}.ts` || doors.includes(inside);
  return isDoor ? [] : [`R1 ${folder} is entered by its door only`];
}

function packageImport(row: string, layer: Layer, specifier: string, offender: string): readonly Violation[] {
  const name = specifier.startsWith("@") ? specifier.split("/", 2).join("/") : specifier.split("/")[0];
  if (layer.packages?.includes(name as string)) return [];
  if (specifier.startsWith("node:") && row !== "core" && !guardedModules.includes(specifier)) return [];
  return [{ rule: `R2 ${row} may not use ${name}`, offender }];
}

function sharedPackages(layers: Layers, shared: readonly string[]): readonly Violation[] {
  const rows = Object.entries(layers).flatMap(([row, { packages = [] }]) => packages.map((name) => ({ row, name })));
  return rows
    .filter(({ name }) => !name.startsWith("node:") && !shared.includes(name))
    .filter(({ row, name }) => rows.some((other) => other.name === name && other.row < row))
    .map(({ row, name }) => ({ rule: "R2 a package belongs to one folder", offender: `${name} in ${row}` }));
}

/** R3: a way from each file back to itself, the shortest one, each circle told once. */
function cycles(modules: readonly Module[]): readonly Violation[] {
  const targets = new Map(
    modules.map(({ path, specifiers }) => [
      path,
      specifiers.filter((specifier) => specifier.startsWith(".")).map((specifier) => join(dirname(path), specifier)),
    ]),
  );
  const told = new Set<string>();
  const found: Violation[] = [];
  for (const { path } of modules) {
    const circle = wayBack(path, targets);
    if (circle === null || told.has([...circle].sort().join())) continue;
    told.add([...circle].sort().join());
    found.push({ rule: "R3 no import cycles", offender: [...circle, path].join(" → ") });
  }
  return found;
}

function wayBack(start: string, targets: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const seen = new Set<string>();
  let ways: readonly (readonly string[])[] = [[start]];
  while (ways.length > 0) {
    const longer: (readonly string[])[] = [];
    for (const way of ways) {
      for (const target of targets.get(way.at(-1) as string) ?? []) {
        if (target === start) return way;
        if (seen.has(target)) continue;
        seen.add(target);
        longer.push([...way, target]);
      }
    }
    ways = longer;
  }
  return null;
}
