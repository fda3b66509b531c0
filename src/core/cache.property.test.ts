// Keys of random inputs: the same for what is the same in another order or under another name, and
// another for every other value.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { hashInputs } from "./cache.ts";
import { type BlobLiteral, hashLiteral, type Literal } from "./value.ts";

// Small pools, so that two values are often near to each other, and sometimes the same.
const texts = ["", "0", "-0", "1", "1.0", "NaN", "null", "true", "a", "A", "\u00e9", "e\u0301", "[]", "{}"] as const;
const text = fc.constantFrom(...texts);
const instants = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z"];

const scalar: fc.Arbitrary<Literal> = fc.oneof(
  fc.constant<Literal>({ type: "none" }),
  fc.constantFrom("0", "1", "-1", "9007199254740993").map((value): Literal => ({ type: "integer", value })),
  fc
    .constantFrom(0, 1, 0.1, "NaN", "Infinity", "-Infinity", "-0")
    .map((value) => ({ type: "float", value }) as Literal),
  text.map((value): Literal => ({ type: "string", value })),
  fc.boolean().map((value): Literal => ({ type: "boolean", value })),
  fc.constantFrom(...instants).map((value): Literal => ({ type: "datetime", value })),
  fc.constantFrom("0", "1").map((value): Literal => ({ type: "duration", value })),
  fc.constantFrom("", "AA==", "AAA=").map((value): Literal => ({ type: "binary", tag: "", value })),
);

const file: fc.Arbitrary<Literal> = fc
  .record({
    hash: fc.constantFrom("1".repeat(64), "2".repeat(64)),
    name: text,
    dimensionality: fc.constantFrom<BlobLiteral["dimensionality"]>("single", "multipart"),
  })
  .map(({ hash, name, dimensionality }) => {
    const uri = `godwit://${hash}/${encodeURIComponent(name)}`;
    return { type: "blob", uri, format: name, dimensionality, hash, sizeBytes: name.length };
  });

const { literal } = fc.letrec<{ literal: Literal }>((tie) => ({
  literal: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    file,
    fc.array(tie("literal"), { maxLength: 3 }).map((elements): Literal => ({ type: "collection", elements })),
    fc.dictionary(text, tie("literal"), { maxKeys: 3 }).map((entries): Literal => ({ type: "map", entries })),
    fc
      .record({ tag: fc.constantFrom("int", "str"), value: tie("literal") })
      .map((union): Literal => ({ type: "union", ...union })),
  ),
}));

/** What of a literal counts, as plain data, by another way than the code's: names of files are not in it. */
function counts(value: Literal): unknown {
  if (value.type === "blob") return ["blob", value.dimensionality, value.hash];
  if (value.type === "collection") return ["collection", value.elements.map(counts)];
  if (value.type === "map") return new Map(Object.entries(value.entries).map(([key, entry]) => [key, counts(entry)]));
  if (value.type === "union") return ["union", value.tag, counts(value.value)];
  return value;
}

/** The same, with the keys of every map the other way round, and files under other names. */
function turned(value: Literal): Literal {
  if (value.type === "blob") return { ...value, uri: `godwit://${value.hash}/other`, format: "other", sizeBytes: 99 };
  if (value.type === "collection") return { type: "collection", elements: value.elements.map(turned) };
  if (value.type === "union") return { type: "union", tag: value.tag, value: turned(value.value) };
  if (value.type !== "map") return Object.fromEntries(Object.entries(value).reverse()) as Literal;
  const entries = Object.entries(value.entries).reverse();
  return { entries: Object.fromEntries(entries.map(([key, entry]) => [key, turned(entry)])), type: "map" };
}

test("the order of keys and the names of files do not count", () => {
  fc.assert(
    fc.property(literal, (value) => hashLiteral(value) === hashLiteral(turned(value))),
    { numRuns: 500 },
  );
});

test("two values have one hash if and only if they are the same", () => {
  fc.assert(
    fc.property(literal, literal, (one, other) => {
      assert.equal(hashLiteral(one) === hashLiteral(other), isDeepStrictEqual(counts(one), counts(other)));
    }),
    { numRuns: 3_000 },
  );
});

test("scalars that look alike are all told apart", () => {
  const found = new Map<string, Literal>();
  for (const value of fc.sample(scalar, { numRuns: 3_000, seed: 7 })) {
    const known = found.get(hashLiteral(value));
    if (known !== undefined) assert.deepEqual(value, known);
    found.set(hashLiteral(value), value);
  }
  // None, 4 integers, 7 floats, every text, 2 booleans, 2 instants, 2 durations, 3 of bytes.
  assert.equal(found.size, 1 + 4 + 7 + texts.length + 2 + 2 + 2 + 3);
});

test("inputs: an input that is missing, none, an empty list and an empty text are four things", () => {
  const of: readonly Record<string, Literal>[] = [
    {},
    { x: { type: "none" } },
    { x: { type: "collection", elements: [] } },
    { x: { type: "string", value: "" } },
    { x: { type: "map", entries: {} } },
  ];
  const hashes = of.map((inputs) => JSON.stringify(hashInputs(inputs)));
  assert.equal(new Set(hashes).size, of.length);
});
