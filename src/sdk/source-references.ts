// Files and packages that the user's code reads by their place, as far as the code writes that place
// down: a portable bundle takes them along.
import { childrenOf, isNode, type Node } from "./free-names.ts";
import { constantText } from "./module-graph.ts";

export type References = {
  /** Relative to the module. */
  readonly paths: readonly string[];
  /** As they are imported. */
  readonly packages: readonly string[];
};

/**
 * `new URL("./x.csv", import.meta.url)`, `join(import.meta.dirname, "x.csv")` and the same with
 * `__dirname`, `import.meta.resolve("package")` and `require.resolve("package")`.
 */
export function referencesIn(body: readonly Node[]): References {
  const paths: string[] = [];
  const packages: string[] = [];
  const visit = (node: Node): void => {
    const given = ((node.arguments ?? []) as readonly unknown[]).filter(isNode);
    const [first, ...rest] = given;
    const texts = rest.map(constantText);
    if (node.type === "NewExpression" && nameOf(node.callee) === "URL" && first !== undefined) {
      const text = constantText(first);
      if (text !== null && isOf(rest[0], "url")) paths.push(decodeURIComponent(text));
    }
    if (node.type === "CallExpression" && first !== undefined) {
      const text = constantText(first);
      if (text !== null && isResolve(node.callee)) (/^\.{0,2}\//.test(text) ? paths : packages).push(text);
      if (isPlace(first) && texts.length > 0 && texts.every((each) => each !== null)) paths.push(texts.join("/"));
    }
    for (const child of childrenOf(node)) visit(child);
  };
  for (const node of body) visit(node);
  return { paths: [...new Set(paths)], packages: [...new Set(packages)] };
}

const nameOf = (node: unknown): unknown => (isNode(node) ? node.name : undefined);

/** `import.meta.<member>` */
const isOf = (node: unknown, member: string): boolean =>
  isNode(node) &&
  node.type === "MemberExpression" &&
  isNode(node.object) &&
  node.object.type === "MetaProperty" &&
  nameOf(node.property) === member;

const isPlace = (node: Node): boolean => isOf(node, "dirname") || nameOf(node) === "__dirname";

const isResolve = (callee: unknown): boolean =>
  isOf(callee, "resolve") ||
  (isNode(callee) &&
    callee.type === "MemberExpression" &&
    nameOf(callee.object) === "require" &&
    nameOf(callee.property) === "resolve");
