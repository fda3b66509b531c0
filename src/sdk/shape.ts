// A task's types in one form, whichever library they come from: JSON Schema with marks, read once.
import { GodwitError } from "../core/error.ts";
import type { JsonSchema } from "../core/value.ts";
import { inside, resolveReference } from "../idl/idl.ts";

export type ScalarName =
  | "undefined"
  | "none"
  | "boolean"
  | "integer"
  | "bigint"
  | "float"
  | "nan"
  | "string"
  | "date"
  | "bytes";

export type Choice = string | number | boolean;

export type Shape =
  | {
      readonly type: "scalar";
      readonly scalar: ScalarName;
      /** The only values there are, or null. */
      readonly only: readonly Choice[] | null;
      /** Whether other values are converted first, as Zod's `coerce` would. */
      readonly isCoerced: boolean;
    }
  | { readonly type: "file"; readonly format: string }
  | { readonly type: "dir" }
  | { readonly type: "table"; readonly columns: readonly Property[] | null }
  | { readonly type: "list"; readonly element: Shape }
  | { readonly type: "set"; readonly element: Shape }
  | { readonly type: "tuple"; readonly items: readonly Shape[]; readonly rest: Shape | null; readonly least: number }
  | { readonly type: "map"; readonly key: Shape; readonly value: Shape }
  | { readonly type: "record"; readonly value: Shape }
  | { readonly type: "object"; readonly properties: readonly Property[]; readonly rest: Shape | null }
  | { readonly type: "union"; readonly members: readonly Shape[] }
  /** Whatever can be carried. */
  | { readonly type: "any" }
  /** A type that contains itself. */
  | { readonly type: "recursive"; readonly name: string; readonly target: () => Shape };

export type Property = {
  readonly name: string;
  readonly shape: Shape;
  readonly required: boolean;
  readonly description: string | null;
  readonly defaultText: string | null;
};

export const scalar = (name: ScalarName, only: readonly Choice[] | null = null, isCoerced = false): Shape => ({
  type: "scalar",
  scalar: name,
  only,
  isCoerced,
});

const any: Shape = { type: "any" };

type Reader = {
  readonly root: JsonSchema;
  readonly where: string;
  readonly dropsUndeclared: boolean;
  /** References being read, innermost last, and what became of those that were met again inside. */
  readonly open: Set<string>;
  readonly recursive: Map<string, Shape | null>;
};

/** Throws `invalid_argument` naming the place of a type that cannot be carried. */
export function shapeOf(schema: JsonSchema, where: string, dropsUndeclared: boolean): Shape {
  const reader: Reader = { root: schema, where, dropsUndeclared, open: new Set(), recursive: new Map() };
  return referred(reader, "#", "");
}

function referred(reader: Reader, reference: string, path: string): Shape {
  if (reader.open.has(reference)) {
    if (!reader.recursive.has(reference)) reader.recursive.set(reference, null);
    return { type: "recursive", name: reference, target: () => reader.recursive.get(reference) ?? any };
  }
  reader.open.add(reference);
  const shape = read(reader, resolveReference(reader.root, reference), path);
  reader.open.delete(reference);
  if (!reader.recursive.has(reference) || shape.type === "any") return shape;
  reader.recursive.set(reference, shape);
  return { type: "recursive", name: reference, target: () => shape };
}

function read(reader: Reader, schema: JsonSchema, path: string): Shape {
  const mark = schema["x-godwit"];
  if (typeof mark === "string") return readMarked(reader, mark, schema, path);
  if (typeof schema.$ref === "string") return referred(reader, schema.$ref, path);
  const choices = Object.hasOwn(schema, "const") ? [schema.const] : schema.enum;
  if (Array.isArray(choices)) return readChoices(choices);
  const members = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(members))
    return isAnyJson(members) ? any : union(members.map((member) => read(reader, member, path)));
  if (Array.isArray(schema.allOf)) return read(reader, merged(reader, schema), path);
  const { type } = schema;
  if (Array.isArray(type)) return union(type.map((one: unknown) => read(reader, { ...schema, type: one }, path)));
  return readPlain(reader, schema, path);
}

function readPlain(reader: Reader, schema: JsonSchema, path: string): Shape {
  const isCoerced = schema["x-godwit-coerce"] === true;
  switch (schema.type) {
    case "null":
      return scalar("none");
    case "boolean":
    case "integer":
    case "string":
      return scalar(schema.type, null, isCoerced);
    case "number":
      return scalar("float", null, isCoerced);
    case "array":
      return readList(reader, schema, path);
    case "object":
      return readObject(reader, schema, path);
    default:
      return any;
  }
}

function readMarked(reader: Reader, mark: string, schema: JsonSchema, path: string): Shape {
  switch (mark) {
    case "date":
    case "bigint":
    case "bytes":
    case "nan":
    case "undefined":
      return scalar(mark, null, schema["x-godwit-coerce"] === true);
    case "file":
      return { type: "file", format: String(schema.format ?? "") };
    case "dir":
      return { type: "dir" };
    case "table":
      return { type: "table", columns: schema.columns === undefined ? null : columnsOf(reader, schema.columns, path) };
    case "map":
      return {
        type: "map",
        key: nested(reader, schema.key, path),
        value: nested(reader, schema.value, path),
      };
    case "set":
      return { type: "set", element: nested(reader, schema.items, path) };
    case "refused":
      throw new GodwitError(
        "invalid_argument",
        `${reader.where}${path === "" ? "" : ` ${path}`}: ${String(schema.reason)} cannot be carried from task to task.`,
      );
    default:
      return any;
  }
}

/** Marks carry schemas of their own root. */
const nested = (reader: Reader, schema: unknown, path: string): Shape =>
  referred({ ...reader, root: asSchema(schema), open: new Set(), recursive: new Map() }, "#", path);

function columnsOf(reader: Reader, schema: unknown, path: string): readonly Property[] {
  const shape = nested(reader, schema, path);
  return shape.type === "object" ? shape.properties : [];
}

/** Numbers are integers if all are whole. */
function readChoices(choices: readonly unknown[]): Shape {
  const strings = choices.filter((choice) => typeof choice === "string");
  const numbers = choices.filter((choice) => typeof choice === "number");
  const booleans = choices.filter((choice) => typeof choice === "boolean");
  const members: Shape[] = [];
  if (strings.length > 0) members.push(scalar("string", strings));
  if (numbers.length > 0) members.push(scalar(numbers.every(Number.isSafeInteger) ? "integer" : "float", numbers));
  if (booleans.length > 0) members.push(scalar("boolean", booleans));
  if (choices.includes(null)) members.push(scalar("none"));
  return members.length === 0 ? any : union(members);
}

function readList(reader: Reader, schema: JsonSchema, path: string): Shape {
  const { items, prefixItems } = schema;
  const element = (item: unknown, at: string): Shape => read(reader, asSchema(item), at);
  if (!Array.isArray(prefixItems)) return { type: "list", element: element(items, `${path}[]`) };
  const shapes = prefixItems.map((item, index) => element(item, inside(path, index)));
  const rest = items === false || (items === undefined && reader.dropsUndeclared) ? null : element(items, `${path}[]`);
  return { type: "tuple", items: shapes, rest, least: typeof schema.minItems === "number" ? schema.minItems : 0 };
}

function readObject(reader: Reader, schema: JsonSchema, path: string): Shape {
  const declared = isSchema(schema.properties) ? schema.properties : {};
  const required = new Set(Array.isArray(schema.required) ? (schema.required as unknown[]) : []);
  const properties = Object.entries(declared).map(([name, property]): Property => {
    const { description, default: standard } = asSchema(property);
    return {
      name,
      shape: read(reader, asSchema(property), inside(path, name)),
      required: required.has(name),
      description: typeof description === "string" ? description : null,
      defaultText: standard === undefined ? null : JSON.stringify(standard),
    };
  });
  const open = schema.additionalProperties ?? !reader.dropsUndeclared;
  const rest = open === false ? null : read(reader, asSchema(open), `${path}[…]`);
  const isRecord = schema.properties === undefined && isSchema(schema.additionalProperties);
  if (isRecord && rest !== null) return { type: "record", value: rest };
  if (schema.properties === undefined && !reader.dropsUndeclared && rest !== null)
    return { type: "record", value: rest };
  return { type: "object", properties, rest };
}

/** Objects of which all have to hold, as one; other intersections are their first part. */
function merged(reader: Reader, { allOf, ...own }: JsonSchema): JsonSchema {
  const parts = [...(allOf as JsonSchema[]), own].map((part) =>
    typeof part.$ref === "string" ? resolveReference(reader.root, part.$ref) : part,
  );
  const objects = parts.filter((part) => isSchema(part.properties));
  if (objects.length === 0) return { ...parts[0], ...own };
  return {
    ...own,
    type: "object",
    properties: Object.assign({}, ...objects.map((part) => part.properties)),
    required: objects.flatMap((part) => (Array.isArray(part.required) ? (part.required as unknown[]) : [])),
  };
}

/** Flat, and each member once. */
function union(members: readonly Shape[]): Shape {
  const flat = members.flatMap((member) => (member.type === "union" ? member.members : [member]));
  if (flat.some((member) => member.type === "any")) return any;
  const byText = new Map(flat.toReversed().map((member) => [JSON.stringify(member), member]));
  const distinct = flat.filter(
    (member) => member.type === "recursive" || byText.get(JSON.stringify(member)) === member,
  );
  return distinct.length === 1 ? (distinct[0] as Shape) : { type: "union", members: distinct };
}

/** Zod's `z.json()`: spelt out it would say that every number is a float. */
const isAnyJson = (members: readonly JsonSchema[]): boolean =>
  members.length === 6 &&
  ["string", "number", "boolean", "null", "array", "object"].every((type) =>
    members.some((member) => member.type === type),
  ) &&
  members.some((member) => typeof asSchema(member.items).$ref === "string");

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const asSchema = (value: unknown): JsonSchema => (isSchema(value) ? value : {});
