// Tables as values: rows or columns in memory, Parquet once they travel.
//
// R1  A table is its Parquet bytes: equal columns in equal order give equal bytes and one hash.
// R2  Nulls are `null`: a value that is undefined or missing in a row is null.
// R3  Whole numbers of a column that was not declared are integers; a column declared as z.number() is of
//     floats. Integers come back as numbers, and as bigints where a number would not be exact or z.bigint()
//     is declared.
import type { Table as ArrowTable } from "apache-arrow";
import { custom, object, type output, type ZodType } from "zod";
import type { BlobStore } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";
import { type BlobLiteral, blobUri, type TableLiteral } from "../core/value.ts";
import { columnOfKind, type ParquetContent, writeParquet } from "../idl/idl.ts";
import { checkedColumns, checkWritable, type NamedColumn } from "./column.ts";
import { type CsvOptions, parseCsv } from "./csv.ts";
import { File, openFile } from "./file.ts";
import { type Handle, storedIn, storeIn } from "./handle.ts";
import type { Property } from "./shape.ts";
import { arrowColumns, arrowTable } from "./table-arrow.ts";
import { columnsOf, namedColumn, namesOf, openParquetFile, readContent, rowsOf } from "./table-content.ts";
import { marked } from "./zod-marks.ts";

/** For the encoders and decoders. */
const declare: unique symbol = Symbol("declare");
const trust: unique symbol = Symbol("trust");

type Source =
  | { readonly type: "rows"; readonly rows: readonly object[] }
  | { readonly type: "columns"; readonly columns: readonly NamedColumn[] }
  | { readonly type: "parquet"; readonly file: File; readonly content: ParquetContent }
  | { readonly type: "stored"; readonly blobs: BlobStore; readonly literal: TableLiteral };

type Columns<Row> = { readonly [name in keyof Row]: readonly Row[name][] };

const fileName = "table.parquet";

export class Table<Row extends object = Record<string, unknown>> implements Handle {
  readonly columnNames: readonly string[];
  readonly rowCount: number;
  #source: Source;
  #opened: Promise<ParquetContent> | null = null;
  #declared: readonly Property[] | null = null;
  /** Whether what is stored is known to be as declared. */
  #isStored = true;
  readonly #declaredAs = new Map<readonly Property[], Table<Row>>();

  /** Use one of the `from…` functions. */
  constructor(source: Source, columnNames: readonly string[], rowCount: number) {
    this.#source = source;
    this.columnNames = columnNames;
    this.rowCount = rowCount;
  }

  /** The columns are the rows' keys, in the order in which they are first met. */
  static fromRows<Row extends object>(rows: readonly Row[]): Table<Row> {
    return new Table<Row>({ type: "rows", rows }, namesOf(rows), rows.length);
  }

  static fromColumns<Values extends { readonly [name: string]: ArrayLike<unknown> }>(
    columns: Values,
  ): Table<{ [name in keyof Values]: Values[name][number] }> {
    const named = Object.entries(columns).map(([name, values]) => namedColumn(name, values));
    const [first] = named;
    for (const { name, values } of named) {
      if (values.length !== first?.values.length) {
        throw new GodwitError(
          "invalid_argument",
          `Table.fromColumns: column ${name} has ${values.length} values, column ${first?.name} has ${first?.values.length}.`,
        );
      }
    }
    return inMemory(named);
  }

  /** From a table of the package apache-arrow. Types that JavaScript lacks, such as lists, become JSON. */
  static fromArrow<Row extends object = Record<string, unknown>>(table: ArrowTable): Table<Row> {
    return inMemory(arrowColumns(table).map(({ name, values }) => namedColumn(name, values)));
  }

  /** A file's path, a File or its bytes. Only what is asked for is read, besides the footer. */
  static async fromParquet<Row extends object = Record<string, unknown>>(
    source: string | Uint8Array | File,
  ): Promise<Table<Row>> {
    const file =
      typeof source === "string"
        ? File.fromPath(source)
        : source instanceof File
          ? source
          : File.fromBytes(fileName, source);
    const content = await openParquetFile(file);
    return new Table<Row>(
      { type: "parquet", file, content },
      content.columns.map(({ name }) => name),
      content.rowCount,
    );
  }

  /** The first line names the columns. Columns of numbers or of true and false are read as such; empty fields are null. */
  static fromCsv<Row extends object = Record<string, unknown>>(text: string, options: CsvOptions = {}): Table<Row> {
    const columns = parseCsv(text, options).map(({ name, values }) => namedColumn(name, values));
    return inMemory(columns);
  }

  async rows(): Promise<readonly Row[]> {
    if (this.#source.type === "rows" && this.#declared === null) return this.#source.rows as readonly Row[];
    return rowsOf(await this.#columns()) as Row[];
  }

  /** All values of each column, by its name. */
  async columns(): Promise<Columns<Row>> {
    const columns = await this.#columns();
    return Object.fromEntries(columns.map(({ name, values }) => [name, Array.from(values)])) as unknown as Columns<Row>;
  }

  /** The rows, so many at a time; of a stored table only those are in memory. */
  async *batches(size: number): AsyncGenerator<readonly Row[]> {
    if (!(Number.isInteger(size) && size > 0)) {
      throw new GodwitError("invalid_argument", `batches(size) takes a whole number from 1, not ${size}.`);
    }
    const content = await this.#content();
    if (content === null) {
      const rows = await this.rows();
      for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size);
      return;
    }
    for (let start = 0; start < content.rowCount; start += size) {
      yield rowsOf(this.#asDeclared(await readContent(content, start, start + size))) as Row[];
    }
  }

  /** As a table of the package apache-arrow. */
  async arrow(): Promise<ArrowTable> {
    return arrowTable(await this.#columns());
  }

  /** The table as a Parquet file. */
  async parquet(): Promise<File> {
    const source = this.#source;
    if (source.type === "parquet") return source.file;
    if (source.type === "stored") return openFile(fileLiteral(source.literal), source.blobs);
    const columns = await this.#columns();
    for (const column of columns) checkWritable(column);
    return File.fromBytes(fileName, await writeParquet(columns));
  }

  async #content(): Promise<ParquetContent | null> {
    const source = this.#source;
    if (source.type === "parquet") return source.content;
    if (source.type !== "stored") return null;
    this.#opened ??= openParquetFile(openFile(fileLiteral(source.literal), source.blobs));
    return this.#opened;
  }

  async #columns(): Promise<readonly NamedColumn[]> {
    const source = this.#source;
    if (source.type === "rows") return this.#asDeclared(columnsOf(source.rows, this.columnNames));
    if (source.type === "columns") return this.#asDeclared(source.columns);
    return this.#asDeclared(await readContent((await this.#content()) as ParquetContent, 0, this.rowCount));
  }

  #asDeclared(columns: readonly NamedColumn[]): readonly NamedColumn[] {
    return this.#declared === null ? columns : checkedColumns(this.#declared, columns);
  }

  /** Bytes that are Parquet already and of the kinds that were declared stay as they are (R1). */
  async #literal(blobs: BlobStore): Promise<TableLiteral> {
    const columns = this.#declared === null ? null : await this.#columns();
    const content = await this.#content();
    if (content !== null && (columns === null || haveKinds(content, columns))) {
      const file = await this.parquet();
      return tableLiteral(await file[storeIn](blobs), content.columns, content.rowCount);
    }
    const written = columns ?? (await this.#columns());
    for (const column of written) checkWritable(column);
    const bytes = await writeParquet(written);
    const { digest, sizeBytes } = await blobs.put(bytes);
    return tableLiteral({ hash: digest, sizeBytes }, written, this.rowCount);
  }

  /** The same table with columns of these types, to be checked when it is stored. */
  [declare](columns: readonly Property[]): Table<Row> {
    if (this.#declared !== null && (this.#declared === columns || sameColumns(this.#declared, columns))) return this;
    let table = this.#declaredAs.get(columns);
    if (table === undefined) {
      const names = this.columnNames.length === 0 ? columns.map(({ name }) => name) : this.columnNames;
      table = new Table<Row>(this.#source, names, this.rowCount);
      table.#declared = columns;
      table.#isStored = false;
      this.#declaredAs.set(columns, table);
    }
    return table;
  }

  /** Of a table that was stored with this declaration. */
  [trust](columns: readonly Property[]): Table<Row> {
    this.#declared = columns;
    return this;
  }

  [storedIn](blobs: BlobStore): TableLiteral | null {
    const source = this.#source;
    return source.type === "stored" && source.blobs === blobs && this.#isStored ? source.literal : null;
  }

  async [storeIn](blobs: BlobStore): Promise<TableLiteral> {
    const known = this[storedIn](blobs);
    if (known !== null) return known;
    const literal = await this.#literal(blobs);
    this.#source = { type: "stored", blobs, literal };
    this.#opened = null;
    this.#isStored = true;
    return literal;
  }
}

const inMemory = <Row extends object>(columns: readonly NamedColumn[]): Table<Row> =>
  new Table<Row>(
    { type: "columns", columns },
    columns.map(({ name }) => name),
    columns[0]?.values.length ?? 0,
  );

/** Types that say the same. */
const sameColumns = (a: readonly Property[], b: readonly Property[]): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

const haveKinds = (content: ParquetContent, columns: readonly NamedColumn[]): boolean =>
  content.columns.length === columns.length &&
  columns.every(
    ({ name, kind }, index) => content.columns[index]?.name === name && content.columns[index].kind === kind,
  );

const tableLiteral = (
  { hash, sizeBytes }: { readonly hash: string; readonly sizeBytes: number },
  columns: readonly Pick<NamedColumn, "name" | "kind">[],
  rows: number,
): TableLiteral => ({
  type: "structuredDataset",
  uri: blobUri(hash, fileName),
  columns: columns.map(({ name, kind }) => columnOfKind(name, kind)),
  format: "parquet",
  hash,
  sizeBytes,
  rows,
});

const fileLiteral = ({ uri, hash, sizeBytes }: TableLiteral): BlobLiteral => ({
  type: "blob",
  uri,
  format: "parquet",
  dimensionality: "single",
  hash,
  sizeBytes,
});

/** A table in a store. */
export const openTable = (literal: TableLiteral, blobs: BlobStore): Table =>
  new Table(
    { type: "stored", blobs, literal },
    literal.columns.map(({ name }) => name),
    literal.rows,
  );

/** For the encoders: the table as one of the declared columns. */
export const declaredTable = (table: Handle, columns: readonly Property[]): Handle =>
  (table as Table)[declare](columns);

/** For the decoders. */
export const trustedTable = (table: Handle, columns: readonly Property[]): Handle => (table as Table)[trust](columns);

type ColumnTypes = { readonly [name: string]: ZodType };
type RowOf<Types extends ColumnTypes> = { [name in keyof Types]: output<Types[name]> };

/**
 * The schema of tables. With columns, such as `table({ species: z.string(), mass: z.number().nullable() })`,
 * rows are typed and the columns are checked when the table travels; further columns may be there. Without,
 * any table.
 */
export function table<Types extends ColumnTypes>(columns: Types): ZodType<Table<RowOf<Types>>, Table<RowOf<Types>>>;
export function table<Row extends object = Record<string, unknown>>(): ZodType<Table<Row>, Table<Row>>;
export function table(columns?: ColumnTypes): ZodType<Table, Table> {
  return marked(
    custom<Table>((value) => value instanceof Table, {
      error: "expected a Table of godwit, such as Table.fromRows(…)",
    }),
    { "x-godwit": "table" },
    columns === undefined ? null : object(columns),
  );
}
