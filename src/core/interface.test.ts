// Which interfaces go with which: what a caller's code says of a task, against the task.
import assert from "node:assert/strict";
import { test } from "node:test";
import { interfaceMismatch } from "./interface.ts";
import type { LiteralType, Variable } from "./value.ts";

const simple = (name: "none" | "integer" | "float" | "string"): LiteralType => ({ type: "simple", simple: name });
const struct = (properties: object | null, required: readonly string[] = []): LiteralType => ({
  type: "struct",
  schema: properties === null ? null : { type: "object", properties, required },
});
const union = (...types: readonly LiteralType[]): LiteralType => ({
  type: "union",
  variants: types.map((type, index) => ({ tag: String(index), type })),
});
const variable = (name: string, type: LiteralType, required = true): Variable => ({
  name,
  type,
  required,
  description: null,
  defaultText: null,
});

const input = (given: LiteralType, taken: LiteralType): string | null =>
  interfaceMismatch({ inputs: [variable("x", given)], outputs: [[]] }, { inputs: [variable("x", taken)], outputs: [] });

const going: readonly (readonly [promise: string, given: LiteralType, taken: LiteralType])[] = [
  ["an integer for a float", simple("integer"), simple("float")],
  ["a member for a union", simple("string"), union(simple("none"), simple("string"))],
  [
    "a union for a wider one",
    union(simple("none"), simple("integer")),
    union(simple("string"), simple("integer"), simple("none")),
  ],
  [
    "a list of integers for a list of floats",
    { type: "collection", element: simple("integer") },
    { type: "collection", element: simple("float") },
  ],
  ["an enum for text", { type: "enum", values: ["a"] }, simple("string")],
  ["an object for one without a schema", struct({ a: { type: "integer" } }), struct(null)],
  [
    "an object with more for one with fewer properties",
    struct({ a: { type: "integer" }, b: {} }),
    struct({ a: { type: "number" } }, ["a"]),
  ],
  [
    "a file of any format for a file",
    { type: "blob", format: "csv", dimensionality: "single" },
    { type: "blob", format: "", dimensionality: "single" },
  ],
];

for (const [promise, given, taken] of going) test(`${promise} goes`, () => assert.equal(input(given, taken), null));

const refused: readonly (readonly [promise: string, given: LiteralType, taken: LiteralType, message: string])[] = [
  ["a float for an integer", simple("float"), simple("integer"), 'its input "x" is float where integer is expected'],
  [
    "what may be none for what may not",
    union(simple("none"), simple("string")),
    simple("string"),
    'its input "x" is none where string is expected',
  ],
  [
    "an enum with a value more",
    { type: "enum", values: ["a", "c"] },
    { type: "enum", values: ["a", "b"] },
    'its input "x" may be "c", which is none of a, b',
  ],
  [
    "an object without a property",
    struct({ a: { type: "integer" } }),
    struct({ b: { type: "integer" } }, ["b"]),
    'its input "x" has no property "b"',
  ],
  [
    "an object with a property of another type",
    struct({ a: { type: "string" } }),
    struct({ a: { type: "integer" } }),
    'its input "x" has a property "a" that is string where integer is expected',
  ],
  [
    "a pickle",
    simple("string"),
    { type: "blob", format: "PythonPickle", dimensionality: "single" },
    'its input "x" is an opaque Python value (PythonPickle), which only Python can read',
  ],
];

for (const [promise, given, taken, message] of refused)
  test(`${promise} does not go, and it is said why`, () => assert.equal(input(given, taken), message));

test("inputs that are missing, too many, or may be missing where they must not are told", () => {
  const taken = { inputs: [variable("x", simple("integer"))], outputs: [] };
  const told = (inputs: readonly Variable[]) => interfaceMismatch({ inputs, outputs: [[]] }, taken);
  assert.equal(told([]), 'its input "x" (integer) is missing');
  assert.equal(told([variable("y", simple("integer"))]), 'it has no input "y", but "x"');
  assert.match(told([variable("x", simple("integer"), false)]) ?? "", /has to be given/);
  assert.equal(
    interfaceMismatch(
      { inputs: [], outputs: [[]] },
      { inputs: [variable("x", simple("integer"), false)], outputs: [] },
    ),
    null,
  );
});

test("outputs go if one of their forms does, and else the nearest form is told", () => {
  const forms = [[variable("a", simple("integer"))], [variable("o0", struct({ a: { type: "integer" } }))]];
  const told = (outputs: readonly Variable[]) =>
    interfaceMismatch({ inputs: [], outputs: forms }, { inputs: [], outputs });
  assert.equal(told([variable("a", simple("integer"))]), null);
  assert.equal(told([variable("o0", struct({ a: { type: "integer" } }, ["a"]))]), null);
  assert.equal(told([variable("o0", simple("string"))]), 'its output "o0" is string where an object is expected');
  assert.equal(told([]), 'it has no output "a", but no outputs');
});
