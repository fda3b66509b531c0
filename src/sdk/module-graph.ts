// One module of the user's code as a table of its top-level statements, for the cache key. What the
// table is for, and how it is followed, is in core/code-graph.ts.
//
// R1  What is only there for the type checker, comments and layout leave no trace.
// R2  What loads code in a way that the table cannot tell is said to be unknown, with its place.

import type { Binding, Module, Origin, Position, Range, Statement } from "../core/code-graph.ts";
import { sha256Hex } from "../core/hash.ts";
import {
  childrenOf,
  declaredNames,
  type FreeName,
  freeNames,
  isFunction,
  isNode,
  isTypeOnly,
  type Node,
} from "./free-names.ts";
import { isPureStatement } from "./purity.ts";
import { syntaxHash } from "./syntax-hash.ts";
import { triggersIn } from "./trigger-syntax.ts";

export type Source = {
  /** Relative to the project directory. */
  readonly path: string;
  readonly text: string;
  /** Null: the module is no code (JSON and the like). */
  readonly syntax: Syntax | null;
};

/** What Rolldown's parser gives. Offsets are in UTF-16 units. */
export type Syntax = {
  readonly body: readonly Node[];
  readonly hasModuleSyntax: boolean;
};

/** Null: the compiler dropped the import, because only types come by it. */
export type Resolve = (specifier: string) => Origin | null;

/** `effects`: what the compiler imports of itself. */
export function moduleOf(source: Source, resolve: Resolve, effects: readonly Origin[]): Module {
  const hash = sha256Hex(source.text).slice(0, 32);
  if (source.syntax === null)
    return { type: "text", hash, statements: [], imports: {}, exports: {}, stars: [], effects: [] };
  const links = linksOf(source.syntax.body, resolve);
  const statements = source.syntax.body.filter(
    (node) => !isLink(node) && !isTypeOnly(node) && node.type !== "EmptyStatement",
  );
  const names = new Set([...declaredNames(statements), ...Object.keys(links.imports), defaultName]);
  const read = new StatementReader(source, { resolve, imports: links.imports, names });
  return {
    type: isCommonJs(source.syntax) ? "commonjs" : "esm",
    hash,
    statements: statements.filter((node) => !isDefaultType(node)).map((node) => read.statement(node)),
    ...links,
    effects: [...links.effects, ...effects],
  };
}

/** Specifiers of all imports that the text itself writes down. */
export function writtenSpecifiers(
  body: readonly Node[],
): readonly { readonly specifier: string; readonly start: number }[] {
  const found: { specifier: string; start: number }[] = [];
  const visit = (node: Node): void => {
    const source = node.source;
    const argument =
      node.type === "CallExpression"
        ? (node.arguments as readonly unknown[])[0]
        : node.type === "TSExternalModuleReference"
          ? node.expression
          : source;
    const specifier = isNode(argument) ? constantText(argument) : null;
    if (isNode(argument) && specifier !== null && !isTypeOnly(node)) found.push({ specifier, start: argument.start });
    for (const child of childrenOf(node)) visit(child);
  };
  for (const node of body) visit(node);
  return found;
}

/** The text of a string that is known before the code runs. */
export function constantText(node: Node): string | null {
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : null;
  if (node.type !== "TemplateLiteral" || (node.expressions as readonly unknown[]).length > 0) return null;
  const [quasi] = node.quasis as readonly { readonly value: { readonly cooked: string | null } }[];
  return quasi?.value.cooked ?? null;
}

/** Line and column of an offset, both from 1. */
export function positionsOf(text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return [low + 1, offset - (starts[low] ?? 0) + 1];
  };
}

/** The name of `export default` where the code gives none. */
const defaultName = "*default*";

const isLink = (node: Node): boolean =>
  node.type === "ImportDeclaration" ||
  node.type === "ExportAllDeclaration" ||
  (node.type === "ExportNamedDeclaration" && !isNode(node.declaration)) ||
  isRequireImport(node);

/** `import x = require("y")` */
const isRequireImport = (node: Node): boolean =>
  node.type === "TSImportEqualsDeclaration" &&
  isNode(node.moduleReference) &&
  node.moduleReference.type === "TSExternalModuleReference";

const isDefaultType = (node: Node): boolean =>
  node.type === "ExportDefaultDeclaration" && isNode(node.declaration) && isTypeOnly(node.declaration);

const isCommonJs = (syntax: Syntax): boolean =>
  syntax.body.some(({ type }) => type === "TSExportAssignment") ||
  (!syntax.hasModuleSyntax &&
    syntax.body.some((node) =>
      freeNames(node).some(({ name }) => name === "module" || name === "exports" || name === "require"),
    ));

type Links = Pick<Module, "imports" | "exports" | "stars" | "effects">;

function linksOf(body: readonly Node[], resolve: Resolve): Links {
  const imports: Record<string, Binding> = {};
  const exports: Record<string, string | Binding> = {};
  const stars: Origin[] = [];
  const effects: Origin[] = [];
  for (const node of body) {
    if (isTypeOnly(node)) continue;
    const reference = isRequireImport(node) ? (node.moduleReference as Node).expression : node.source;
    const from = isNode(reference) ? resolve(reference.value as string) : null;
    const specifiers = ((node.specifiers ?? []) as readonly Node[]).filter((specifier) => !isTypeOnly(specifier));
    switch (node.type) {
      case "TSImportEqualsDeclaration":
        if (from !== null) imports[nameOf(node.id)] = { from, imported: "*" };
        break;
      case "ImportDeclaration":
        if (from === null) break;
        if ((node.specifiers as readonly Node[]).length === 0) effects.push(from);
        for (const specifier of specifiers)
          imports[nameOf(specifier.local)] = { from, imported: importedName(specifier) };
        break;
      case "ExportAllDeclaration":
        if (from === null) break;
        if (isNode(node.exported)) exports[nameOf(node.exported)] = { from, imported: "*" };
        else stars.push(from);
        break;
      case "ExportNamedDeclaration":
        for (const name of isNode(node.declaration) ? declaredNames([node.declaration]) : []) exports[name] = name;
        for (const specifier of specifiers) {
          const local = nameOf(specifier.local);
          if (from !== null) exports[nameOf(specifier.exported)] = { from, imported: local };
          else if (!isNode(node.source)) exports[nameOf(specifier.exported)] = local;
        }
        break;
      case "ExportDefaultDeclaration":
        if (!isDefaultType(node)) exports.default = nameOfDefault(node);
    }
  }
  return { imports, exports, stars, effects };
}

const nameOf = (node: unknown): string => (isNode(node) ? ((node.name ?? node.value) as string) : "");

const importedName = (specifier: Node): string =>
  specifier.type === "ImportNamespaceSpecifier"
    ? "*"
    : specifier.type === "ImportDefaultSpecifier"
      ? "default"
      : nameOf(specifier.imported);

function nameOfDefault(node: Node): string {
  const declaration = node.declaration;
  const isNamed =
    isNode(declaration) &&
    (declaration.type === "FunctionDeclaration" || declaration.type === "ClassDeclaration") &&
    isNode(declaration.id);
  return isNamed ? nameOf(declaration.id) : defaultName;
}

type Surroundings = {
  readonly resolve: Resolve;
  readonly imports: Links["imports"];
  readonly names: ReadonlySet<string>;
};

class StatementReader {
  readonly #source: Source;
  readonly #around: Surroundings;
  readonly #position: (offset: number) => Position;

  constructor(source: Source, around: Surroundings) {
    this.#source = source;
    this.#around = around;
    this.#position = positionsOf(source.text);
  }

  statement(node: Node): Statement {
    const free = freeNames(node);
    const declares = node.type === "ExportDefaultDeclaration" ? [nameOfDefault(node)] : declaredNames([node]);
    const loads: Origin[] = [];
    const functions: Range[] = [];
    const unknown = free.flatMap((name) => this.#unknownName(name) ?? []);
    /** Called where they are written. */
    const immediate = new Set<unknown>();
    const visit = (inner: Node, isLater: boolean): void => {
      const isDeferred = isFunction(inner) && !immediate.has(inner);
      if (isDeferred && !isLater) functions.push(this.#range(inner));
      if (inner.type === "CallExpression") immediate.add(unwrapped(inner.callee));
      if (this.#isUnversioned(inner))
        unknown.push(this.#unknown(inner, "calls a deployed task in whatever version there is: name one"));
      const load = loadedBy(inner);
      if (load !== null) this.#load(load, inner, { loads, unknown });
      for (const child of childrenOf(inner)) visit(child, isLater || isDeferred);
    };
    visit(node, false);
    return {
      range: this.#range(node),
      hash: syntaxHash(node),
      type: isPureStatement(node) ? "declares" : declares.length > 0 ? "computes" : "acts",
      declares,
      mentions: [...new Set(free.flatMap((name) => this.#mention(name) ?? []))],
      loads,
      functions,
      unknown: unknown[0] ?? null,
      ...this.#untriggered(node),
    };
  }

  /** Its hash without the triggers that it gives a task. */
  #untriggered(node: Node): Pick<Statement, "untriggered"> {
    const found = triggersIn(node);
    const first = ((found?.call.arguments ?? []) as readonly unknown[]).find(isNode);
    if (found === null || first === undefined) return {};
    return { untriggered: { hash: syntaxHash(node, found.triggers), argumentsAt: this.#position(first.start) } };
  }

  #range(node: Node): Range {
    return [this.#position(node.start), this.#position(node.end)];
  }

  #mention({ name, member }: FreeName): string | null {
    const { imports, names } = this.#around;
    if (!names.has(name)) return null;
    return member !== null && Object.hasOwn(imports, name) && imports[name]?.imported === "*"
      ? `${name}.${member}`
      : name;
  }

  /** R2. */
  #unknownName({ name, member, node }: FreeName): string | null {
    const binding = Object.hasOwn(this.#around.imports, name) ? this.#around.imports[name] : undefined;
    const isNodeModule = binding?.from.type === "builtin" && /^(node:)?module$/.test(binding.from.name);
    const asked = binding?.imported === "*" || binding?.imported === "default" ? member : binding?.imported;
    if (isNodeModule && (asked === "createRequire" || asked === null))
      return this.#unknown(node, "loads code through createRequire()");
    if (name === "eval" && !this.#around.names.has(name)) return this.#unknown(node, "runs code through eval()");
    return null;
  }

  /** R2. A version never changes; the last one is another one after each deployment. */
  #isUnversioned({ type, callee, arguments: given }: Node): boolean {
    const name = isNode(callee) ? (callee.type === "MemberExpression" ? callee.object : callee) : null;
    const binding = isNode(name) ? this.#around.imports[nameOf(name)] : undefined;
    if (type !== "CallExpression" || binding?.from.type !== "package" || binding.from.name !== "godwit") return false;
    const asked = binding.imported === "*" ? nameOf((callee as Node).property) : binding.imported;
    const [options] = given as readonly unknown[];
    const properties = isNode(options) ? ((options.properties ?? []) as readonly Node[]) : [];
    return asked === "remoteTask" && !properties.some(({ key }) => nameOf(key) === "version");
  }

  #load(load: Load, node: Node, to: { readonly loads: Origin[]; readonly unknown: string[] }): void {
    const what = load.specifier === null ? null : constantText(load.specifier);
    if (load.type === "url") {
      if (what !== null && /\.[cm]?[jt]sx?$/.test(what))
        to.unknown.push(this.#unknown(node, `uses the code of ${what} by its path`));
      return;
    }
    const origin = what === null ? null : this.#around.resolve(what);
    if (origin !== null) to.loads.push(origin);
    else
      to.unknown.push(
        this.#unknown(
          node,
          what === null
            ? `loads a module whose name is computed when it runs`
            : `loads ${what} in a way that the bundler does not follow`,
        ),
      );
  }

  #unknown(node: Node, reason: string): string {
    return `${this.#source.path}:${this.#position(node.start)[0]} ${reason}`;
  }
}

type Load = { readonly type: "module" | "url"; readonly specifier: Node | null };

/** `import(…)`, `require(…)` and `new URL(…, import.meta.url)`. */
function loadedBy(node: Node): Load | null {
  const [first, second] = ((node.arguments ?? []) as readonly unknown[]).filter(isNode);
  const callee = nameOf(node.callee);
  if (node.type === "ImportExpression") return { type: "module", specifier: isNode(node.source) ? node.source : null };
  if (node.type === "CallExpression" && callee === "require") return { type: "module", specifier: first ?? null };
  if (node.type === "NewExpression" && callee === "URL" && second !== undefined)
    return { type: "url", specifier: first ?? null };
  return null;
}

/** Without the parentheses around it. */
const unwrapped = (value: unknown): unknown =>
  isNode(value) && value.type === "ParenthesizedExpression" ? unwrapped(value.expression) : value;
