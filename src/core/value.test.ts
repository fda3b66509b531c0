// Literals: equal by content, found by their blobs.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BlobLiteral,
  blobsOf,
  blobUri,
  hashLiteral,
  hashLiterals,
  type Literal,
  parseBlobUri,
  type TableLiteral,
} from "./value.ts";

const digests = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 });

const file = (hash: string, name = "a.csv"): BlobLiteral => ({
  type: "blob",
  uri: blobUri(hash, name),
  format: "",
  dimensionality: "single",
  hash,
  sizeBytes: 1,
});
const table = (hash: string, uri = "u"): TableLiteral => ({
  type: "structuredDataset",
  uri,
  columns: [],
  format: "parquet",
  hash,
  sizeBytes: 1,
  rows: 1,
});

const { literal: literals } = fc.letrec<{ literal: Literal }>((tie) => ({
  literal: fc.oneof(
    { maxDepth: 3, depthIdentifier: "literal" },
    fc.constant<Literal>({ type: "none" }),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((value): Literal => ({ type: "integer", value: `${value}` })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value): Literal => ({ type: "float", value })),
    fc.string().map((value): Literal => ({ type: "string", value })),
    fc.boolean().map((value): Literal => ({ type: "boolean", value })),
    digests.map((hash): Literal => file(hash)),
    digests.map((hash): Literal => table(hash)),
    fc.array(tie("literal"), { maxLength: 3 }).map((elements): Literal => ({ type: "collection", elements })),
    fc.dictionary(fc.string(), tie("literal"), { maxKeys: 3 }).map((entries): Literal => ({ type: "map", entries })),
    fc.record({ tag: fc.string(), value: tie("literal") }).map((union): Literal => ({ type: "union", ...union })),
  ),
}));

test("a literal that was stored as JSON is the same value", () => {
  fc.assert(
    fc.property(literals, (literal) => {
      assert.equal(hashLiteral(JSON.parse(JSON.stringify(literal)) as Literal), hashLiteral(literal));
    }),
  );
});

/** With every file and table renamed. */
function renamed(literal: Literal): Literal {
  switch (literal.type) {
    case "blob":
      return { ...literal, uri: blobUri(literal.hash, "other.bin"), format: "other" };
    case "structuredDataset":
      return { ...literal, uri: "elsewhere" };
    case "collection":
      return { ...literal, elements: literal.elements.map(renamed) };
    case "map":
      return {
        ...literal,
        entries: Object.fromEntries(Object.entries(literal.entries).map(([key, value]) => [key, renamed(value)])),
      };
    case "union":
      return { ...literal, value: renamed(literal.value) };
    default:
      return literal;
  }
}

test("files and tables count by their bytes, whatever they are called and however deep they lie (R2)", () => {
  fc.assert(fc.property(literals, (literal) => assert.equal(hashLiteral(renamed(literal)), hashLiteral(literal))));
  assert.notEqual(hashLiteral(file("a")), hashLiteral(file("b")));
  assert.notEqual(hashLiteral(file("a")), hashLiteral({ ...file("a"), dimensionality: "multipart" }));
  assert.notEqual(hashLiteral(table("a")), hashLiteral(table("b")));
});

test("values of different types are different, however alike they look", () => {
  const alike: readonly Literal[] = [
    { type: "integer", value: "1" },
    { type: "string", value: "1" },
    { type: "float", value: 1 },
    { type: "duration", value: "1" },
    { type: "boolean", value: true },
    { type: "none" },
    { type: "collection", elements: [] },
    { type: "map", entries: {} },
    { type: "union", tag: "a", value: { type: "none" } },
    { type: "union", tag: "b", value: { type: "none" } },
    { type: "binary", tag: "", value: "" },
    { type: "binary", tag: "msgpack", value: "" },
  ];
  assert.equal(new Set(alike.map(hashLiteral)).size, alike.length);
});

test("named literals have one hash in any order, which each name and value changes", () => {
  const one: Literal = { type: "integer", value: "1" };
  const two: Literal = { type: "integer", value: "2" };
  assert.equal(hashLiterals({ a: one, b: two }), hashLiterals({ b: two, a: one }));
  assert.notEqual(hashLiterals({ a: one, b: two }), hashLiterals({ a: two, b: one }));
  assert.notEqual(hashLiterals({ a: one }), hashLiterals({ b: one }));
  assert.equal(hashLiterals({ a: one, b: two }, ["b"]), hashLiterals({ a: one }));
});

test("every blob that a value names is found", () => {
  const hidden: Literal = { type: "binary", tag: "msgpack", value: "", blobs: ["d4"] };
  const deep: Literal = {
    type: "map",
    entries: {
      a: { type: "collection", elements: [file("d1"), { type: "union", tag: "t", value: table("d2") }] },
      b: hidden,
    },
  };
  assert.deepEqual([...blobsOf({ x: deep, y: file("d3"), z: { type: "none" } })].sort(), ["d1", "d2", "d3", "d4"]);
});

test("a blob's URI gives back its digest and its name, whatever the name", () => {
  fc.assert(
    fc.property(digests, fc.string({ unit: "grapheme" }), (digest, name) => {
      assert.deepEqual(parseBlobUri(blobUri(digest, name)), { digest, name });
    }),
  );
  for (const uri of ["s3://b/k", "godwit://short/a", `godwit://${"a".repeat(64)}`, `godwit://${"a".repeat(64)}/a/b`]) {
    assert.equal(parseBlobUri(uri), null, uri);
  }
});

test("a URI with a broken escape is no blob's", () => {
  assert.equal(parseBlobUri(`godwit://${"0".repeat(64)}/50%`), null);
});
