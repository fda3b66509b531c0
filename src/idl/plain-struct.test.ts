// Structs that are read exactly, whoever wrote them, and written so that others can read them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import type { JsonSchema } from "../core/value.ts";
import { jsonFromPacked, type Packed, pack, tag, unpack } from "./idl.ts";
import { literalOf } from "./literal-message.ts";
import { unpackExact } from "./msgpack-exact.ts";
import { plainBytes, plainPacked, plainSchema } from "./plain-struct.ts";

const scalar = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double(),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.date({ min: new Date(0), noInvalidDate: true }),
);

const { packed } = fc.letrec<{ packed: Packed }>((tie) => ({
  packed: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie("packed"), { maxLength: 20 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), tie("packed"), { noNullPrototype: true }) as fc.Arbitrary<Packed>,
    tie("packed").map((value) => tag("set", [value])),
    tie("packed").map((value) => tag("member", [1n, value])),
  ),
}));

test("what is read exactly is written with the very same bytes", () => {
  fc.assert(
    fc.property(packed, (value) => {
      const bytes = pack(value);
      assert.deepEqual(pack(unpackExact(bytes) as Packed), bytes);
      assert.deepEqual(jsonFromPacked(unpackExact(bytes) as Packed), jsonFromPacked(unpack(bytes)));
    }),
  );
});

test("integers of other writers stay integers, in every width that msgpack has for them", () => {
  const cases: [readonly number[], Packed][] = [
    [[0x03], 3n],
    [[0xff], -1n],
    [[0xcc, 0xff], 255n],
    [[0xcd, 0x01, 0x00], 256n],
    [[0xce, 0, 1, 0, 0], 65_536n],
    [[0xd0, 0x80], -128n],
    [[0xd1, 0xff, 0x00], -256n],
    [[0xd2, 0xff, 0xff, 0xff, 0x00], -256n],
    [[0xca, 0x3f, 0x80, 0, 0], 1],
    [[0xc4, 1, 7], new Uint8Array([7])],
    [[0xd9, 1, 0x61], "a"],
    [[0xdc, 0, 1, 0x05], [5n]],
    [[0xde, 0, 1, 0xa1, 0x6b, 0x05], { k: 5n }],
  ];
  for (const [bytes, value] of cases) assert.deepEqual(unpackExact(Uint8Array.from(bytes)), value);
});

test("bytes that could not be written again as they are are left alone", () => {
  for (const bytes of [
    [],
    [0xc1],
    [0xa2, 0x61],
    [0x03, 0x03],
    [0x81, 0x01, 0x02],
    [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xd4, 0x63, 0x00],
    [0xa1, 0xff],
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    new Array(2_000).fill(0x91),
  ])
    assert.equal(unpackExact(Uint8Array.from(bytes)), null);
});

test("a dataclass of Python stays as it came, and its integers are read as integers", () => {
  const { literals } = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../test/fixtures/python/messages.json"), "utf8"),
  ) as { readonly literals: { readonly dataclass: { readonly literal: string } } };
  const literal = literalOf(fromBinary(LiteralSchema, Buffer.from(literals.dataclass.literal, "base64")), null);
  assert.ok(literal.type === "binary");
  const bytes = Buffer.from(literal.value, "base64");
  assert.equal(plainBytes(bytes), null);
  assert.deepEqual(unpackExact(bytes), { name: "n", layers: [{ units: 3n, rate: 0.5 }], note: null, sizes: { s: 9n } });
});

test("sets are lists, maps objects or pairs, moments and large integers text, members themselves", () => {
  const date = new Date("2026-01-31T12:00:00Z");
  const cases: [Packed, Packed][] = [
    [tag("set", [1n]), [1n]],
    [tag("map", [["a", tag("set", [])]]), { a: [] }],
    [tag("map", [[1n, "x"]]), [[1n, "x"]]],
    [tag("bigint", "3"), 3n],
    [tag("bigint", String(2n ** 70n)), String(2n ** 70n)],
    [tag("undefined", null), null],
    [tag("member", [2n, { when: date }]), { when: "2026-01-31T12:00:00.000Z" }],
    [tag("blob", { uri: "x" }), { uri: "x" }],
  ];
  for (const [value, plain] of cases) {
    assert.deepEqual(plainPacked(value), plain);
    assert.deepEqual(plainBytes(pack([value])), pack([plain]));
  }
});

test("a schema of our own has the titles, files and tables by which Python makes classes", () => {
  const schema: JsonSchema = {
    type: "object",
    properties: {
      best_net: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
      weights: { type: "array", items: { type: "object", "x-godwit": "file", format: "bin" } },
    },
    required: ["best_net"],
  };
  const plain = plainSchema(schema);
  assert.ok(plain !== null);
  assert.equal(plain.title, "Object");
  const { best_net: net = {}, weights = {} } = plain.properties as { readonly [name: string]: JsonSchema };
  assert.equal(net.title, "BestNet");
  assert.deepEqual((weights.items as JsonSchema).required, ["path"]);
  assert.equal((weights.items as JsonSchema).title, "File");
  const titled = { ...schema, title: "Net" };
  assert.equal(plainSchema(titled), titled);
  assert.equal(plainSchema({ type: "array", prefixItems: [] }), null);
  assert.equal(plainSchema({ $ref: "#/$defs/type0", $defs: {} }), null);
});
