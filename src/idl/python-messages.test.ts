// Messages that Flyte's own Python SDK made (test/fixtures/python/messages.py), read and written again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type DescMessage, equals, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import { LiteralTypeSchema } from "#idl/flyteidl2/core/types_pb.js";
import { InputsSchema } from "#idl/flyteidl2/task/common_pb.js";
import { TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import type { Literal, LiteralType } from "../core/value.ts";
import { containerErrorOf, errorBytes } from "./error-message.ts";
import { defaultInputsOf, interfaceOf } from "./interface-message.ts";
import { literalToJson } from "./literal-json.ts";
import { literalMessage, literalOf } from "./literal-message.ts";
import { contextOf, inputsBytes, inputsOf, outputsBytes, outputsOf } from "./task-files.ts";
import { taskSpecMessage, taskSpecOf } from "./task-spec-message.ts";
import { typeMessage, typeOf } from "./type-message.ts";

type Texts = { readonly [name: string]: string };

const made = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/python/messages.json"), "utf8"),
) as {
  readonly literals: { readonly [name: string]: { readonly type: string; readonly literal: string } };
  readonly specs: Texts;
  readonly errors: Texts;
  readonly files: Texts;
};

const bytesOf = (text: string | undefined): Buffer => Buffer.from(text as string, "base64");
const message = <Desc extends DescMessage>(schema: Desc, text: string | undefined): MessageShape<Desc> =>
  fromBinary(schema, bytesOf(text));

function literalNamed(name: string): { readonly type: LiteralType; readonly literal: Literal } {
  const type = typeOf(message(LiteralTypeSchema, made.literals[name]?.type));
  return { type, literal: literalOf(message(LiteralSchema, made.literals[name]?.literal), type) };
}

const known: { readonly [name: string]: unknown } = {
  int: 3,
  largeInt: "4611686018427387905",
  float: 0.1,
  infinity: "-Infinity",
  str: "grüß",
  bool: true,
  none: null,
  datetime: "2026-01-31T12:00:00.123456Z",
  date: "1969-07-20T00:00:00.000Z",
  timedelta: "-23h59m59s999ms993us",
  enum: "GREEN",
  list: [1, 2],
  nested: { k: [1, 2.5] },
  emptyList: [],
  optionalNone: null,
  optionalInt: 7,
  union: ["a"],
  twoClasses: { side: 2 },
  dataclass: { name: "n", layers: [{ units: 3, rate: 0.5 }], note: null, sizes: { s: 9 } },
  pydantic: { x: 1, y: 1.5, tags: [], when: "2026-01-01T00:00:00Z" },
  untypedDict: { a: 1, b: [1.5, "x", null] },
  tuple: { item_0: 1, item_1: "a" },
  file: { uri: "/raw/a.txt", format: "txt", hash: "content-hash" },
  dir: { uri: "/raw/folder", format: "", hash: null },
  fileInModel: { file: { path: "/raw/b.txt", name: "b.txt", format: "", hash: "h" }, label: "l" },
  constrained: 4,
};

test("values of Python are read as what they are", () => {
  for (const [name, value] of Object.entries(known)) {
    assert.deepEqual(literalToJson(literalNamed(name).literal), value, name);
  }
});

test("values of Python leave as the message that came, pickles and their hashes among them", () => {
  for (const [name, { literal: text }] of Object.entries(made.literals)) {
    if (name === "generic") continue;
    const { type, literal } = literalNamed(name);
    assert.ok(equals(LiteralSchema, literalMessage(literal, type), message(LiteralSchema, text)), name);
  }
});

test("types of Python leave as the message that came, but for what only Python reads", () => {
  // Names of classes, limits of fields, the transformer of a dataclass or of pandas.
  const partly = ["literalChoice", "pickle", "pickledSet", "constrained", "dataclass", "generic", "pandas"];
  for (const [name, { type: text }] of Object.entries(made.literals)) {
    const type = message(LiteralTypeSchema, text);
    const again = typeMessage(typeOf(type));
    assert.equal(equals(LiteralTypeSchema, again, type), !partly.includes(name), name);
    assert.deepEqual(typeOf(again), typeOf(type), name);
  }
});

test("of two dataclasses in a union the value's own is chosen, though both have one transformer", () => {
  const { type, literal } = literalNamed("twoClasses");
  assert.deepEqual(type.type === "union" && type.variants.map(({ tag }) => tag), [
    "Object-Dataclass-Transformer",
    "Object-Dataclass-Transformer 2",
  ]);
  assert.equal(literal.type === "union" && literal.tag, "Object-Dataclass-Transformer 2");
});

test("a struct that came with floats for all its numbers has integers where its schema says so", () => {
  const { literal } = literalNamed("generic");
  assert.ok(literal.type === "binary" && literal.tag === "msgpack");
  const text = Buffer.from(literal.value, "base64").toString("latin1");
  assert.ok(text.includes("\xa5units\xcf"), "units is a 64-bit integer");
  assert.ok(text.includes("\xa4rate\xcb"), "rate is a double");
});

test("a spec of Python says what its task asks for", () => {
  const spec = taskSpecOf(message(TaskSpecSchema, made.specs.train));
  assert.equal(spec.name, "training.train");
  assert.equal(spec.shortName, "fit");
  assert.equal(spec.environment, "training");
  assert.deepEqual(spec.resources, {
    cpuMillis: 500,
    memoryBytes: 2 * 2 ** 30,
    gpus: { count: 2, model: "A100" },
    diskBytes: 10 * 2 ** 30,
  });
  assert.deepEqual(spec.retries, { user: 4, system: 3, backoff: { baseMs: 2_000, factor: 3, capMs: 60_000 } });
  assert.deepEqual(spec.timeouts, { attemptMs: 300_000, queuedMs: 90_000, deadlineMs: 3_600_000 });
  assert.deepEqual(spec.cache, { type: "version", version: "v7", ignoredInputs: ["note"] });
  const { inputs, outputs } = spec.interface;
  assert.deepEqual(
    inputs.map(({ name, required, defaultText }) => [name, required, defaultText]),
    [
      ["epochs", false, "3"],
      ["net", true, null],
      ["note", false, "null"],
    ],
  );
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ["o0", "o1"],
  );
  assert.ok(spec.target.type === "container");
  assert.equal(spec.target.args[0], "a0");
  assert.deepEqual(spec.target.env, { MODE: "fast" });
  assert.equal(spec.target.image, "python:3.11");
});

test("specs of Python leave as the message that came, with the fields that nobody here knows", () => {
  for (const [name, text] of Object.entries(made.specs)) {
    const spec = message(TaskSpecSchema, text);
    assert.ok(equals(TaskSpecSchema, taskSpecMessage(taskSpecOf(spec)), spec), name);
    assert.deepEqual(
      Buffer.from(toBinary(TaskSpecSchema, taskSpecMessage(taskSpecOf(spec)))).length,
      bytesOf(text).length,
    );
  }
});

test("a sleep of Python is a sleep, and a task of a reusable environment a container of its kind", () => {
  const { target, resources } = taskSpecOf(message(TaskSpecSchema, made.specs.nap));
  assert.equal(target.type, "sleep");
  assert.equal(resources.cpuMillis, 0);
  const reuse = taskSpecOf(message(TaskSpecSchema, made.specs.reuse)).target;
  assert.equal(reuse.type === "container" && reuse.taskType, "actor");
});

test("inputs that are left out have the values that their task was deployed with", () => {
  const { defaultInputs } = message(TaskSpecSchema, made.specs.train);
  assert.deepEqual(defaultInputsOf(defaultInputs), {
    epochs: { type: "integer", value: "3" },
    note: { type: "union", tag: "none", value: { type: "none" } },
  });
});

test("errors of Python keep code, message, kind and whether a retry can help", () => {
  const error = (name: string) => containerErrorOf(bytesOf(made.errors[name]));
  const nowhere = { stack: null, location: null, origin: null };
  assert.deepEqual(error("user"), {
    code: "ValueError",
    message: "no such layer",
    kind: "user",
    recoverable: true,
    ...nowhere,
  });
  assert.equal(error("final").recoverable, false);
  assert.equal(error("system").kind, "system");
  assert.equal(error("unknown").kind, "user");
  for (const name of ["user", "final", "system"])
    assert.deepEqual(Buffer.from(errorBytes(error(name))), bytesOf(made.errors[name]));
});

test("files of inputs and outputs are read and written as Python writes them", () => {
  const types = taskSpecOf(message(TaskSpecSchema, made.specs.hello)).interface;
  const inputs = bytesOf(made.files.inputs);
  assert.deepEqual(inputsOf(inputs, types), { x: { type: "integer", value: "3" } });
  const context = contextOf(message(InputsSchema, made.files.inputs));
  assert.deepEqual(context, { trace: "1" });
  assert.deepEqual(Buffer.from(inputsBytes(inputsOf(inputs, types), types, context)), inputs);
  const outputs = bytesOf(made.files.outputs);
  assert.deepEqual(Buffer.from(outputsBytes(outputsOf(outputs, types), types)), outputs);
});

test("an interface without a type is refused with what is missing", () => {
  const { taskTemplate } = message(TaskSpecSchema, made.specs.hello);
  const [variable] = taskTemplate?.interface?.inputs?.variables ?? [];
  delete variable?.value?.type;
  assert.throws(() => interfaceOf(taskTemplate?.interface), { code: "invalid_argument" });
});
