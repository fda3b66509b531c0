// A hash of a piece of code that is the same however it is laid out: comments, spaces, quotes and
// types are not in it, all that decides what the code does is.
import { sha256Hex } from "../core/hash.ts";
import { isNode, isTypeOnly, type Node, typeFields } from "./free-names.ts";

/** `without`: a node that is taken for not being there, if it stands in a list. */
export function syntaxHash(root: Node, without: Node | null = null): string {
  const parts: string[] = [];
  // Decorators may be given the types of what they decorate, when the code runs.
  write(root, { hasTypes: hasDecorators(root), without }, parts);
  return sha256Hex(parts.join("")).slice(0, 32);
}

/** `hasTypes`: types count, too. */
type How = { readonly hasTypes: boolean; readonly without: Node | null };

/** Where it stands, and what only the type checker reads. */
const positionFields: readonly string[] = ["start", "end"];
const checkedFields: readonly string[] = ["accessibility", "readonly", "override", "definite", ...typeFields];

/** Only the type checker sees these around an expression. */
const wrappers: readonly string[] = [
  "ParenthesizedExpression",
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
];

function write(node: Node, how: How, parts: string[]): void {
  if (!how.hasTypes && isTypeOnly(node)) return;
  if (!how.hasTypes && wrappers.includes(node.type) && isNode(node.expression)) {
    write(node.expression, how, parts);
    return;
  }
  parts.push(node.type, "{");
  if (node.type === "Literal") parts.push(literal(node));
  else writeFields(node, how, parts);
  parts.push("}");
}

function writeFields(node: Node, how: How, parts: string[]): void {
  for (const [field, value] of Object.entries(node)) {
    if (field === "type" || positionFields.includes(field) || (!how.hasTypes && checkedFields.includes(field)))
      continue;
    // Left out fields are those that the parser fills in for nothing.
    if (value === null || value === undefined || value === false) continue;
    parts.push(field, ":");
    writeValue(value, how, parts);
  }
}

function writeValue(value: unknown, how: How, parts: string[]): void {
  if (isNode(value)) write(value, how, parts);
  else if (Array.isArray(value)) {
    parts.push("[");
    for (const element of value) if (element !== how.without) writeValue(element, how, parts);
    parts.push("]");
  } else parts.push(JSON.stringify(value), ",");
}

const literal = (node: Node): string => {
  const { value } = node as { value?: unknown };
  return typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value))
    ? JSON.stringify(value)
    : String(node.raw);
};

function hasDecorators(node: Node): boolean {
  for (const [field, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      if (field === "decorators" && value.length > 0) return true;
      if (value.some((element) => isNode(element) && hasDecorators(element))) return true;
    } else if (isNode(value) && hasDecorators(value)) return true;
  }
  return false;
}
