// Which names a piece of code takes from outside itself. Reads the syntax tree that Rolldown's parser
// gives (ESTree with TypeScript's nodes). Types do not count: they are gone when the code runs.
//
// R1  A name is bound where JavaScript binds it: parameters, `var`, block scope, classes, catch,
//     enums, namespaces. Where that is in doubt the name counts as free: one too many is harmless.

/** A node of the syntax tree. Which fields it has follows from `type`. */
export type Node = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
};

export type FreeName = {
  readonly name: string;
  /** The member asked for, if that is known: `a.member`, `a["member"]`. */
  readonly member: string | null;
  readonly node: Node;
  /** Whether it stands for `{ name: name }` in an object. */
  readonly isShorthand: boolean;
};

export function freeNames(root: Node): readonly FreeName[] {
  const found: FreeName[] = [];
  walk(root, { names: new Set(), parent: null }, found);
  return found;
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

/** Nodes directly below, in the order of the text. */
export function childrenOf(node: Node, except: readonly string[] = []): readonly Node[] {
  const children: Node[] = [];
  for (const [field, value] of Object.entries(node)) {
    if (except.includes(field)) continue;
    if (Array.isArray(value)) children.push(...value.filter(isNode));
    else if (isNode(value)) children.push(value);
  }
  return children;
}

export const isFunction = (node: Node): boolean =>
  node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression";

/** Code that is only there for the type checker. */
export function isTypeOnly(node: Node): boolean {
  if (node["declare"] === true || node["importKind"] === "type" || node["exportKind"] === "type") return true;
  return (
    node.type === "TSInterfaceDeclaration" ||
    node.type === "TSTypeAliasDeclaration" ||
    node.type === "TSDeclareFunction" ||
    node.type === "TSNamespaceExportDeclaration" ||
    node.type === "TSEmptyBodyFunctionExpression"
  );
}

/** Names that statements declare in the scope they stand in, `var` in inner blocks included. */
export const declaredNames = (statements: readonly Node[]): readonly string[] => [
  ...lexicalNames(statements),
  ...statements.flatMap(varNames),
];

type Scope = { readonly names: Set<string>; readonly parent: Scope | null };

const isBound = (name: string, scope: Scope | null): boolean =>
  scope !== null && (scope.names.has(name) || isBound(name, scope.parent));

const inner = (names: readonly string[], parent: Scope): Scope => ({ names: new Set(names), parent });

/** Where a node keeps its types. */
export const typeFields: readonly string[] = [
  "typeAnnotation",
  "returnType",
  "typeParameters",
  "typeArguments",
  "superTypeArguments",
  "implements",
];

function walk(node: Node, scope: Scope, found: FreeName[]): void {
  const inside = (child: unknown, within = scope): void => {
    if (isNode(child)) walk(child, within, found);
  };
  const all = (children: readonly Node[], within = scope): void => {
    for (const child of children) walk(child, within, found);
  };
  const take = (name: string, member: string | null, isShorthand = false): void => {
    if (!isBound(name, scope)) found.push({ name, member, node, isShorthand });
  };
  if (isTypeOnly(node)) return;
  switch (node.type) {
    case "Identifier":
      all(decoratorsOf(node));
      return take(node["name"] as string, null);
    case "JSXIdentifier":
      if (!/^[a-z]/.test(node["name"] as string)) take(node["name"] as string, null);
      return;
    case "JSXMemberExpression":
    case "MemberExpression":
      return member(node, scope, found);
    case "JSXAttribute":
      return inside(node["value"]);
    case "Property": {
      if (node["computed"] === true) inside(node["key"]);
      const value = node["value"] as Node;
      if (node["shorthand"] === true && value.type === "Identifier")
        return isBound(value["name"] as string, scope)
          ? undefined
          : void found.push({ name: value["name"] as string, member: null, node: value, isShorthand: true });
      return inside(value);
    }
    case "MethodDefinition":
    case "PropertyDefinition":
    case "AccessorProperty":
      if (node["computed"] === true) inside(node["key"]);
      all(decoratorsOf(node));
      return inside(node["value"]);
    case "TSEnumMember":
      return inside(node["initializer"]);
    case "MetaProperty":
    case "BreakStatement":
    case "ContinueStatement":
    case "ImportDeclaration":
      return;
    case "LabeledStatement":
      return inside(node["body"]);
    case "ExportNamedDeclaration":
      // `export { a as b }` moves names about and asks for no value.
      return inside(node["declaration"]);
    case "ExportAllDeclaration":
      return;
    default:
      return all(childrenOf(node, typeFields), innerScope(node, scope));
  }
}

/** `a.b` asks only for a member of `a`, which matters when `a` is a namespace. */
function member(node: Node, scope: Scope, found: FreeName[]): void {
  const object = node["object"] as Node;
  const property = node["property"] as Node;
  const isNamed = object.type === "Identifier" || object.type === "JSXIdentifier";
  const name =
    node["computed"] === true
      ? property.type === "Literal" && typeof property["value"] === "string"
        ? property["value"]
        : null
      : ((property["name"] as string | undefined) ?? null);
  if (!isNamed) walk(object, scope, found);
  else if (!isBound(object["name"] as string, scope))
    found.push({ name: object["name"] as string, member: name, node: object, isShorthand: false });
  if (node["computed"] === true) walk(property, scope, found);
}

const decoratorsOf = (node: Node): readonly Node[] =>
  ((node["decorators"] as readonly Node[] | undefined) ?? []).filter(isNode);

/** R1. */
function innerScope(node: Node, scope: Scope): Scope {
  const list = (field: string): readonly Node[] =>
    ((node[field] as readonly Node[] | null | undefined) ?? []).filter(isNode);
  const one = (field: string): readonly Node[] => [node[field]].filter(isNode);
  if (isFunction(node)) {
    const own = node.type === "FunctionExpression" ? one("id").flatMap(patternNames) : [];
    return inner([...own, ...list("params").flatMap(patternNames)], scope);
  }
  switch (node.type) {
    case "ClassExpression":
      return inner(one("id").flatMap(patternNames), scope);
    case "BlockStatement":
    case "StaticBlock":
    case "TSModuleBlock":
      return inner(declaredNames(list("body")), scope);
    case "TSEnumBody":
      return inner(
        list("members").flatMap((child) => (isNode(child["id"]) ? patternNames(child["id"]) : [])),
        scope,
      );
    case "SwitchStatement":
      return inner(
        lexicalNames(list("cases").flatMap((child) => (child["consequent"] as readonly Node[]) ?? [])),
        scope,
      );
    case "ForStatement":
      return inner(lexicalNames(one("init")), scope);
    case "ForInStatement":
    case "ForOfStatement":
      return inner(lexicalNames(one("left")), scope);
    case "CatchClause":
      return inner(one("param").flatMap(patternNames), scope);
    default:
      return scope;
  }
}

function lexicalNames(statements: readonly Node[]): readonly string[] {
  return statements.flatMap((statement): readonly string[] => {
    if (isTypeOnly(statement)) return [];
    switch (statement.type) {
      case "VariableDeclaration":
        return (statement["declarations"] as readonly Node[]).flatMap(({ id }) => (isNode(id) ? patternNames(id) : []));
      case "FunctionDeclaration":
      case "ClassDeclaration":
      case "TSEnumDeclaration":
      case "TSModuleDeclaration":
      case "TSImportEqualsDeclaration":
        return isNode(statement["id"]) ? patternNames(statement["id"]) : [];
      case "ExportNamedDeclaration":
        return isNode(statement["declaration"]) ? lexicalNames([statement["declaration"]]) : [];
      default:
        return [];
    }
  });
}

/** `var` reaches up to the function, whatever block it stands in. */
function varNames(node: Node): readonly string[] {
  if (isFunction(node) || node.type === "ClassBody" || node.type === "TSModuleBlock") return [];
  const own =
    node.type === "VariableDeclaration" && node["kind"] === "var" && !isTypeOnly(node) ? lexicalNames([node]) : [];
  return [...own, ...childrenOf(node, typeFields).flatMap(varNames)];
}

export function patternNames(pattern: Node): readonly string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern["name"] as string];
    case "ObjectPattern":
      return (pattern["properties"] as readonly Node[]).flatMap((property) =>
        patternNames((property["value"] ?? property["argument"]) as Node),
      );
    case "ArrayPattern":
      return (pattern["elements"] as readonly unknown[]).filter(isNode).flatMap(patternNames);
    case "AssignmentPattern":
      return patternNames(pattern["left"] as Node);
    case "RestElement":
      return patternNames(pattern["argument"] as Node);
    case "TSParameterProperty":
      return patternNames(pattern["parameter"] as Node);
    default:
      return [];
  }
}
