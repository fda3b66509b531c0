// Values of TypeScript's types, read and written by Python's SDK, which knows of them what the interface says: they
// come back as what they were.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { z } from "zod";
import { LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import { LiteralTypeSchema } from "#idl/flyteidl2/core/types_pb.js";
import { type Literal, type LiteralType, soleOutput } from "../src/core/value.ts";
import { plainBytes } from "../src/idl/idl.ts";
import { literalMessage, literalOf } from "../src/idl/literal-message.ts";
import { typeMessage } from "../src/idl/type-message.ts";
import { type Codec, outputCodec } from "../src/sdk/codec.ts";
import { memoryBlobs } from "../src/testing/memory-blob.ts";
import { pythonEnvironment } from "./python.ts";

const Layer = z.object({ units: z.int(), rate: z.number() });
const Net = z.object({
  name: z.string(),
  layers: z.array(Layer),
  note: z.string().nullable(),
  sizes: z.record(z.string(), z.int()),
  when: z.date(),
  kind: z.enum(["a", "b"]),
  left_out: z.int().optional(),
  labels: z.set(z.string()),
});
const net = {
  name: "n",
  layers: [{ units: 1, rate: 2 }],
  note: null,
  sizes: { a: 1 },
  when: new Date("2026-01-31T12:00:00.123Z"),
  kind: "b",
  labels: new Set(["x"]),
};
type Node = { v: number; kids: Node[] };
const Node: z.ZodType<Node> = z.object({
  v: z.int(),
  get kids() {
    return z.array(Node);
  },
});

const cases: readonly (readonly [name: string, schema: z.ZodType, value: unknown])[] = [
  ["integer", z.int(), 3],
  ["bigint", z.bigint(), 2n ** 62n + 1n],
  ["float that is whole", z.number(), 3],
  ["text", z.string(), "grüß"],
  ["boolean", z.boolean(), true],
  ["moment", z.date(), new Date("2026-01-31T12:00:00.123Z")],
  ["choice", z.enum(["a", "b"]), "b"],
  ["list", z.array(z.int()), [1, 2]],
  ["record", z.record(z.string(), z.number()), { a: 1.5 }],
  ["set", z.set(z.int()), new Set([1])],
  ["null", z.int().nullable(), null],
  ["nullable", z.int().nullable(), 4],
  ["union", z.union([z.int(), z.string()]), "s"],
  ["object", Net, net],
  ["list of objects", z.array(Layer), [{ units: 1, rate: 2 }]],
  ["nullable object", Layer.nullable(), { units: 1, rate: 0.5 }],
  ["one of two objects", z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]), { b: 1 }],
  ["object that holds itself", Node, { v: 1, kids: [{ v: 2, kids: [] }] }],
];

const blobs = memoryBlobs();
// In a list, so that objects are one value and not outputs of their own.
const codecOf = (schema: z.ZodType): Codec => outputCodec(z.array(schema), "env.task");
const typeIn = (codec: Codec): LiteralType => {
  const type = codec.variables[0]?.type;
  assert.ok(type?.type === "collection");
  return type.element;
};

function literalIn(codec: Codec, value: unknown): Literal {
  const literals = codec.encode([value], blobs) as { readonly [name: string]: Literal };
  const list = literals[soleOutput];
  assert.ok(list?.type === "collection");
  const literal = list.elements[0] as Literal;
  return plain(literal);
}

/** As whatever leaves for Python does (storage). */
function plain(literal: Literal): Literal {
  if (literal.type === "union") return { ...literal, value: plain(literal.value) };
  if (literal.type !== "binary") return literal;
  const bytes = plainBytes(Buffer.from(literal.value, "base64"));
  return bytes === null ? literal : { ...literal, value: Buffer.from(bytes).toString("base64") };
}

type Answer = { readonly name: string; readonly shown?: string; readonly literal?: string; readonly error?: string };

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

test("values of TypeScript come back from Python as what they were", (t) => {
  const environment = pythonEnvironment(t);
  if (environment === null) return;
  const lines = cases.map(([name, schema, value]) => {
    const codec = codecOf(schema);
    const type = typeIn(codec);
    const literal = base64(toBinary(LiteralSchema, literalMessage(literalIn(codec, value), type)));
    return JSON.stringify({ name, type: base64(toBinary(LiteralTypeSchema, typeMessage(type))), literal });
  });
  const program = join(import.meta.dirname, "fixtures/python/values.py");
  const run = spawnSync(environment.python, [program], { input: lines.join("\n"), encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  const answers = run.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
  assert.equal(answers.length, cases.length);
  for (const [index, [name, schema, value]] of cases.entries()) {
    const { error, literal, shown } = answers[index] as Answer;
    assert.equal(error, undefined, name);
    const codec = codecOf(schema);
    const type = typeIn(codec);
    const back = literalOf(fromBinary(LiteralSchema, Buffer.from(literal as string, "base64")), type);
    const decoded = codec.decode({ [soleOutput]: { type: "collection", elements: [back] } }, blobs);
    assert.deepEqual(decoded, [value], `${name}: ${shown}`);
  }
});
