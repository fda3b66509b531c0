// Differences of specs are told in words that people know.
import assert from "node:assert/strict";
import { test } from "node:test";
import { differenceText, specDifferences } from "./spec-difference.ts";
import type { TaskSpec } from "./task.ts";
import type { Variable } from "./value.ts";

const integer = { type: "simple", simple: "integer" } as const;
const float = { type: "simple", simple: "float" } as const;

const variable = (name: string, type: Variable["type"]): Variable => ({
  name,
  type,
  required: true,
  description: null,
  defaultText: null,
});

const spec: TaskSpec = {
  name: "etl.main",
  shortName: "main",
  environment: "etl",
  description: null,
  location: null,
  interface: { inputs: [variable("n", integer)], outputs: [variable("o0", integer)] },
  target: {
    type: "container",
    image: "a:1",
    command: [],
    args: ["a0", "--tgz", "/b/1.tgz", "--dest", ".", "--resolver", "r", "mod", "main"],
    env: { LOG: "10" },
    taskType: "python",
    message: "AA==",
  },
  resources: { cpuMillis: 1_000, memoryBytes: 1_024 ** 3 },
  retries: { user: 0, system: 3, backoff: { baseMs: 1, factor: 2, capMs: 3 } },
  timeouts: { attemptMs: null, queuedMs: null, deadlineMs: null },
  cache: { type: "off" },
  env: {},
  code: { type: "unknown", reason: "a container" },
};

test("the same content has no differences, whatever the order of its keys", () => {
  const { name, ...rest } = spec;
  assert.deepEqual(specDifferences(spec, { ...rest, name }), []);
});

test("each part that differs is named, with what it was and what it is", () => {
  const target = { ...spec.target, image: "a:2", args: ["a0", "--tgz", "/b/2.tgz", "--dest", ".", "mod", "main"] };
  const now: TaskSpec = {
    ...spec,
    target: target as TaskSpec["target"],
    interface: { inputs: [variable("n", float), variable("m", integer)], outputs: [] },
    resources: { cpuMillis: 2_000, memoryBytes: null },
    retries: { ...spec.retries, user: 5 },
  };
  assert.deepEqual(specDifferences(spec, now), [
    { what: "input n", before: "integer", after: "float" },
    { what: "input m", before: null, after: "integer" },
    { what: "image", before: "a:1", after: "a:2" },
    { what: "code bundle", before: "/b/1.tgz", after: "/b/2.tgz" },
    { what: "cpu", before: "1", after: "2" },
    { what: "retries.user", before: "0", after: "5" },
    { what: "output o0", before: "integer", after: null },
    { what: "argument --resolver", before: "r", after: null },
    { what: "memory", before: "1 GiB", after: null },
  ]);
});

test("what is not looked at in a message is still told to differ", () => {
  const target = { ...spec.target, message: "AQ==" } as TaskSpec["target"];
  assert.deepEqual(
    specDifferences(spec, { ...spec, target }).map(({ what }) => what),
    ["other parts of its definition"],
  );
});

test("the text has a line for each, long values are cut, and many are counted", () => {
  const env = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`V${index}`, `begin${"x".repeat(500)}end`]));
  const lines = differenceText(specDifferences(spec, { ...spec, env })).split("\n");
  assert.equal(lines.length, 21);
  assert.equal(lines[0], `  environment variable V0: nothing → begin${"x".repeat(30)}…${"x".repeat(57)}end`);
  assert.equal(lines[20], "  and 10 more");
});

test("where a bundled task's file lies on the server is no difference beside its bundle", () => {
  const bundled = (digest: string): TaskSpec => ({
    ...spec,
    location: { file: `/server/bundles/${digest}/etl.ts`, line: 3, column: 1 },
    target: {
      type: "typescript",
      module: "etl.ts",
      export: "main",
      bundle: { digest },
    } as unknown as TaskSpec["target"],
  });
  assert.deepEqual(specDifferences(bundled("aa"), bundled("bb")), [{ what: "code bundle", before: "aa", after: "bb" }]);
  const near = { ...spec, location: { file: "/a.ts", line: 1, column: 1 } };
  assert.equal(
    differenceText(specDifferences(near, { ...near, location: { file: "/b.ts", line: 1, column: 1 } })),
    "  location.file: /a.ts → /b.ts",
  );
});
