// Whether a table that was given has the columns that the task declares: told before the run starts.
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { Column, LiteralType } from "../core/value.ts";
import { shown, typeText } from "../idl/idl.ts";
import type { Table } from "../sdk/table.ts";
import { withoutNone } from "./type-text.ts";

/** Beyond this many rows the value that does not fit is not looked for. */
const maxSearchedRows = 1_000_000;
const maxNames = 20;

/** `found` is what the table has, as stored. Columns that are not declared do no harm. */
export async function checkColumns(declared: readonly Column[], found: readonly Column[], table: Table): Promise<void> {
  const problems: string[] = [];
  const names = found.map(({ name }) => name);
  for (const column of declared) {
    const same = found.find(({ name }) => name === column.name);
    const mayBeAbsent = names.length === 0 || withoutNone(column.type) !== column.type;
    if (same === undefined && mayBeAbsent) continue;
    if (same === undefined)
      problems.push(
        `the column ${shown(column.name)} (${typeText(column.type)}) is missing.${didYouMean(column.name, names)}`,
      );
    else if (differs(column.type, same.type)) problems.push(await mistyped(column, same, table));
  }
  if (problems.length === 0) return;
  const isMissing = declared.some(({ name }) => !names.includes(name));
  const has = isMissing ? ` It has: ${listed(names)}.` : "";
  throw new GodwitError("invalid_argument", problems.join(" ") + has);
}

function listed(names: readonly string[]): string {
  const left = names.length - maxNames;
  return `${names.slice(0, maxNames).join(", ") || "no columns"}${left > 0 ? ` and ${left} more` : ""}`;
}

async function mistyped({ name, type }: Column, found: Column, table: Table): Promise<string> {
  const what = `column ${shown(name)}: expected ${typeText(type)}`;
  const kind = kindOf(type);
  if (table.rowCount > maxSearchedRows) return `${what}, found ${typeText(found.type)}.`;
  const values = Array.from<unknown>((await table.columns())[name] ?? []);
  const misfits = (value: unknown): boolean => value !== null && kind !== null && typeof value !== kind;
  // One word makes a whole column of CSV text: it is the word that is wrong, not the digits before it.
  const word = values.findIndex((value) => misfits(value) && !isDigits(value));
  const at = word === -1 ? values.findIndex(misfits) : word;
  return at === -1
    ? `${what}, found ${typeText(found.type)}.`
    : `${what}, found ${shown(values[at])} in row ${at + 1}.`;
}

const isDigits = (value: unknown): boolean =>
  typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));

/** As JavaScript tells them apart; null where a closer look belongs to the task's own check. */
function kindOf(type: LiteralType): "string" | "number" | "boolean" | null {
  const some = withoutNone(type) ?? type;
  if (some.type === "enum") return "string";
  if (some.type !== "simple") return null;
  switch (some.simple) {
    case "string":
    case "boolean":
      return some.simple;
    case "integer":
    case "float":
      return "number";
    default:
      return null;
  }
}

function differs(declared: LiteralType, found: LiteralType): boolean {
  const [wanted, given] = [kindOf(declared), kindOf(found)];
  return wanted !== null && given !== null && wanted !== given;
}
