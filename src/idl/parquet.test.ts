// Tables as Parquet, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeParquet, openParquet, writeParquet } from "./idl.ts";

const columns = [
  { name: "id", kind: "integer", values: [1, 2, 3] },
  { name: "big", kind: "bigint", values: [1n, null, 2n ** 60n] },
  { name: "mass", kind: "float", values: [1, null, Number.NaN] },
  { name: "tags", kind: "json", values: [["a"], null, { b: 1 }] },
] as const;

test("the same columns give the same bytes, and keep their kinds", async () => {
  const bytes = await writeParquet(columns);
  assert.deepEqual(await writeParquet(columns), bytes);
  const content = await openParquet(bytes, "test");
  assert.deepEqual(
    content.columns,
    columns.map(({ name, kind }) => ({ name, kind })),
  );
  assert.deepEqual(
    await content.read(0, 3),
    columns.map(({ values }) => values),
  );
});

test("any range of rows is read, across groups of rows, and none beyond the end", async () => {
  const values = Array.from({ length: 250_000 }, (_, index) => index);
  const content = await openParquet(await writeParquet([{ name: "n", kind: "integer", values }]), "test");
  for (const [start, end] of [
    [0, 1],
    [99_999, 100_001],
    [150_000, 250_001],
    [250_000, 260_000],
  ] as const) {
    assert.deepEqual((await content.read(start, end))[0], values.slice(start, end));
  }
});

test("a table literal's columns and rows are known from the bytes", async () => {
  assert.deepEqual(await describeParquet(await writeParquet(columns)), {
    rows: 3,
    columns: [
      { name: "id", type: { type: "simple", simple: "integer" } },
      { name: "big", type: { type: "simple", simple: "integer" } },
      { name: "mass", type: { type: "simple", simple: "float" } },
      { name: "tags", type: { type: "struct", schema: null } },
    ],
  });
  await assert.rejects(describeParquet(new TextEncoder().encode("no parquet")), {
    code: "invalid_argument",
    message: /not a Parquet file/,
  });
});
