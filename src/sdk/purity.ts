// Whether loading a piece of code does anything beyond declaring names. What is in doubt does.
//
// R1  Calls, `new`, `await`, assignments and the like do. Reading a name or a member does not: getters
//     and coercions that change things are not worth missing the cache for.
import { isFunction, isNode, isTypeOnly, type Node } from "./free-names.ts";

/** Declarations that run no code when they are loaded. */
export function isPureStatement(statement: Node): boolean {
  if (isTypeOnly(statement)) return true;
  switch (statement.type) {
    case "FunctionDeclaration":
    case "TSImportEqualsDeclaration":
    case "EmptyStatement":
      return true;
    case "VariableDeclaration":
      return nodes(statement, "declarations").every((declarator) => isPure(declarator.id) && isPure(declarator.init));
    case "TSEnumDeclaration":
      return nodes(statement.body, "members").every((member) => isPure(member.initializer));
    case "TSModuleDeclaration":
      return nodes(statement.body, "body").every(isPureStatement);
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration": {
      const declaration = statement.declaration;
      return !isNode(declaration) || (isDeclaration(declaration) ? isPureStatement(declaration) : isPure(declaration));
    }
    case "ClassDeclaration":
      return isPure(statement);
    case "ExpressionStatement":
      return isPure(statement.expression);
    default:
      return false;
  }
}

const isDeclaration = ({ type }: Node): boolean => type.endsWith("Declaration");

const nodes = (value: unknown, field: string): readonly Node[] => {
  const list = isNode(value) ? value[field] : null;
  return Array.isArray(list) ? list.filter(isNode) : [];
};

/** R1. Of an expression or a pattern. */
function isPure(value: unknown): boolean {
  if (!isNode(value) || isFunction(value) || isTypeOnly(value)) return true;
  const all = (...fields: readonly string[]): boolean =>
    fields.every((field) => (Array.isArray(value[field]) ? nodes(value, field).every(isPure) : isPure(value[field])));
  switch (value.type) {
    case "Literal":
    case "Identifier":
    case "ThisExpression":
    case "MetaProperty":
    case "TemplateElement":
      return true;
    case "TemplateLiteral":
      return all("expressions");
    case "ArrayExpression":
    case "ArrayPattern":
      return all("elements");
    case "ObjectExpression":
    case "ObjectPattern":
      return all("properties");
    case "Property":
      return all("key", "value");
    case "SpreadElement":
    case "RestElement":
      return all("argument");
    case "UnaryExpression":
      return value.operator !== "delete" && all("argument");
    case "BinaryExpression":
    case "LogicalExpression":
    case "AssignmentPattern":
      return all("left", "right");
    case "ConditionalExpression":
      return all("test", "consequent", "alternate");
    case "MemberExpression":
      return all("object", "property");
    case "ParenthesizedExpression":
    case "ChainExpression":
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "TSTypeAssertion":
    case "TSInstantiationExpression":
      return all("expression");
    case "ClassDeclaration":
    case "ClassExpression":
      return (
        nodes(value, "decorators").length === 0 && all("superClass") && nodes(value.body, "body").every(isPureMember)
      );
    default:
      return false;
  }
}

function isPureMember(member: Node): boolean {
  if (member.type === "StaticBlock") return nodes(member, "body").length === 0;
  const hasDecorators =
    nodes(member, "decorators").length > 0 ||
    nodes(member.value, "params").some((parameter) => nodes(parameter, "decorators").length > 0);
  const isStaticValue = member.static === true && member.type !== "MethodDefinition";
  return !hasDecorators && (member.computed !== true || isPure(member.key)) && (!isStaticValue || isPure(member.value));
}
