// Types of inputs and outputs in words, as `--help` and errors show them.
import type { LiteralType, Variable } from "../core/value.ts";
import { typeText } from "../idl/idl.ts";

/** As `typeText`, with what a table's columns and a file's format have to be. */
export function typeHelp(type: LiteralType): string {
  if (type.type === "structuredDataset" && type.columns.length > 0) {
    const columns = type.columns.map(({ name, type: column }) => `${name}: ${typeText(column)}`);
    return `table with ${columns.join(", ")}`;
  }
  if (type.type === "blob" && type.format !== "") return `${typeText(type)} (${type.format})`;
  return typeText(type);
}

/** What a person types after the flag. */
export function placeholder(type: LiteralType): string {
  switch (type.type) {
    case "simple":
      return type.simple;
    case "struct":
    case "map":
      return "json";
    case "collection":
      return "value|json";
    case "enum":
      return type.values.join("|");
    case "union": {
      const some = withoutNone(type);
      return some === null ? "json" : placeholder(some);
    }
    case "blob":
      return type.dimensionality === "multipart" ? "directory" : "path";
    case "structuredDataset":
      return "path";
  }
}

/** The type of an optional value that is there; null if there are several. Any other type is itself. */
export function withoutNone(type: LiteralType): LiteralType | null {
  if (type.type !== "union") return type;
  const some = type.variants.filter(({ type: variant }) => !isNone(variant));
  return some.length === 1 ? (some[0] as { type: LiteralType }).type : null;
}

export const isNone = (type: LiteralType): boolean => type.type === "simple" && type.simple === "none";

export const isBoolean = (type: LiteralType): boolean => {
  const some = withoutNone(type);
  return some?.type === "simple" && some.simple === "boolean";
};

/** `maxDepth` and `max_depth` are also `--max-depth`. */
export const flagName = (input: string): string =>
  input
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll("_", "-")
    .toLowerCase();

/** One line of the inputs of a task: flag, type, and what is said about it. */
export function inputHelp(variable: Variable): readonly [string, string] {
  const flag = flagName(variable.name);
  const left = isBoolean(variable.type) ? `--[no-]${flag}` : `--${flag} <${placeholder(variable.type)}>`;
  const remarks = [
    typeHelp(variable.type),
    variable.required ? "required" : variable.defaultText === null ? "optional" : `default: ${variable.defaultText}`,
  ];
  const said = variable.description === null ? "" : `${variable.description} `;
  return [left, `${said}(${remarks.join("; ")})`];
}
