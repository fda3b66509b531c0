// Flags in, inputs and complaints out.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LiteralType, Variable } from "../core/value.ts";
import { parseInputFlags } from "./input-flags.ts";

const simple = (name: "integer" | "string" | "boolean" | "none"): LiteralType => ({ type: "simple", simple: name });
const list: LiteralType = { type: "collection", element: simple("integer") };
const input = (name: string, type: LiteralType): Variable => ({
  name,
  type,
  required: true,
  description: null,
  defaultText: null,
});
const inputs = [
  input("depth", simple("integer")),
  input("maxDepth", simple("integer")),
  input("depths", list),
  input("verbose", simple("boolean")),
  input("note", simple("string")),
];

const parse = (...tokens: string[]) => {
  const { given, problems } = parseInputFlags(tokens, inputs, ["name", "json"]);
  return { given: Object.fromEntries(given), problems };
};
const texts = (...values: string[]) => ({ type: "texts", texts: values });

test("a value follows its flag or an equals sign, a negative number too", () => {
  assert.deepEqual(parse("--depth", "-3", "--note=a=b"), {
    given: { depth: texts("-3"), note: texts("a=b") },
    problems: [],
  });
});

test("a camelCase input answers to its kebab-case flag as well", () => {
  assert.deepEqual(parse("--max-depth", "3").given, { maxDepth: texts("3") });
  assert.deepEqual(parse("--maxDepth", "3").given, { maxDepth: texts("3") });
});

test("an input that is called like another's kebab-case flag keeps its name", () => {
  const both = [input("max-depth", simple("integer")), input("maxDepth", simple("integer"))];
  const { given } = parseInputFlags(["--max-depth", "1"], both, []);
  assert.deepEqual([...given.keys()], ["max-depth"]);
});

test("a boolean is a switch with an opposite, and takes a word when there is one", () => {
  assert.deepEqual(parse("--verbose").given, { verbose: { type: "switch", isOn: true } });
  assert.deepEqual(parse("--no-verbose").given, { verbose: { type: "switch", isOn: false } });
  assert.deepEqual(parse("--verbose", "false", "--depth", "1").given, {
    verbose: { type: "switch", isOn: false },
    depth: texts("1"),
  });
  assert.match(parse("--verbose=maybe").problems[0] ?? "", /expected true or false, found "maybe"/);
});

test("only a list may repeat its flag", () => {
  assert.deepEqual(parse("--depths", "1", "--depths", "2").given, { depths: texts("1", "2") });
  assert.match(parse("--depth", "1", "--depth", "2").problems[0] ?? "", /--depth was given more than once/);
});

test("every mistake is told, and each once", () => {
  const { problems } = parse("--dept", "3", "stray", "--note");
  assert.equal(problems.length, 3);
  assert.match(problems[0] ?? "", /unknown option --dept\. Did you mean "--depth"/);
  assert.match(problems[1] ?? "", /unexpected "stray"/);
  assert.match(problems[2] ?? "", /--note needs a value/);
});

test("a mistyped option of Godwit's own is recognised", () => {
  assert.match(parse("--nmae", "x").problems[0] ?? "", /Did you mean "--name"/);
});
