// Values from text, as people write them in flags, and what they are told when it does not fit.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Literal, LiteralType } from "../core/value.ts";
import { literalFromJson, literalFromText, literalToJson, literalToText, typeText } from "./idl.ts";

const simple = (name: string): LiteralType => ({ type: "simple", simple: name }) as LiteralType;
const list = (element: LiteralType): LiteralType => ({ type: "collection", element });
const optional = (type: LiteralType, tag: string): LiteralType => ({
  type: "union",
  variants: [
    { tag, type },
    { tag: "none", type: simple("none") },
  ],
});
const layers: LiteralType = {
  type: "struct",
  schema: {
    type: "object",
    properties: {
      layers: { type: "array", items: { $ref: "#/$defs/Layer" } },
      rate: { anyOf: [{ type: "number" }, { type: "null" }] },
      when: { type: "string", "x-godwit": "date" },
      kind: { enum: ["adam", "sgd"] },
    },
    additionalProperties: false,
    $defs: { Layer: { type: "object", properties: { units: { type: "integer" } }, required: ["units"] } },
  },
};

test("flags are read by their type", () => {
  const cases: [LiteralType, string, Literal][] = [
    [simple("integer"), "-12", { type: "integer", value: "-12" }],
    [simple("integer"), "9223372036854775807", { type: "integer", value: "9223372036854775807" }],
    [simple("float"), "3", { type: "float", value: 3 }],
    [simple("float"), "1e3", { type: "float", value: 1000 }],
    [simple("float"), "NaN", { type: "float", value: "NaN" }],
    [simple("float"), "-0", { type: "float", value: "-0" }],
    [simple("string"), " as it is ", { type: "string", value: " as it is " }],
    [simple("string"), "null", { type: "string", value: "null" }],
    [simple("boolean"), "TRUE", { type: "boolean", value: true }],
    [simple("datetime"), "2026-01-31", { type: "datetime", value: "2026-01-31T00:00:00.000Z" }],
    [
      simple("datetime"),
      "2026-01-31T01:30:00.1234567+02:00",
      { type: "datetime", value: "2026-01-30T23:30:00.1234567Z" },
    ],
    [simple("duration"), "1h30m", { type: "duration", value: "5400000000000" }],
    [simple("duration"), "-1.5s", { type: "duration", value: "-1500000000" }],
    [simple("duration"), "P1DT2H", { type: "duration", value: "93600000000000" }],
    [{ type: "enum", values: ["red", "green"] }, "red", { type: "string", value: "red" }],
    [
      list(simple("integer")),
      "[2, 9007199254740993]",
      {
        type: "collection",
        elements: [
          { type: "integer", value: "2" },
          { type: "integer", value: "9007199254740993" },
        ],
      },
    ],
    [{ type: "map", value: simple("float") }, '{"a": 1}', { type: "map", entries: { a: { type: "float", value: 1 } } }],
    [optional(simple("integer"), "int"), "null", { type: "union", tag: "none", value: { type: "none" } }],
    [optional(simple("integer"), "int"), "", { type: "union", tag: "none", value: { type: "none" } }],
    [optional(simple("integer"), "int"), "5", { type: "union", tag: "int", value: { type: "integer", value: "5" } }],
    [optional(simple("string"), "str"), "", { type: "union", tag: "str", value: { type: "string", value: "" } }],
    [
      {
        type: "union",
        variants: [
          { tag: "str", type: simple("string") },
          { tag: "int", type: simple("integer") },
        ],
      },
      "5",
      { type: "union", tag: "int", value: { type: "integer", value: "5" } },
    ],
  ];
  for (const [type, text, literal] of cases)
    assert.deepEqual(literalFromText(type, text, "--value"), literal, `${typeText(type)}: ${text}`);
});

test("of the members of a union the most specific takes a JSON value, whatever their order", () => {
  const moment = { tag: "datetime", type: simple("datetime") };
  const text = { tag: "str", type: simple("string") };
  const float = { tag: "float", type: simple("float") };
  const integer = { tag: "int", type: simple("integer") };
  const tagsOf = (json: string): unknown =>
    (
      literalFromText(
        list({ type: "union", variants: [text, float, moment, integer] }),
        json,
        "--value",
      ) as unknown as {
        elements: { tag: string }[];
      }
    ).elements.map(({ tag }) => tag);
  assert.deepEqual(tagsOf('["2026-01-31", "x", 3, 3.5, "3"]'), ["datetime", "str", "int", "float", "str"]);
});

test("what is wrong with a flag is said with its path, what was expected and what was found", () => {
  const cases: [LiteralType, string, string][] = [
    [simple("integer"), "abc", '--value: expected an integer, got "abc".'],
    [simple("integer"), "1.5", '--value: expected an integer, got "1.5".'],
    [simple("integer"), "9223372036854775808", '--value: expected an integer, got "9223372036854775808".'],
    [simple("float"), "0x10", '--value: expected a number, got "0x10".'],
    [simple("boolean"), "yes", '--value: expected true or false, got "yes".'],
    [
      simple("datetime"),
      "2026-02-30",
      '--value: expected a date and time such as 2026-01-31T12:00:00Z, got "2026-02-30".',
    ],
    [simple("duration"), "10", '--value: expected a duration such as 1h30m, got "10".'],
    [
      { type: "enum", values: ["adam", "sgd"] },
      "adm",
      '--value: expected one of "adam", "sgd", got "adm". Did you mean "adam"?',
    ],
    [list(simple("integer")), "[1, 2.5]", "--value[1]: expected an integer, got 2.5."],
    [list(simple("integer")), "3", "--value: expected a list, got 3."],
    [optional(simple("integer"), "int"), "x", '--value: expected an integer, got "x".'],
    [layers, '{"layers": [{"units": 1}, {"units": "x"}]}', '--value.layers[1].units: expected an integer, got "x".'],
    [layers, '{"layers": [{}]}', '--value.layers[0]: expected an object with "units", got an empty object.'],
    [layers, '{"layer": []}', '--value.layer: expected no such property, got an empty list. Did you mean "layers"?'],
    [layers, '{"rate": "fast"}', '--value.rate: expected a number or null, got "fast".'],
    [layers, '{"kind": "adm"}', '--value.kind: expected one of "adam", "sgd", got "adm". Did you mean "adam"?'],
    [layers, '{"when": "soon"}', '--value.when: expected a date and time such as 2026-01-31T12:00:00Z, got "soon".'],
    [
      { type: "blob", format: "", dimensionality: "single" },
      "a.csv",
      '--value: expected a stored file (an object with uri and hash), got "a.csv".',
    ],
  ];
  for (const [type, text, message] of cases) {
    assert.throws(() => literalFromText(type, text, "--value"), { code: "invalid_argument", message });
  }
  assert.throws(() => literalFromText(layers, "{oops", "--value"), {
    message: /^--value: expected object as JSON, got "\{oops"\. .*JSON/,
  });
});

test("every single value is read again from its text", () => {
  const single = fc.oneof(
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((value): [string, Literal] => ["integer", { type: "integer", value: String(value) }]),
    fc.double().map((value): [string, Literal] => [
      "float",
      {
        type: "float",
        value: Object.is(value, -0) ? "-0" : Number.isFinite(value) ? value : (String(value) as "NaN"),
      },
    ]),
    fc.string().map((value): [string, Literal] => ["string", { type: "string", value }]),
    fc.boolean().map((value): [string, Literal] => ["boolean", { type: "boolean", value }]),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n })
      .map((value): [string, Literal] => ["duration", { type: "duration", value: String(value) }]),
    fc
      .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
      .map((value): [string, Literal] => ["datetime", { type: "datetime", value: value.toISOString() }]),
    fc
      .uint8Array()
      .map((value): [string, Literal] => [
        "binary",
        { type: "binary", tag: "", value: Buffer.from(value).toString("base64") },
      ]),
  );
  fc.assert(
    fc.property(single, ([name, literal]) => {
      assert.deepEqual(literalFromText(simple(name), literalToText(literal), "--value"), literal);
      assert.deepEqual(
        literalFromJson(list(simple(name)), literalToJson({ type: "collection", elements: [literal] }), "--value"),
        { type: "collection", elements: [literal] },
      );
    }),
    { numRuns: 500 },
  );
});
