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
  if (node.declare === true || node.importKind === "type" || node.exportKind === "type") return true;
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
  if (isTypeOnly(node)) return;
  const within = innerScope(node, scope);
  if (node.type === "MemberExpression" || node.type === "JSXMemberExpression") takeMember(node, scope, found);
  else if (node.type === "Identifier" || isComponent(node))
    take({ node, member: null, isShorthand: false }, scope, found);
  else if (isShorthand(node)) take({ node: node.value as Node, member: null, isShorthand: true }, scope, found);
  for (const part of evaluatedParts(node)) walk(part, within, found);
}

/** JSX takes names in lower case for elements, not for values. */
const isComponent = (node: Node): boolean => node.type === "JSXIdentifier" && !/^[a-z]/.test(node.name as string);

const isShorthand = (node: Node): boolean =>
  node.type === "Property" && node.shorthand === true && isNode(node.value) && node.value.type === "Identifier";

function take(taken: Omit<FreeName, "name">, scope: Scope, found: FreeName[]): void {
  const name = taken.node.name as string;
  if (!isBound(name, scope)) found.push({ name, ...taken });
}

/** Nodes below in which names stand for values. */
function evaluatedParts(node: Node): readonly Node[] {
  const key = node.computed === true ? [node.key] : [];
  switch (node.type) {
    case "Identifier":
      return decoratorsOf(node);
    case "JSXMemberExpression":
    case "MemberExpression":
      return [
        ...(isName(node.object as Node) ? [] : [node.object]),
        ...(node.computed === true ? [node.property] : []),
      ].filter(isNode);
    case "JSXAttribute":
      return [node.value].filter(isNode);
    case "Property":
      return isShorthand(node) ? [] : [...key, node.value].filter(isNode);
    case "MethodDefinition":
    case "PropertyDefinition":
    case "AccessorProperty":
      return [...decoratorsOf(node), ...key, node.value].filter(isNode);
    case "TSEnumMember":
      return [node.initializer].filter(isNode);
    case "LabeledStatement":
      return [node.body].filter(isNode);
    case "ExportNamedDeclaration":
      // `export { a as b }` moves names about and asks for no value.
      return [node.declaration].filter(isNode);
    case "MetaProperty":
    case "BreakStatement":
    case "ContinueStatement":
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return [];
    default:
      return childrenOf(node, typeFields);
  }
}

const isName = (node: Node): boolean => node.type === "Identifier" || node.type === "JSXIdentifier";

/** `a.b` asks only for a member of `a`, which matters when `a` is a namespace. */
function takeMember(node: Node, scope: Scope, found: FreeName[]): void {
  const object = node.object as Node;
  const property = node.property as Node;
  const written = node.computed === true ? (property.type === "Literal" ? property.value : null) : property.name;
  const member = typeof written === "string" ? written : null;
  if (isName(object)) take({ node: object, member, isShorthand: false }, scope, found);
}

const decoratorsOf = (node: Node): readonly Node[] =>
  ((node.decorators as readonly Node[] | undefined) ?? []).filter(isNode);

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
        list("members").flatMap((child) => (isNode(child.id) ? patternNames(child.id) : [])),
        scope,
      );
    case "SwitchStatement":
      return inner(lexicalNames(list("cases").flatMap((child) => (child.consequent as readonly Node[]) ?? [])), scope);
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
        return (statement.declarations as readonly Node[]).flatMap(({ id }) => (isNode(id) ? patternNames(id) : []));
      case "FunctionDeclaration":
      case "ClassDeclaration":
      case "TSEnumDeclaration":
      case "TSModuleDeclaration":
      case "TSImportEqualsDeclaration":
        return isNode(statement.id) ? patternNames(statement.id) : [];
      case "ExportNamedDeclaration":
        return isNode(statement.declaration) ? lexicalNames([statement.declaration]) : [];
      default:
        return [];
    }
  });
}

/** `var` reaches up to the function, whatever block it stands in. */
function varNames(node: Node): readonly string[] {
  if (isFunction(node) || node.type === "ClassBody" || node.type === "TSModuleBlock") return [];
  const own =
    node.type === "VariableDeclaration" && node.kind === "var" && !isTypeOnly(node) ? lexicalNames([node]) : [];
  return [...own, ...childrenOf(node, typeFields).flatMap(varNames)];
}

export function patternNames(pattern: Node): readonly string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name as string];
    case "ObjectPattern":
      return (pattern.properties as readonly Node[]).flatMap((property) =>
        patternNames((property.value ?? property.argument) as Node),
      );
    case "ArrayPattern":
      return (pattern.elements as readonly unknown[]).filter(isNode).flatMap(patternNames);
    case "AssignmentPattern":
      return patternNames(pattern.left as Node);
    case "RestElement":
      return patternNames(pattern.argument as Node);
    case "TSParameterProperty":
      return patternNames(pattern.parameter as Node);
    default:
      return [];
  }
}
