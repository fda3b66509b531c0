// Inputs as a form asks for them, and what it was filled in with.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Literals, LiteralType, Variable } from "../core/value.ts";
import { formLiterals, launchForm, literalsFromValues, variablesOfForm } from "./launch-form.ts";

const variable = (name: string, type: LiteralType, required = true): Variable => ({
  name,
  type,
  required,
  description: null,
  defaultText: null,
});

const integer: LiteralType = { type: "simple", simple: "integer" };
const layer = { type: "object", properties: { units: { type: "integer" } }, required: ["units"] };

const inputs: readonly Variable[] = [
  variable("depth", integer),
  variable("rate", { type: "simple", simple: "float" }, false),
  variable("when", { type: "simple", simple: "datetime" }),
  variable("kind", { type: "enum", values: ["a", "b"] }),
  variable("sizes", { type: "collection", element: integer }),
  variable("by_name", { type: "map", value: integer }),
  variable("layer", { type: "struct", schema: layer }),
  variable("note", {
    type: "union",
    variants: [
      { tag: "str", type: { type: "simple", simple: "string" } },
      { tag: "none", type: { type: "simple", simple: "none" } },
    ],
  }),
  variable("data", { type: "blob", format: "csv", dimensionality: "single" }),
];

const values: Literals = literalsFromValues(inputs, {
  depth: 3,
  rate: 3,
  when: "2026-01-31T12:00:00Z",
  kind: "b",
  sizes: [1, 2],
  by_name: { x: 1 },
  layer: { units: 4 },
  note: "n",
  data: { uri: "/uploads/a.csv" },
});

/** As it goes to a browser and comes back. */
const sent = (form: JsonObject): JsonObject => JSON.parse(JSON.stringify(form)) as JsonObject;

test("what a form was made of comes back from it, exact types included", () => {
  const form = sent(launchForm(inputs, values));
  assert.deepEqual(formLiterals(form), values);
  assert.deepEqual(
    variablesOfForm(form).map(({ name, type, required }) => ({ name, type, required })),
    inputs.map(({ name, type, required }) => ({ name, type, required })),
  );
});

test("a form is a JSON Schema, whose required properties are those without a default of their task", () => {
  const form = launchForm(inputs, { depth: { type: "integer", value: "3" } });
  const properties = form.properties as { readonly [name: string]: JsonObject };
  assert.equal(properties.depth?.type, "integer");
  assert.equal(properties.depth?.default, 3);
  assert.deepEqual(properties.kind?.enum, ["a", "b"]);
  assert.deepEqual(properties.sizes?.items, { type: "integer" });
  assert.equal((form.required as string[]).includes("rate"), false);
});

test("a value that is changed in the form is checked by its type, under its name", () => {
  const form = sent(launchForm(inputs, values));
  ((form.properties as JsonObject).depth as JsonObject).default = "deep";
  assert.throws(() => formLiterals(form), { code: "invalid_argument", message: /^depth: expected an integer/ });
  assert.throws(() => literalsFromValues(inputs, { deepness: 1 }), { code: "invalid_argument", message: /"deepness"/ });
});

test("a form that somebody else made is read by its JSON Schema", () => {
  const property = (schema: JsonObject, value: JsonObject[string]) => ({ ...schema, default: value });
  const properties = {
    a: property({ type: "integer" }, 1),
    b: property({ type: "string", format: "date-time" }, "2026-01-31"),
    c: property({ type: "array", items: { type: "number" } }, [1]),
    d: property({ type: "string", enum: ["x"] }, "x"),
    e: property({ type: "object", properties: { n: { type: "integer" } } }, { n: 1 }),
    f: { type: "string" },
  } as unknown as JsonObject;
  const literals = formLiterals({ properties });
  assert.deepEqual(Object.keys(literals), ["a", "b", "c", "d", "e"]);
  assert.equal(literals.b?.type, "datetime");
  assert.deepEqual(literals.c, { type: "collection", elements: [{ type: "float", value: 1 }] });
  assert.equal(literals.e?.type === "binary" && literals.e.tag, "msgpack");
});

test("what is no form is refused", () => {
  for (const wrong of [
    {},
    { properties: [] },
    { properties: { a: 3 } },
    { properties: { a: { "x-godwit-type": "//8=", default: 1 } } },
  ])
    assert.throws(() => formLiterals(wrong as unknown as JsonObject), { code: "invalid_argument" });
});
