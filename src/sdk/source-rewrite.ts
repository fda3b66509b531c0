// Lets the user's modules, once they are bundled into one file, still mean their own source file when
// they say `import.meta`, `__dirname` or `import(path)` with a path that is computed (loaded-bundles.ts R1).
import { childrenOf, freeNames, isNode, type Node } from "./free-names.ts";
import { sourceExpression } from "./loaded-bundles.ts";
import { constantText } from "./module-graph.ts";

/** `text` in place of what lies from `start` to `end`. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string };

/** In the order of the text, not overlapping. */
export function sourceEdits(body: readonly Node[], path: string): readonly Edit[] {
  const edits: Edit[] = [];
  const expression = sourceExpression(path);
  const visit = (node: Node): void => {
    if (node.type === "MetaProperty" && isNode(node.meta) && node.meta.name === "import") {
      edits.push({ start: node.start, end: node.end, text: expression });
    }
    const source = node.source;
    if (node.type === "ImportExpression" && isNode(source) && constantText(source) === null) {
      edits.push(
        { start: source.start, end: source.start, text: `${expression}.target(` },
        { start: source.end, end: source.end, text: ")" },
      );
    }
    for (const child of childrenOf(node)) visit(child);
  };
  for (const node of body) {
    visit(node);
    for (const { name, node: at, isShorthand } of freeNames(node)) {
      const member = name === "__dirname" ? "dirname" : name === "__filename" ? "filename" : null;
      if (member !== null)
        edits.push({ start: at.start, end: at.end, text: `${isShorthand ? `${name}: ` : ""}${expression}.${member}` });
    }
  }
  return edits.sort((a, b) => a.start - b.start);
}
