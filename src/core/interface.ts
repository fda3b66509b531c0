// Whether what one side of a call says of its values goes with what the other side says: types that two
// SDKs made of two languages' types are seldom the same, and need not be.
//
// R1  A value goes where every value of its type is taken: an integer for a float, a member for a union,
//     a struct with more properties for one with fewer.
// R2  What is not known (a struct without a schema, a table without columns) goes with everything of its kind.
import type { JsonSchema, LiteralType, TypedInterface, Variable } from "./value.ts";

/** What the code of a caller says of a task that it does not have. */
export type ExpectedInterface = {
  readonly inputs: readonly Variable[];
  /** The forms that the outputs may have: under names of their own, or as one value. One of them has to go. */
  readonly outputs: readonly (readonly Variable[])[];
};

/** Null: the call can be made. Else the first thing that does not go, in words. */
export function interfaceMismatch(expected: ExpectedInterface, actual: TypedInterface): string | null {
  return inputsMismatch(expected.inputs, actual.inputs) ?? outputsMismatch(expected.outputs, actual.outputs);
}

function inputsMismatch(given: readonly Variable[], taken: readonly Variable[]): string | null {
  const names = taken.map(({ name }) => name);
  const extra = given.find(({ name }) => !names.includes(name));
  if (extra !== undefined) return `it has no input "${extra.name}", but ${listed(names, "no inputs")}`;
  for (const { name, type, required } of taken) {
    const match = given.find((each) => each.name === name);
    if (match === undefined && required) return `its input "${name}" (${typeText(type)}) is missing`;
    if (match === undefined) continue;
    if (required && !match.required) return `its input "${name}" has to be given, and the schema lets it be left out`;
    const problem = mismatch(match.type, type);
    if (problem !== null) return `its input "${name}" ${problem}`;
  }
  return null;
}

function outputsMismatch(forms: ExpectedInterface["outputs"], made: readonly Variable[]): string | null {
  let first: string | null = null;
  for (const form of forms) {
    const problem = formMismatch(form, made);
    if (problem === null) return null;
    // A form of the same names is the one that was meant.
    if (first === null || form.every(({ name }) => made.some((each) => each.name === name))) first = problem;
  }
  return first;
}

function formMismatch(form: readonly Variable[], made: readonly Variable[]): string | null {
  const names = made.map(({ name }) => name);
  for (const { name, type, required } of form) {
    const match = made.find((each) => each.name === name);
    if (match === undefined && required) return `it has no output "${name}", but ${listed(names, "no outputs")}`;
    const problem = match === undefined ? null : mismatch(match.type, type);
    if (problem !== null) return `its output "${name}" ${problem}`;
  }
  return null;
}

const listed = (names: readonly string[], none: string): string =>
  names.length === 0 ? none : names.map((name) => `"${name}"`).join(", ");

/** What keeps values of one type from going where the other is expected (R1); null if nothing. */
export function mismatch(from: LiteralType, to: LiteralType): string | null {
  if (isOpaque(from) || isOpaque(to)) return "is an opaque Python value (PythonPickle), which only Python can read";
  if (from.type === "union") return firstOf(from.variants.map(({ type }) => mismatch(type, to)));
  if (to.type === "union") {
    const problems = to.variants.map(({ type }) => mismatch(from, type));
    return problems.includes(null) ? null : differ(from, to);
  }
  if (from.type === "enum") return fromEnum(from.values, to);
  if (from.type !== to.type) return differ(from, to);
  switch (from.type) {
    case "simple":
      return goesTo(from.simple, (to as typeof from).simple) ? null : differ(from, to);
    case "collection":
      return inside("of each element ", mismatch(from.element, (to as typeof from).element));
    case "map":
      return inside("of each value ", mismatch(from.value, (to as typeof from).value));
    case "struct":
      return schemaMismatch(from.schema, (to as typeof from).schema);
    case "blob":
      return from.dimensionality === (to as typeof from).dimensionality ? null : differ(from, to);
    case "structuredDataset":
      return columnsMismatch(from, to as typeof from);
  }
}

const isOpaque = (type: LiteralType): boolean => type.type === "blob" && type.format === "PythonPickle";

const goesTo = (from: string, to: string): boolean => from === to || (from === "integer" && to === "float");

const firstOf = (problems: readonly (string | null)[]): string | null =>
  problems.find((problem) => problem !== null) ?? null;

const inside = (where: string, problem: string | null): string | null => (problem === null ? null : where + problem);

const differ = (from: LiteralType, to: LiteralType): string => `is ${typeText(from)} where ${typeText(to)} is expected`;

function fromEnum(values: readonly string[], to: LiteralType): string | null {
  if (to.type === "simple" && to.simple === "string") return null;
  if (to.type !== "enum") return differ({ type: "enum", values }, to);
  const unknown = values.find((value) => !to.values.includes(value));
  return unknown === undefined ? null : `may be "${unknown}", which is none of ${to.values.join(", ")}`;
}

/** R2. Properties by name, and whether they could go at all; what else schemas say is checked with the values. */
function schemaMismatch(from: JsonSchema | null, to: JsonSchema | null): string | null {
  const given = propertiesOf(from);
  const wanted = propertiesOf(to);
  if (given === null || wanted === null) return null;
  const required = Array.isArray(to?.required) ? (to.required as readonly unknown[]) : [];
  const missing = Object.keys(wanted).find((name) => required.includes(name) && !Object.hasOwn(given, name));
  if (missing !== undefined) return `has no property "${missing}"`;
  for (const [name, schema] of Object.entries(wanted)) {
    const kinds = kindsOf(schema);
    const own = kindsOf(Object.hasOwn(given, name) ? given[name] : undefined);
    if (kinds === null || own === null) continue;
    const wrong = own.find((kind) => !kinds.some((each) => goesTo(floatOf(kind), floatOf(each))));
    if (wrong !== undefined) return `has a property "${name}" that is ${wrong} where ${kinds.join(" or ")} is expected`;
  }
  return null;
}

const floatOf = (kind: string): string => (kind === "number" ? "float" : kind);

function propertiesOf(schema: JsonSchema | null): { readonly [name: string]: unknown } | null {
  const properties = schema?.properties;
  return typeof properties === "object" && properties !== null
    ? (properties as { readonly [name: string]: unknown })
    : null;
}

/** JSON's names of types; null: the schema says it in another way. */
function kindsOf(schema: unknown): readonly string[] | null {
  if (typeof schema !== "object" || schema === null) return null;
  const { type, anyOf } = schema as { readonly type?: unknown; readonly anyOf?: unknown };
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type as readonly string[];
  if (!Array.isArray(anyOf)) return null;
  const kinds = anyOf.map(kindsOf);
  return kinds.every((each) => each !== null) ? kinds.flat() : null;
}

type TableType = Extract<LiteralType, { readonly type: "structuredDataset" }>;

function columnsMismatch(from: TableType, to: TableType): string | null {
  if (from.columns.length === 0) return null;
  for (const { name, type } of to.columns) {
    const match = from.columns.find((column) => column.name === name);
    if (match === undefined) return `has no column "${name}"`;
    const problem = mismatch(match.type, type);
    if (problem !== null) return `has a column "${name}" that ${problem}`;
  }
  return null;
}

function typeText(type: LiteralType): string {
  switch (type.type) {
    case "simple":
      return type.simple;
    case "struct":
      return typeof type.schema?.title === "string" ? `an object ${type.schema.title}` : "an object";
    case "collection":
      return `a list of ${typeText(type.element)}`;
    case "map":
      return `a map of ${typeText(type.value)}`;
    case "enum":
      return `one of ${type.values.join(", ")}`;
    case "union":
      return type.variants.map((variant) => typeText(variant.type)).join(" or ");
    case "blob":
      return type.dimensionality === "single" ? "a file" : "a directory";
    case "structuredDataset":
      return "a table";
  }
}
