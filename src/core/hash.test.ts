// Equal values have equal texts and hashes, different ones have different.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, hashParts, sha256Hex } from "./hash.ts";

/** The same value with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, member]) => [key, reversed(member)]));
}

test("canonical JSON says what JSON says, in one order of keys", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(reversed(value)), text);
    }),
  );
});

test("canonical JSON leaves out what is not given, and keeps what is null", () => {
  assert.equal(canonicalJson({ b: undefined, a: null, c: [undefined] }), '{"a":null,"c":[null]}');
});

test("two lists of parts have one hash only if they are one list", () => {
  const parts = fc.array(fc.string({ unit: fc.constantFrom("a", ":", "1", "2", "é", "🪶"), maxLength: 4 }), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      assert.equal(hashParts(...a) === hashParts(...b), JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 2_000 },
  );
  assert.notEqual(hashParts("ab", "c"), hashParts("a", "bc"));
  assert.notEqual(hashParts(), hashParts(""));
  assert.notEqual(hashParts("1:a"), hashParts("", "a"));
});

test("text and its UTF-8 bytes have one SHA-256, which is the known one", () => {
  assert.equal(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(sha256Hex("é"), sha256Hex(new TextEncoder().encode("é")));
});
