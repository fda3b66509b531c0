// What the encoders refuse, and how they say so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { inputCodec } from "./codec.ts";
import { file } from "./file.ts";
import type { Schema } from "./schema.ts";

const blobs = memoryBlobs();

const literalOf = (schema: Schema, value: unknown): unknown =>
  inputCodec(z.object({ value: schema as z.ZodType }), "env.task").encode({ value }, blobs);

const fails = (message: string | RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, "invalid_argument");
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

test("what cannot be carried fails at the call, naming the path inside the value", () => {
  class Model {}
  const circle: { list: unknown[] } = { list: [] };
  circle.list.push({ back: circle });
  const deep = Array.from({ length: 300 }).reduce<unknown>((inner) => [inner], 0);
  const cases: [Schema, unknown, RegExp][] = [
    [z.any(), { fit: [() => 1] }, /^env\.task: input value\.fit\[0\]: a function cannot be carried/],
    [z.any(), { model: new Model() }, /value\.model: an instance of Model cannot be carried.*plain object/],
    [z.any(), new Float32Array(2), /value: an instance of Float32Array .*Array\.from/],
    [z.any(), new Error("x"), /value: an instance of Error cannot/],
    [z.any(), { [Symbol("s")]: 1 }, /value: a key is a symbol/],
    [z.any(), circle, /^env\.task: input value\.list\[0\]\.back: the value contains itself\.$/],
    [z.any(), deep, /more than 256 levels deep/],
    [z.any(), JSON.parse('{"__proto__": 1}'), /"__proto__" cannot be a key/],
    [z.array(z.int()), [1, undefined], /value\[1\]: undefined cannot be carried in a list/],
    [z.array(z.int()), new Array(2), /value\[0\]: the list has a hole/],
    [z.number(), Number.NaN, /value: expected a number, got NaN/],
    [z.bigint(), 2n ** 63n, /value: 9223372036854775808 is beyond 64 bits/],
    [z.date(), new Date(Number.NaN), /value: the Date is invalid/],
    [z.date(), new Date(8.64e15), /value: the Date is in the year 275760/],
    [z.string(), "\ud800", /value: .*surrogate/],
    [z.object({ a: z.int() }), new Model(), /value: an instance of Model/],
    [z.object({ a: z.int() }), {}, /value\.a: is missing/],
    [z.object({ kind: z.enum(["adam", "sgd"]) }), { kind: "x" }, /value\.kind: expected "adam" or "sgd", got "x"/],
    [z.enum(["red", "green"]), "blue", /value: expected "red" or "green", got "blue"/],
    [z.union([z.int(), z.string()]), true, /value: expected an integer or text, got true/],
    [
      z.discriminatedUnion("k", [
        z.object({ k: z.literal("a"), x: z.int() }),
        z.object({ k: z.literal("b"), x: z.int() }),
      ]),
      { k: "b", x: 1.5 },
      /value\.x: expected an integer, got 1\.5/,
    ],
    [z.record(z.string(), z.int()), { "first name": 1.5 }, /value\["first name"\]: expected an integer/],
    [file(), new globalThis.File([], "x"), /value: expected a File of godwit/],
  ];
  for (const [schema, value, message] of cases) assert.throws(() => literalOf(schema, value), fails(message));
});

test("a value of a recursive type that contains itself fails, whether its library notices or not", async () => {
  const node = z.object({
    get next(): z.ZodOptional<z.ZodType> {
      return node.optional();
    },
  });
  const circle: { next?: unknown } = {};
  circle.next = circle;
  const codec = inputCodec(z.object({ list: node }), "env.task");
  assert.throws(
    () => codec.encode({ list: circle }, blobs),
    fails("env.task: input list.next: the value contains itself."),
  );
  const endless = (value: unknown): never => endless((value as typeof circle).next);
  const standard = { ...z.object({ next: z.any() })["~standard"], validate: endless };
  assert.deepEqual(await inputCodec({ "~standard": standard } as unknown as Schema, "env.task").validate(circle), {
    type: "invalid",
    issues: [{ path: "next", message: "the value contains itself." }],
  });
});

test("what does not fit a union is said of the member that was meant, or of all", async () => {
  const schema = z.object({ list: z.array(z.union([z.int(), z.object({ units: z.int() })])) });
  const codec = inputCodec(schema, "env.task");
  assert.deepEqual(await codec.validate({ list: [1, { units: "x" }] }), {
    type: "invalid",
    issues: [{ path: "list[1].units", message: "Invalid input: expected number, received string" }],
  });
  assert.deepEqual(await codec.validate({ list: ["x"] }), {
    type: "invalid",
    issues: [
      {
        path: "list[0]",
        message: "Invalid input: expected number, received string, or Invalid input: expected object, received string",
      },
    ],
  });
});

test("types that cannot be carried are refused where the task is defined", () => {
  class Model {}
  const cases: [z.ZodType, RegExp][] = [
    [
      z.object({ fit: z.array(z.instanceof(Model)) }),
      /^env\.task: input fit\[\]: an instance of Model cannot be carried/,
    ],
    [z.object({ fit: z.function() as unknown as z.ZodType }), /fit: a function cannot/],
    [z.object({ later: z.promise(z.int()) }), /later: a promise cannot/],
    [z.object({ upload: z.file() }), /upload: .*use file\(\)/],
    [z.string(), /the schema has to be an object/],
    [z.record(z.string(), z.int()), /the schema has to be an object/],
    [z.looseObject({ a: z.int() }), /the schema has to be an object/],
  ];
  for (const [schema, message] of cases) assert.throws(() => inputCodec(schema, "env.task"), fails(message));
  assert.throws(
    () => inputCodec({ "~standard": { version: 1, vendor: "other", validate: () => ({ value: 1 }) } }, "env.task"),
    fails(/other does not give JSON Schema/),
  );
});
