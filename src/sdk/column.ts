// Columns of tables: what is in them, and whether it is what was declared.
import { GodwitError } from "../core/error.ts";
import { type ColumnKind, type ColumnValues, inside, shown } from "../idl/idl.ts";
import { isPlainObject } from "./plain-object.ts";
import { scalars } from "./scalar.ts";
import type { Property, Shape } from "./shape.ts";

export type NamedColumn = { readonly name: string; readonly kind: ColumnKind; readonly values: ColumnValues };

/** What the values are, where nothing was declared; whole numbers are integers. A column of nulls is text. */
export function inferredKind(values: ArrayLike<unknown>): ColumnKind {
  if (values instanceof Float64Array || values instanceof Float32Array) return "float";
  let kind: ColumnKind | null = null;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value === null || value === undefined) continue;
    const one = kindOfValue(value);
    if (one === kind) continue;
    if (kind === null) kind = one;
    else if (one === "integer" && kind === "float") continue;
    else if (one === "float" && kind === "integer") kind = "float";
    else return "json";
  }
  return kind ?? "string";
}

function kindOfValue(value: unknown): ColumnKind {
  switch (typeof value) {
    case "boolean":
    case "bigint":
    case "string":
      return typeof value as "boolean" | "bigint" | "string";
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? "integer" : "float";
    default:
      return value instanceof Date ? "date" : value instanceof Uint8Array ? "bytes" : "json";
  }
}

/** Values as they are written: undefined is null, other typed arrays are plain lists. */
export function plainValues(values: ArrayLike<unknown>): ColumnValues {
  if (values instanceof Float64Array || values instanceof BigInt64Array) return values;
  if (!Array.isArray(values)) return Array.from(values);
  return values.includes(undefined) ? values.map((value: unknown) => value ?? null) : values;
}

type Declaration = {
  readonly kind: ColumnKind;
  readonly isNullable: boolean;
  readonly noun: string;
  takes(value: unknown): boolean;
};

export function declarationOf(shape: Shape): Declaration {
  const members = shape.type === "union" ? shape.members : [shape];
  const isNullable = members.some(
    (member) => member.type === "scalar" && ["none", "undefined"].includes(member.scalar),
  );
  const rest = members.filter((member) => member.type !== "scalar" || !["none", "undefined"].includes(member.scalar));
  const kinds = new Set(rest.map(kindOfShape));
  const [kind] = kinds;
  if (kind === undefined || kinds.size > 1 || kind === "json") {
    return { kind: "json", isNullable: isNullable || shape.type === "any", noun: "a JSON value", takes: () => true };
  }
  const checks = rest.map(checkOfShape);
  return {
    kind,
    isNullable,
    noun: rest.map(nounOfShape).join(" or "),
    takes:
      checks.length === 1
        ? (checks[0] as (value: unknown) => boolean)
        : (value) => checks.some((check) => check(value)),
  };
}

function kindOfShape(shape: Shape): ColumnKind {
  if (shape.type !== "scalar") return "json";
  switch (shape.scalar) {
    case "nan":
      return "float";
    case "none":
    case "undefined":
      return "json";
    default:
      return shape.scalar;
  }
}

function checkOfShape(shape: Shape): (value: unknown) => boolean {
  if (shape.type !== "scalar") return () => true;
  const { takes } = scalars[shape.scalar];
  if (shape.only === null) return takes;
  const choices = new Set<unknown>(shape.only);
  return (value) => choices.has(value);
}

const nounOfShape = (shape: Shape): string =>
  shape.type !== "scalar"
    ? "a JSON value"
    : shape.only === null
      ? scalars[shape.scalar].noun
      : shape.only.map((choice) => JSON.stringify(choice)).join(" or ");

const problem = (message: string): GodwitError => new GodwitError("invalid_argument", message);

/** The columns as declared, those that were not after them. Throws naming column and row. */
export function checkedColumns(declared: readonly Property[], columns: readonly NamedColumn[]): readonly NamedColumn[] {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const isEmpty = columns.length === 0;
  const checked: NamedColumn[] = [];
  for (const { name, required, shape } of declared) {
    const column = byName.get(name);
    const declaration = declarationOf(shape);
    if (column === undefined) {
      if (!isEmpty && required) {
        throw problem(
          `column ${JSON.stringify(name)} is missing; there are ${columns.map((one) => one.name).join(", ")}.`,
        );
      }
      if (isEmpty) checked.push({ name, kind: declaration.kind, values: [] });
      continue;
    }
    checked.push({ ...column, kind: declaration.kind, values: checkedValues(column, declaration, !required) });
    byName.delete(name);
  }
  return [...checked, ...byName.values()];
}

function checkedValues({ name, values }: NamedColumn, declaration: Declaration, isOptional: boolean): ColumnValues {
  const { kind, isNullable, noun, takes } = declaration;
  const read = kind === "bigint" ? asBigint : kind === "float" ? asFloat : null;
  const checked = read === null ? values : Array.from(values as readonly unknown[], read);
  for (let row = 0; row < checked.length; row++) {
    const value = checked[row];
    if (value === null ? isNullable || isOptional : takes(value)) continue;
    throw problem(
      `column ${JSON.stringify(name)}, row ${row}: expected ${noun}${isNullable ? " or null" : ""}, got ${shown(value)}.`,
    );
  }
  return checked;
}

// What was read back, or written by another language, is an integer where it was not said to be more.
const asBigint = (value: unknown): unknown =>
  typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
const asFloat = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/** Throws naming column and row for what Parquet cannot hold. */
export function checkWritable({ name, kind, values }: NamedColumn): void {
  if (kind === "boolean" || kind === "float" || values instanceof BigInt64Array || values instanceof Float64Array)
    return;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    const reason = value === null ? null : unwritable(kind, value);
    if (reason !== null) throw problem(`column ${JSON.stringify(name)}, row ${row}${reason}`);
  }
}

function unwritable(kind: ColumnKind, value: unknown): string | null {
  switch (kind) {
    case "string":
      return (value as string).isWellFormed()
        ? null
        : ": the text holds half of a surrogate pair, which no encoding can carry.";
    case "bigint":
      return BigInt.asIntN(64, value as bigint) === value ? null : `: ${String(value)} is beyond 64 bits.`;
    case "date":
      return Number.isNaN((value as Date).getTime()) ? ": the Date is invalid." : null;
    case "json":
      return unwritableJson(value, "", 0);
    default:
      return null;
  }
}

const maxCellDepth = 100;

function unwritableJson(value: unknown, path: string, depth: number): string | null {
  const at = path === "" ? ":" : ` at ${path}:`;
  if (depth > maxCellDepth) return `${at} the value is more than ${maxCellDepth} levels deep, or contains itself.`;
  if (value === null || typeof value === "boolean" || typeof value === "string") return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : `${at} ${value} is no JSON.`;
  if (Array.isArray(value)) return first(value.entries(), path, depth);
  if (isPlainObject(value)) return first(Object.entries(value), path, depth);
  return `${at} ${shown(value)} is no JSON.`;
}

function first(entries: Iterable<readonly [string | number, unknown]>, path: string, depth: number): string | null {
  for (const [key, item] of entries) {
    const reason = item === undefined ? null : unwritableJson(item, inside(path, key), depth + 1);
    if (reason !== null) return reason;
  }
  return null;
}
