// Values of each type as literals, and back; and what cannot be carried.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { sha256Hex } from "../core/hash.ts";
import { interfaceHash } from "../core/task.ts";
import { hashLiterals, type Literals, type LiteralType } from "../core/value.ts";
import { pack, packJson, unpack } from "../idl/idl.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { bytes } from "./bytes.ts";
import { type Codec, inputCodec, outputCodec } from "./codec.ts";
import { dir } from "./dir.ts";
import { File, file } from "./file.ts";
import type { Schema } from "./schema.ts";
import { table } from "./table.ts";

const blobs = memoryBlobs();

const simple = (name: string): LiteralType => ({ type: "simple", simple: name }) as LiteralType;
const typeOf = (schema: Schema): LiteralType | undefined =>
  inputCodec(z.object({ value: schema as z.ZodType }), "env.task").variables[0]?.type;
const input = (schema: Schema): Codec => inputCodec(z.object({ value: schema as z.ZodType }), "env.task");
const literalOf = (schema: Schema, value: unknown): unknown =>
  (input(schema).encode({ value }, blobs) as Literals).value;
const fails = (message: string | RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, "invalid_argument");
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

test("each schema has the literal type that Flyte has for it", () => {
  const tagged = (...variants: [string, LiteralType][]): LiteralType => ({
    type: "union",
    variants: variants.map(([tag, type]) => ({ tag, type })),
  });
  const types: [Schema, LiteralType][] = [
    [z.int(), simple("integer")],
    [z.int32(), simple("integer")],
    [z.bigint(), simple("integer")],
    [z.number(), simple("float")],
    [z.string().min(3), simple("string")],
    [z.iso.datetime(), simple("string")],
    [z.stringbool(), simple("string")],
    [z.templateLiteral(["v", z.int()]), simple("string")],
    [z.boolean(), simple("boolean")],
    [z.date(), simple("datetime")],
    [z.null(), simple("none")],
    [bytes(), simple("binary")],
    [z.instanceof(Uint8Array).refine((value) => value.length > 1), simple("binary")],
    [z.enum(["a", "b"]), { type: "enum", values: ["a", "b"] }],
    [z.literal("a"), { type: "enum", values: ["a"] }],
    [z.literal(3), simple("integer")],
    [z.array(z.int()), { type: "collection", element: simple("integer") }],
    [z.set(z.int()), { type: "collection", element: simple("integer") }],
    [z.record(z.string(), z.number()), { type: "map", value: simple("float") }],
    [z.array(z.any()), { type: "collection", element: { type: "struct", schema: null } }],
    [z.any(), { type: "struct", schema: null }],
    [z.union([z.int(), z.any()]), { type: "struct", schema: null }],
    [z.json(), { type: "struct", schema: null }],
    [z.int().nullable(), tagged(["int", simple("integer")], ["none", simple("none")])],
    [
      z.union([z.string(), z.union([z.number(), z.array(z.int())])]),
      tagged(
        ["str", simple("string")],
        ["float", simple("float")],
        ["Typed List", { type: "collection", element: simple("integer") }],
      ),
    ],
    [z.union([z.int(), z.bigint()]), tagged(["int", simple("integer")], ["int 2", simple("integer")])],
    [z.union([z.email(), z.url()]), simple("string")],
    [z.string().transform((text) => text.length), simple("string")],
    [z.preprocess(String, z.int()), { type: "struct", schema: null }],
    [z.int().catch(1), { type: "struct", schema: null }],
    [file({ format: "csv" }), { type: "blob", format: "csv", dimensionality: "single" }],
    [
      file()
        .refine((value) => value.name !== "x")
        .describe("a file"),
      { type: "blob", format: "", dimensionality: "single" },
    ],
    [dir(), { type: "blob", format: "", dimensionality: "multipart" }],
    [
      table({ a: z.int(), b: z.string().nullable() }),
      {
        type: "structuredDataset",
        format: "parquet",
        columns: [
          { name: "a", type: simple("integer") },
          { name: "b", type: simple("string") },
        ],
      },
    ],
  ];
  for (const [schema, type] of types) assert.deepEqual(typeOf(schema), type);
});

test("an object is a struct whose schema says what is carried, and nothing that callers need not know", () => {
  const schema = z.object({ n: z.int().min(1).describe("how many"), x: z.number().default(2), when: z.date() });
  assert.deepEqual(typeOf(schema), {
    type: "struct",
    schema: {
      type: "object",
      properties: {
        n: { type: "integer" },
        x: { type: "number" },
        when: { type: "string", format: "date-time", "x-godwit": "date" },
      },
      required: ["n", "when"],
      additionalProperties: false,
    },
  });
});

test("a change of descriptions, defaults and limits leaves the interface as it was; a change of types does not", () => {
  const hashOf = (schema: Schema) => interfaceHash({ inputs: input(schema).variables, outputs: [] });
  const before = hashOf(z.object({ n: z.int() }));
  assert.equal(hashOf(z.object({ n: z.int().max(9).describe("how many") })), before);
  assert.notEqual(hashOf(z.object({ n: z.number() })), before);
});

test("optional and defaulted properties need not be given; help says what the default is", () => {
  const { variables } = inputCodec(
    z.object({
      a: z.int().optional(),
      b: z.int().default(3),
      c: z.string().describe("a name"),
      d: z.string().default("x"),
    }),
    "env.task",
  );
  assert.deepEqual(
    variables.map(({ name, required, description, defaultText }) => [name, required, description, defaultText]),
    [
      ["a", false, null, null],
      ["b", false, null, "3"],
      ["c", true, "a name", null],
      ["d", false, null, '"x"'],
    ],
  );
});

test("3 is a float where a number is declared and an integer where an int is, in literals and in structs", () => {
  assert.deepEqual(literalOf(z.number(), 3), { type: "float", value: 3 });
  assert.deepEqual(literalOf(z.int(), 3), { type: "integer", value: "3" });
  assert.deepEqual(literalOf(z.bigint(), 2n ** 62n), { type: "integer", value: "4611686018427387904" });
  const struct = literalOf(z.object({ float: z.number(), int: z.int(), any: z.any() }), {
    float: 3,
    int: 3,
    any: [3, 3.5],
  }) as { value: string };
  assert.deepEqual(unpack(Buffer.from(struct.value, "base64")), { float: 3, int: 3n, any: [3n, 3.5] });
});

test("what other languages write is read: small integers, integers for floats, other moments, unknown tags", () => {
  const decode = (schema: Schema, value: unknown): unknown =>
    (input(schema).decode({ value } as Literals, blobs) as { value: unknown }).value;
  assert.equal(decode(z.number(), { type: "integer", value: "3" }), 3);
  assert.equal(decode(z.int(), { type: "float", value: 3 }), 3);
  assert.throws(
    () => decode(z.int(), { type: "float", value: 3.5 }),
    fails(/^env\.task: input value: expected an integer/),
  );
  assert.deepEqual(
    decode(z.date(), { type: "datetime", value: "2026-01-02T03:04:05.123456Z" }),
    new Date("2026-01-02T03:04:05.123Z"),
  );
  assert.equal(decode(z.int().nullable(), { type: "union", tag: "other", value: { type: "integer", value: "7" } }), 7);
  assert.equal(decode(z.int(), { type: "union", tag: "int", value: { type: "integer", value: "7" } }), 7);
  const python = {
    type: "binary",
    tag: "msgpack",
    value: Buffer.from(pack({ n: 3, when: "2026-01-02T03:04:05+00:00", more: true })).toString("base64"),
  };
  assert.deepEqual(decode(z.object({ n: z.int(), when: z.date() }), python), {
    n: 3,
    when: new Date("2026-01-02T03:04:05Z"),
  });
  assert.throws(() => decode(z.int(), { type: "integer", value: "9007199254740993" }), fails(/declare z\.bigint\(\)/));
});

test("inputs travel before defaults and transforms, which are the receiver's; coerced values as what they become", async () => {
  const codec = inputCodec(
    z.object({
      n: z.string().transform((text) => text.length),
      d: z.int().default(4),
      on: z.stringbool(),
      c: z.coerce.number(),
      when: z.coerce.date(),
    }),
    "env.task",
  );
  const literals = codec.encode({ n: "abc", on: "yes", c: "5", when: "2026-01-01" }, blobs) as Literals;
  assert.deepEqual(Object.keys(literals), ["n", "on", "c", "when"]);
  assert.deepEqual(literals.c, { type: "float", value: 5 });
  assert.deepEqual(await codec.validate(codec.decode(literals, blobs)), {
    type: "valid",
    value: { n: 3, d: 4, on: true, c: 5, when: new Date("2026-01-01") },
  });
});

test("an object's properties are outputs; another value is the output o0; no schema is no output", () => {
  assert.deepEqual(
    outputCodec(z.object({ a: z.int(), b: z.string() }), "env.task").variables.map(({ name }) => name),
    ["a", "b"],
  );
  for (const schema of [z.int(), z.array(z.int()), z.record(z.string(), z.int()), z.union([z.int(), z.string()])]) {
    assert.deepEqual(
      outputCodec(schema, "env.task").variables.map(({ name }) => name),
      ["o0"],
    );
  }
  const maybe = outputCodec(z.int().optional(), "env.task");
  assert.equal(maybe.variables[0]?.required, false);
  assert.equal(maybe.decode(maybe.encode(undefined, blobs) as Literals, blobs), undefined);
  const nothing = outputCodec(null, "env.task");
  assert.deepEqual(
    [nothing.variables, nothing.encode({ a: 1 }, blobs), nothing.decode({}, blobs)],
    [[], {}, undefined],
  );
});

test("a key that the schema demands but lets be undefined arrives", () => {
  const schema = z.object({ any: z.any(), inner: z.object({ any: z.any() }) });
  const codec = inputCodec(schema, "env.task");
  const value = codec.decode(codec.encode({ any: undefined, inner: { any: undefined } }, blobs) as Literals, blobs);
  assert.deepEqual(schema.parse(value), { any: undefined, inner: { any: undefined } });
});

test("of two objects of a union the one that keeps all keys is meant", () => {
  const schema = z.union([z.object({ a: z.int().max(5) }), z.object({ a: z.int(), b: z.int() })]);
  const codec = outputCodec(z.array(schema), "env.task");
  const value = schema.parse({ a: 9, b: 1 });
  assert.deepEqual(codec.decode(codec.encode([value], blobs) as Literals, blobs), [value]);
});

test("in a struct, a moment and a text that looks like one stay what they are", () => {
  const moments = z.object({ list: z.array(z.union([z.string(), z.date()])) });
  const codec = outputCodec(z.array(moments), "env.task");
  const value = [{ list: ["2026-01-01T00:00:00.000Z", new Date("2026-01-01"), "x"] }];
  assert.deepEqual(codec.decode(codec.encode(value, blobs) as Literals, blobs), value);
});

test("another library's Standard Schema will do", async () => {
  const jsonSchema = () => ({
    type: "object",
    properties: {
      n: { type: "integer" },
      tags: { type: "array", items: { enum: ["a", "b"] } },
      point: {
        allOf: [{ $ref: "#/$defs/X" }, { type: "object", properties: { y: { type: "number" } }, required: ["y"] }],
      },
    },
    required: ["n"],
    additionalProperties: false,
    $defs: {
      X: { type: "object", properties: { x: { type: "number" } }, required: ["x"], additionalProperties: false },
    },
  });
  const schema: Schema = {
    "~standard": {
      version: 1,
      vendor: "handmade",
      validate: (value) =>
        (value as { n: unknown }).n === 0 ? { issues: [{ message: "not zero", path: ["n", { key: 0 }] }] } : { value },
      jsonSchema: { input: jsonSchema, output: jsonSchema },
    },
  };
  const codec = inputCodec(schema, "env.task");
  assert.deepEqual(
    codec.variables.map(({ name, required, type }) => [name, required, type.type]),
    [
      ["n", true, "simple"],
      ["tags", false, "collection"],
      ["point", false, "struct"],
    ],
  );
  const value = { n: 1, tags: ["a", "b"], point: { x: 1, y: 2 } };
  assert.deepEqual(codec.decode(codec.encode(value, blobs) as Literals, blobs), value);
  assert.deepEqual(await codec.validate({ n: 0 }), {
    type: "invalid",
    issues: [{ path: "n[0]", message: "not zero" }],
  });
});

test("files inside structs are listed, and count by their content whatever they are called", async () => {
  const codec = outputCodec(z.array(z.object({ model: file(), score: z.number() })), "env.task");
  const encode = async (name: string, content: string) =>
    await codec.encode([{ model: File.fromText(name, content), score: 1 }], blobs);
  const [a, b, c] = [await encode("a.txt", "same"), await encode("b.txt", "same"), await encode("a.txt", "other")];
  assert.equal(hashLiterals(a), hashLiterals(b));
  assert.notEqual(hashLiterals(a), hashLiterals(c));
  const both = (await codec.encode(
    ["one", "two"].map((content) => ({ model: File.fromText("m", content), score: 1 })),
    blobs,
  )) as unknown as { o0: { elements: { blobs: string[] }[] } };
  assert.deepEqual(
    both.o0.elements.map((element) => element.blobs),
    [[sha256Hex("one")], [sha256Hex("two")]],
  );
  const [back] = codec.decode(b, blobs) as [{ model: File }];
  assert.equal(await back.model.text(), "same");
  assert.equal(back.model.name, "b.txt");
});

test("a struct from the command line is the struct that a task would have made", () => {
  const schema = z.object({ lr: z.number(), layers: z.array(z.object({ units: z.int() })), when: z.date() });
  const type = typeOf(schema);
  const value = { lr: 3, layers: [{ units: 2 }], when: new Date("2026-01-01") };
  const fromJson = packJson(type?.type === "struct" ? type.schema : null, JSON.parse(JSON.stringify(value)), "--value");
  assert.equal((literalOf(schema, value) as { value: string }).value, Buffer.from(fromJson).toString("base64"));
});

test("null in the place of an optional property, as Python writes one that was not given, is no value", () => {
  const schema = z.object({ deep: z.object({ a: z.int().optional(), b: z.int().nullable().optional() }) });
  const packed = Buffer.from(pack({ a: null, b: null })).toString("base64");
  const literal = { type: "binary", tag: "msgpack", value: packed } as const;
  assert.deepEqual(inputCodec(schema, "env.task").decode({ deep: literal }, blobs), { deep: { b: null } });
});

test("what another SDK wrote and Godwit does not keep cannot be opened, and the error says where it is", () => {
  const external = { format: "", hash: null, uri: "s3://bucket/a.txt" };
  const literal = { ...external, type: "externalBlob", dimensionality: "single" } as const;
  assert.throws(() => input(file()).decode({ value: literal }, blobs), fails(/s3:\/\/bucket\/a\.txt/));
});
