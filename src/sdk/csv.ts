// CSV as RFC 4180 describes it, read into columns.
import { GodwitError } from "../core/error.ts";

export type CsvOptions = {
  /** One character. Default: a comma. */
  readonly delimiter?: string;
};

type CsvColumn = { readonly name: string; readonly values: readonly unknown[] };

export function parseCsv(text: string, { delimiter = "," }: CsvOptions = {}): readonly CsvColumn[] {
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new GodwitError(
      "invalid_argument",
      `Table.fromCsv: the delimiter has to be one character, not ${JSON.stringify(delimiter)}.`,
    );
  }
  const [names, ...records] = recordsOf(text.startsWith("\ufeff") ? text.slice(1) : text, delimiter);
  if (names === undefined) return [];
  const columns = names.map((): (string | null)[] => new Array(records.length));
  for (const [row, record] of records.entries()) {
    if (record.length !== names.length) {
      throw new GodwitError(
        "invalid_argument",
        `Table.fromCsv: record ${row + 1} has ${record.length} fields; the first line names ${names.length} columns.`,
      );
    }
    for (const [column, field] of record.entries())
      (columns[column] as (string | null)[])[row] = field === "" ? null : field;
  }
  return names.map((name, index) => ({ name, values: typedValues(columns[index] as (string | null)[]) }));
}

function recordsOf(text: string, delimiter: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let position = 0;
  while (position < text.length) {
    const field = fieldAt(text, position, delimiter);
    record.push(field.text);
    position = field.end;
    if (text[position] === delimiter) {
      position++;
      if (position === text.length) record.push("");
      else continue;
    }
    if (text[position] === "\r") position++;
    if (text[position] === "\n") position++;
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
  }
  return records;
}

function fieldAt(text: string, start: number, delimiter: string): { readonly text: string; readonly end: number } {
  if (text[start] !== '"') {
    let end = start;
    while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end++;
    return { text: text.slice(start, end), end };
  }
  let content = "";
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0)
      throw new GodwitError("invalid_argument", `Table.fromCsv: the quote at character ${start} is not closed.`);
    content += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { text: content, end: quote + 1 };
    content += '"';
    from = quote + 2;
  }
}

// Not "007" or "+1", which are codes more often than numbers.
const numberPattern = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** All of a column's fields are numbers, or all are true or false, or it is of text. */
function typedValues(fields: readonly (string | null)[]): readonly unknown[] {
  const given = fields.filter((field) => field !== null);
  if (given.length === 0) return fields;
  if (given.every((field) => numberPattern.test(field)))
    return fields.map((field) => (field === null ? null : Number(field)));
  if (given.every((field) => /^(true|false)$/i.test(field))) {
    return fields.map((field) => (field === null ? null : field.toLowerCase() === "true"));
  }
  return fields;
}
