// Objects as msgpack, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isRecord, type Packed, pack, packJson, tag, tagOf, unpack, unpackJson } from "./idl.ts";

const hex = (value: Packed): string => Buffer.from(pack(value)).toString("hex");

test("integers have 64 bits and floats are doubles, so that neither passes for the other", () => {
  assert.equal(hex(3n), "cf0000000000000003");
  assert.equal(hex(-3n), "d3fffffffffffffffd");
  assert.equal(hex(3), "cb4008000000000000");
  assert.equal(hex(-0), "cb8000000000000000");
  assert.deepEqual(unpack(pack([3n, 3, 2n ** 63n - 1n, -(2n ** 63n)])), [3n, 3, 2n ** 63n - 1n, -(2n ** 63n)]);
});

test("keys are sorted at every level", () => {
  assert.equal(hex({ b: [{ d: null, c: true }], a: "x" }), hex({ a: "x", b: [{ c: true, d: null }] }));
});

test("tagged values keep their tag, and are no records", () => {
  const value = unpack(pack({ big: tag("bigint", "5"), list: [tag("set", [1n, tag("undefined", null)])] }));
  assert.ok(isRecord(value));
  assert.equal(tagOf(value.big as Packed), "bigint");
  assert.equal(isRecord(value.big as Packed), false);
  assert.deepEqual(unpackJson(pack(value)), { big: 5, list: [[1, null]] });
});

test("bytes that are not msgpack are told from a bug", () => {
  for (const bytes of [Uint8Array.of(0xc1), Uint8Array.of(0x92, 0x01), Uint8Array.of(0x01, 0x02)]) {
    assert.throws(() => unpack(bytes), { code: "data_loss", message: /not msgpack/ });
  }
});

test("JSON goes into a struct as its schema says, and whole numbers as integers where none says", () => {
  const schema = { type: "object", properties: { rate: { type: "number" }, units: { type: "integer" } } };
  assert.deepEqual(unpack(packJson(schema, { rate: 3, units: 3, more: [3, 3.5] }, "x")), {
    rate: 3,
    units: 3n,
    more: [3n, 3.5],
  });
  assert.deepEqual(unpackJson(packJson(null, { big: "9007199254740993", n: 9007199254740993n }, "x")), {
    big: "9007199254740993",
    n: "9007199254740993",
  });
});
