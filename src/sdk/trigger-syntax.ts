// Triggers in the text of a definition: `export const main = env.task({ name: "main", triggers: […] }, …)`.
import { isNode, type Node } from "./free-names.ts";

/** `call`: all that the statement is about; `triggers`: the property of its options. Null: it is something else. */
export function triggersIn(statement: Node): { readonly call: Node; readonly triggers: Node } | null {
  const call = soleCall(statement);
  const callee = call === null ? null : nodeOf(call.callee);
  if (call === null || callee?.type !== "MemberExpression" || callee.computed === true) return null;
  if (!["task", "shell"].includes(nameOf(callee.property))) return null;
  const [options] = listOf(call.arguments);
  if (options?.type !== "ObjectExpression") return null;
  const named = listOf(options.properties).filter((property) => nameOf(property.key) === "triggers");
  const [triggers] = named;
  return triggers === undefined || named.length > 1 || triggers.computed === true ? null : { call, triggers };
}

function soleCall(statement: Node): Node | null {
  const declaration = nodeOf(statement.declaration) ?? statement;
  const [declarator, ...others] = listOf(declaration.declarations);
  const value = declarator === undefined ? declaration : nodeOf(declarator.init);
  const isPlain = declarator === undefined || (others.length === 0 && nodeOf(declarator.id)?.type === "Identifier");
  return isPlain && value?.type === "CallExpression" ? value : null;
}

const nodeOf = (value: unknown): Node | null => (isNode(value) ? value : null);

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);

const nameOf = (value: unknown): string => {
  const node = nodeOf(value);
  return node?.type === "Identifier" || node?.type === "PrivateIdentifier"
    ? String(node.name)
    : String(node?.value ?? "");
};
