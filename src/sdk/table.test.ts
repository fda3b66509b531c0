// Tables as values: rows, columns, Arrow, CSV.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  Table as ArrowTable,
  Field,
  Int32,
  List,
  makeVector,
  Struct,
  type tableFromArrays,
  vectorFromArray,
} from "apache-arrow";
import fc from "fast-check";
import { z } from "zod";
import type { Literals, TableLiteral } from "../core/value.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { outputCodec } from "./codec.ts";
import { Table, table } from "./table.ts";

const temporary = mkdtempSync(join(tmpdir(), "godwit-table-test-"));
after(() => rmSync(temporary, { recursive: true, force: true }));
const blobs = memoryBlobs();

async function literalOf(value: Table<never> | Table, schema: z.ZodType = table()): Promise<TableLiteral> {
  const literals = await outputCodec(schema, "env.task").encode(value, blobs);
  return literals.o0 as TableLiteral;
}

/** What another task gets. */
async function carried<Row extends object>(value: Table<Row>, schema: z.ZodType = table()): Promise<Table<Row>> {
  const literal = JSON.parse(JSON.stringify(await literalOf(value as never, schema))) as TableLiteral;
  return outputCodec(schema, "env.task").decode({ o0: literal } as Literals, blobs) as Table<Row>;
}

const rows = [
  {
    id: 1,
    mass: 3.5,
    name: "Adélie",
    wild: true,
    seen: new Date("2026-01-01T00:00:00.123Z"),
    raw: new Uint8Array([1]),
    tags: ["a", { b: null }],
    big: 2n,
  },
  { id: 2, mass: null, name: null, wild: null, seen: null, raw: null, tags: null, big: null },
  { id: -3, mass: -0, name: "", wild: false, seen: new Date(-5), raw: new Uint8Array(), tags: [], big: -(2n ** 62n) },
];

test("rows of every type come back as they were, in the task that the table is given to", async () => {
  const there = await carried(Table.fromRows(rows));
  assert.deepStrictEqual(await there.rows(), rows);
  assert.deepEqual([there.rowCount, there.columnNames], [3, Object.keys(rows[0] as object)]);
  assert.deepStrictEqual((await there.columns()).mass, [3.5, null, -0]);
  assert.deepStrictEqual(
    (await literalOf(Table.fromRows(rows))).columns.map(({ name, type }) => [
      name,
      type.type === "simple" ? type.simple : type.type,
    ]),
    [
      ["id", "integer"],
      ["mass", "float"],
      ["name", "string"],
      ["wild", "boolean"],
      ["seen", "datetime"],
      ["raw", "binary"],
      ["tags", "struct"],
      ["big", "integer"],
    ],
  );
});

test("any column of one type comes back as it was", async () => {
  const column = fc.oneof(
    fc.array(fc.option(fc.maxSafeInteger())),
    fc.array(fc.option(fc.double())),
    fc.array(fc.option(fc.string({ unit: "grapheme" }))),
    fc.array(fc.option(fc.boolean())),
    fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
    fc.array(fc.option(fc.date({ noInvalidDate: true }))),
    fc.array(fc.option(fc.uint8Array().map((bytes) => new Uint8Array(bytes)))),
    fc.array(
      fc
        .oneof(fc.jsonValue(), fc.constant({ a: [1] }))
        .filter((value) => !JSON.stringify(value).includes("__proto__") && !JSON.stringify(value).includes("-0")),
    ),
  );
  await fc.assert(
    fc.asyncProperty(column, async (values) => {
      const there = await carried(Table.fromColumns({ values }));
      assert.deepStrictEqual((await there.columns()).values, values);
    }),
    { numRuns: 200 },
  );
});

test("equal tables have one hash, however they were made; a table that is passed on is not written again", async () => {
  const fromRows = await literalOf(
    Table.fromRows([
      { a: 1, b: "x" },
      { a: 2, b: "y" },
    ]),
  );
  const fromColumns = await literalOf(Table.fromColumns({ a: [1, 2], b: ["x", "y"] }));
  const fromTyped = await literalOf(Table.fromColumns({ a: Int32Array.of(1, 2), b: ["x", "y"] }));
  assert.equal(fromRows.hash, fromColumns.hash);
  assert.equal(fromRows.hash, fromTyped.hash);
  assert.notEqual(
    fromRows.hash,
    (
      await literalOf(
        Table.fromRows([
          { b: "x", a: 1 },
          { b: "y", a: 2 },
        ]),
      )
    ).hash,
  );
  const there = await carried(Table.fromRows([{ a: 1 }]));
  assert.equal(outputCodec(table(), "env.task").encode(there, blobs) instanceof Promise, false);
});

test("integers stay integers, and a column declared as numbers is of floats whatever its values", async () => {
  const declared = table({ int: z.int(), float: z.number(), big: z.bigint() });
  const value = Table.fromRows([{ int: 1, float: 1, big: 1n }]);
  assert.deepEqual(
    (await literalOf(value, declared)).columns.map(({ type }) => type),
    [
      { type: "simple", simple: "integer" },
      { type: "simple", simple: "float" },
      { type: "simple", simple: "integer" },
    ],
  );
  assert.deepStrictEqual(await (await carried(value, declared)).rows(), [{ int: 1, float: 1, big: 1n }]);
  const exact = await carried(Table.fromColumns({ n: BigInt64Array.of(1n, 2n ** 60n) }));
  assert.deepStrictEqual((await exact.columns()).n, [1n, 2n ** 60n]);
});

test("declared columns are checked when the table travels, naming column and row", async () => {
  const declared = table({
    species: z.enum(["Adelie", "Gentoo"]),
    mass: z.number().nullable(),
    year: z.int().optional(),
  });
  const good = { species: "Adelie", mass: null };
  const cases: [object[], RegExp][] = [
    [
      [good, { species: "Emperor", mass: 1 }],
      /^env\.task: output: column "species", row 1: expected "Adelie" or "Gentoo", got "Emperor"/,
    ],
    [[{ ...good, mass: "heavy" }], /column "mass", row 0: expected a number or null, got "heavy"/],
    [[{ ...good, mass: Number.NaN }], /column "mass", row 0: expected a number or null, got NaN/],
    [[good, { mass: 1 }], /column "species", row 1: expected .*, got null/],
    [[{ mass: 1 }], /column "species" is missing; there are mass/],
    [[{ ...good, year: 1.5 }], /column "year", row 0: expected an integer, got 1\.5/],
  ];
  for (const [bad, message] of cases) {
    await assert.rejects(literalOf(Table.fromRows(bad) as Table, declared), { code: "invalid_argument", message });
  }
  const more = await carried(Table.fromRows([{ ...good, more: 1 }]), declared);
  assert.deepEqual(await more.rows(), [{ ...good, more: 1 }]);
  const stored = await carried(Table.fromRows([{ species: 1 }]));
  await assert.rejects(
    literalOf(stored as never, table({ species: z.string() })),
    /column "species", row 0: expected text, got 1/,
  );
});

test("an empty table keeps the columns that were declared, and those it had", async () => {
  const declared = await carried(Table.fromRows([]), table({ a: z.int(), b: z.string() }));
  assert.deepEqual([declared.columnNames, declared.rowCount, await declared.rows()], [["a", "b"], 0, []]);
  const had = await carried(Table.fromColumns({ a: [], b: [] }));
  assert.deepEqual([had.columnNames, await had.columns()], [["a", "b"], { a: [], b: [] }]);
  const none = await carried(Table.fromRows([]));
  assert.deepEqual([none.columnNames, await none.rows()], [[], []]);
});

test("what Parquet cannot hold is named by column and row", async () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const cases: [object[], RegExp][] = [
    [[{ a: "x" }, { a: "\ud800" }], /column "a", row 1: .*surrogate/],
    [[{ a: new Date(Number.NaN) }], /column "a", row 0: the Date is invalid/],
    [[{ a: [1, { b: () => 1 }] }], /column "a", row 0 at \[1\]\.b: the function b is no JSON/],
    [[{ a: circle }], /column "a", row 0 .*contains itself/],
    [[{ a: 2n ** 63n }], /column "a", row 0: 9223372036854775808 is beyond 64 bits/],
  ];
  for (const [bad, message] of cases)
    await assert.rejects(literalOf(Table.fromRows(bad) as Table), { code: "invalid_argument", message });
  assert.throws(() => Table.fromColumns({ a: [1], b: [] }), /column b has 0 values, column a has 1/);
});

test("batches cover all rows once, in order, from memory and from the store", async () => {
  const all = Array.from({ length: 25 }, (_, index) => ({ index }));
  for (const one of [Table.fromRows(all), await carried(Table.fromRows(all))]) {
    const batches = await Array.fromAsync(one.batches(10));
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [10, 10, 5],
    );
    assert.deepEqual(batches.flat(), all);
  }
  await assert.rejects(Array.fromAsync(Table.fromRows(all).batches(0)), { code: "invalid_argument" });
});

test("a table becomes an Arrow table and comes back the same", async () => {
  const arrow = await (await carried(Table.fromRows(rows))).arrow();
  assert.deepEqual(
    arrow.schema.fields.map(({ type }) => String(type)),
    ["Int64", "Float64", "Utf8", "Bool", "Timestamp<MILLISECOND, UTC>", "Binary", "Utf8", "Int64"],
  );
  const back = await Table.fromArrow<(typeof rows)[number]>(arrow).rows();
  const expected = rows.map((row) => ({
    ...row,
    tags: row.tags === null ? null : JSON.stringify(row.tags),
    big: row.id === -3 ? row.big : row.big === null ? null : Number(row.big),
  }));
  assert.deepStrictEqual(back, expected);
});

test("an Arrow table of other types is read: dictionaries, small integers, lists, structs", async () => {
  const list = vectorFromArray([[1, 2], [3]], new List(new Field("item", new Int32(), true)));
  const struct = vectorFromArray([{ x: 1 }, { x: 2 }], new Struct([new Field("x", new Int32(), true)]));
  const arrow = new ArrowTable({ i: makeVector(Int32Array.of(1, 2)), s: vectorFromArray(["a", "b"]), list, struct });
  assert.deepEqual(await Table.fromArrow(arrow as unknown as ReturnType<typeof tableFromArrays>).rows(), [
    { i: 1, s: "a", list: [1, 2], struct: { x: 1 } },
    { i: 2, s: "b", list: [3], struct: { x: 2 } },
  ]);
});

test("Parquet is read from a path, bytes or a file, and travels as the bytes it is", async () => {
  const written = await Table.fromRows([{ a: 1, b: "x" }]).parquet();
  const path = join(temporary, "data.parquet");
  await written.copyTo(path);
  for (const source of [path, await written.bytes(), written]) {
    const read = await Table.fromParquet<{ a: number; b: string }>(source);
    assert.deepEqual([read.rowCount, read.columnNames, await read.rows()], [1, ["a", "b"], [{ a: 1, b: "x" }]]);
    assert.deepEqual(
      Buffer.from(await blobs.read((await literalOf(read as never)).hash)),
      Buffer.from(await written.bytes()),
    );
  }
  writeFileSync(path, "not parquet at all");
  await assert.rejects(Table.fromParquet(path), {
    code: "invalid_argument",
    message: /data\.parquet is not a Parquet file/,
  });
  await assert.rejects(Table.fromParquet(join(temporary, "none.parquet")), {
    code: "not_found",
    message: /none\.parquet/,
  });
});

test("CSV is read with its quotes, types and gaps", async () => {
  const text =
    '\ufeffname,mass,wild,code,note\r\n"Ad""élie, x",3.5,true,007,"two\nlines"\r\nGentoo,,FALSE,010,\n\nlast,-1e3,true,011,x';
  assert.deepEqual(await Table.fromCsv(text).rows(), [
    { name: 'Ad"élie, x', mass: 3.5, wild: true, code: "007", note: "two\nlines" },
    { name: "Gentoo", mass: null, wild: false, code: "010", note: null },
    { name: "last", mass: -1000, wild: true, code: "011", note: "x" },
  ]);
  assert.deepEqual(await Table.fromCsv("a;b\n1;2", { delimiter: ";" }).rows(), [{ a: 1, b: 2 }]);
  assert.throws(() => Table.fromCsv("a,b\n1"), {
    code: "invalid_argument",
    message: /record 1 has 1 fields; the first line names 2/,
  });
  assert.throws(() => Table.fromCsv('a\n"open'), { code: "invalid_argument", message: /not closed/ });
});
