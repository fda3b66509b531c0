// Random types with random values of them: what comes back is what went in, and nothing else has its hash.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { type ZodType, z } from "zod";
import { hashLiterals, type Literals } from "../core/value.ts";
import { literalFromJson, literalToJson } from "../idl/idl.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { bytes } from "./bytes.ts";
import { inputCodec, outputCodec } from "./codec.ts";
import { decodeUntyped, encodeUntyped } from "./untyped.ts";

const blobs = memoryBlobs();

type Sample = { readonly schema: ZodType; readonly value: fc.Arbitrary<unknown>; readonly isJson: boolean };

/** What a failure prints of a type. */
const described = (sample: Sample): Sample =>
  Object.assign(sample, { [fc.toStringMethod]: () => JSON.stringify(outputCodec(sample.schema, "test").variables) });

const text = fc.string({ unit: "grapheme", maxLength: 8 });
const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }).filter((name) => name !== "__proto__");
const moment = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
const rawBytes = fc.uint8Array({ maxLength: 8 }).map((array) => new Uint8Array(array));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float = fc.double({ noNaN: true, noDefaultInfinity: true });

type Tree = { readonly v: number; readonly next?: Tree; readonly leaves: readonly Tree[] };
const treeSchema = z.object({
  v: z.int(),
  get next(): z.ZodOptional<z.ZodType<Tree>> {
    return treeSchema.optional() as unknown as z.ZodOptional<z.ZodType<Tree>>;
  },
  get leaves(): z.ZodType<readonly Tree[]> {
    return z.array(treeSchema) as unknown as z.ZodType<readonly Tree[]>;
  },
});
const tree: (depth?: number) => fc.Arbitrary<Tree> = fc.memo((depth) =>
  depth <= 1
    ? fc.integer().map((v): Tree => ({ v, leaves: [] }))
    : fc
        .tuple(fc.integer(), fc.option(tree(), { nil: undefined }), fc.array(tree(), { maxLength: 2 }))
        .map(([v, next, leaves]): Tree => (next === undefined ? { v, leaves } : { v, next, leaves })),
);

const anything = fc.anything({
  key,
  values: [
    text,
    fc.maxSafeInteger(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    int64,
    moment,
    rawBytes,
  ],
  withMap: true,
  withSet: true,
  maxDepth: 3,
});

const simpleSamples: readonly Sample[] = [
  { schema: z.int(), value: fc.maxSafeInteger(), isJson: true },
  { schema: z.number(), value: float, isJson: true },
  { schema: z.string(), value: text, isJson: true },
  { schema: z.boolean(), value: fc.boolean(), isJson: true },
  { schema: z.date(), value: moment, isJson: true },
  { schema: z.bigint(), value: int64, isJson: true },
  { schema: bytes(), value: rawBytes, isJson: true },
  { schema: z.enum(["red", "green"]), value: fc.constantFrom("red", "green"), isJson: true },
  { schema: z.literal([1, 2]), value: fc.constantFrom(1, 2), isJson: true },
  { schema: z.literal("only"), value: fc.constant("only"), isJson: true },
  { schema: z.nan(), value: fc.constant(Number.NaN), isJson: true },
  { schema: treeSchema, value: tree(4), isJson: true },
  { schema: z.any(), value: anything, isJson: false },
  {
    schema: z.json(),
    value: fc.jsonValue().filter((value) => !JSON.stringify(value).includes("__proto__")),
    isJson: false,
  },
];

const samples = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(...simpleSamples),
    fc.oneof(
      tie("sample").map(({ schema, value, isJson }) => ({
        schema: z.array(schema),
        value: fc.array(value, { maxLength: 3 }),
        isJson,
      })),
      tie("sample").map(({ schema, value, isJson }) => ({
        schema: z.record(z.string(), schema),
        value: fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true }),
        isJson,
      })),
      tie("sample").map(({ schema, value }) => ({ schema: schema.nullable(), value: fc.option(value), isJson: false })),
      fc.dictionary(key, tie("sample"), { minKeys: 1, maxKeys: 3, noNullPrototype: true }).map(objectSample),
      fc.array(tie("sample"), { minLength: 1, maxLength: 3 }).map((items) => ({
        schema: z.tuple(items.map(({ schema }) => schema) as [ZodType]),
        value: fc.tuple(...items.map(({ value }) => value)),
        isJson: items.every(({ isJson }) => isJson),
      })),
      fc.array(tie("sample"), { minLength: 2, maxLength: 3 }).map((items) => ({
        schema: z.union(items.map(({ schema }) => schema) as [ZodType]),
        value: fc.oneof(...items.map(({ value }) => value)),
        isJson: false,
      })),
      fc.tuple(tie("sample"), tie("sample")).map(([k, v]) => ({
        schema: z.map(k.schema, v.schema),
        value: fc.array(fc.tuple(k.value, v.value), { maxLength: 2 }).map((entries) => new Map(entries)),
        isJson: false,
      })),
      tie("sample").map(({ schema, value }) => ({
        schema: z.set(schema),
        value: fc.array(value, { maxLength: 2 }).map((items) => new Set(items)),
        isJson: false,
      })),
    ),
  ),
})).sample as fc.Arbitrary<Sample>;

function objectSample(fields: { readonly [name: string]: Sample }): Sample {
  const names = Object.keys(fields);
  // The first property may be left out.
  const schema = z.object(
    Object.fromEntries(
      names.map((name, index) => [name, index === 0 ? fields[name]?.schema.optional() : fields[name]?.schema]),
    ) as Record<string, ZodType>,
  );
  const value = fc.record(Object.fromEntries(names.map((name) => [name, (fields[name] as Sample).value])), {
    requiredKeys: names.slice(1),
    noNullPrototype: true,
  });
  // Undefined is carried as if the property were left out.
  const cleaned = value.map((object) =>
    Object.fromEntries(Object.entries(object).filter(([name, item]) => item !== undefined || name !== names[0])),
  );
  return { schema, value: cleaned, isJson: Object.values(fields).every(({ isJson }) => isJson) };
}

/** Undefined cannot be carried in lists of declared types, and is as if absent elsewhere. */
const holdsUndefined = (value: unknown): boolean =>
  value === undefined ||
  (typeof value === "object" &&
    value !== null &&
    (value instanceof Map
      ? [...value.keys(), ...value.values()]
      : value instanceof Set
        ? [...value]
        : Object.values(value)
    ).some(holdsUndefined));

const withValue = samples.chain((sample) =>
  sample.value.filter((value) => !holdsUndefined(value)).map((value) => ({ sample: described(sample), value })),
);

const encoded = (schema: ZodType, value: unknown): Literals =>
  outputCodec(z.tuple([schema]), "test").encode([value], blobs) as Literals;

test("a value of any type comes back from literals exactly as the schema gave it", async () => {
  await fc.assert(
    fc.asyncProperty(withValue, async ({ sample: { schema }, value }) => {
      const parsed = schema.parse(value);
      for (const codec of [outputCodec(schema, "test"), outputCodec(z.object({ value: schema }), "test")]) {
        const given = codec.variables.some(({ name }) => name === "value") ? { value: parsed } : parsed;
        const literals = JSON.parse(JSON.stringify(await codec.encode(given, blobs))) as Literals;
        assert.deepStrictEqual(codec.decode(literals, blobs), given);
      }
    }),
    { numRuns: 1500 },
  );
});

test("an input arrives so that the task makes of it what the caller would", async () => {
  await fc.assert(
    fc.asyncProperty(withValue, async ({ sample: { schema }, value }) => {
      const codec = inputCodec(z.object({ value: schema }), "test");
      const literals = JSON.parse(JSON.stringify(await codec.encode({ value }, blobs))) as Literals;
      assert.deepStrictEqual(
        schema.parse((codec.decode(literals, blobs) as { value: unknown }).value),
        schema.parse(value),
      );
    }),
    { numRuns: 500 },
  );
});

const reordered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reordered(item)]),
  );
};

test("the order of keys changes neither what is carried nor its hash", () => {
  fc.assert(
    fc.property(withValue, ({ sample: { schema }, value }) => {
      const parsed = schema.parse(value);
      assert.equal(hashLiterals(encoded(schema, reordered(parsed))), hashLiterals(encoded(schema, parsed)));
    }),
    { numRuns: 500 },
  );
});

/** Maps and sets are equal in any order to JavaScript; carried they keep their order, and so do their hashes. */
const ordered = (value: unknown): unknown => {
  if (value instanceof Map) return ["map", ...[...value].map(ordered)];
  if (value instanceof Set) return ["set", ...[...value].map(ordered)];
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, ordered(item)]));
};

test("two values of a type have one hash exactly if they are equal", () => {
  const pairs = samples.chain((sample) => {
    const value = sample.value.filter((one) => !holdsUndefined(one));
    return fc
      .oneof(
        fc.tuple(value, value),
        value.map((one) => [one, structuredClone(one)] as const),
      )
      .map((pair) => ({ sample, pair }));
  });
  fc.assert(
    fc.property(pairs, ({ sample: { schema }, pair }) => {
      const [a, b] = pair.map((value) => schema.parse(value));
      const isSame = hashLiterals(encoded(schema, a)) === hashLiterals(encoded(schema, b));
      assert.equal(isSame, isDeepStrictEqual(ordered(a), ordered(b)));
    }),
    { numRuns: 500 },
  );
});

test("a literal that people read as JSON is the same literal when they write it", () => {
  const jsonSamples = samples
    .filter(({ isJson }) => isJson)
    .chain((sample) => sample.value.map((value) => ({ sample, value })));
  fc.assert(
    fc.property(jsonSamples, ({ sample: { schema }, value }) => {
      const codec = outputCodec(z.object({ value: schema }), "test");
      const literal = (codec.encode({ value: schema.parse(value) }, blobs) as Literals).value;
      const type = codec.variables[0]?.type;
      if (literal === undefined || type === undefined) return assert.equal(value, undefined);
      assert.deepStrictEqual(
        literalFromJson(type, JSON.parse(JSON.stringify(literalToJson(literal))), "--value"),
        literal,
      );
    }),
    { numRuns: 500 },
  );
});

test("what a trace returns comes back exactly, whatever it is", async () => {
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      const literals = JSON.parse(JSON.stringify(await encodeUntyped(value, blobs))) as Literals;
      assert.deepStrictEqual(decodeUntyped(literals, blobs), value);
    }),
    { numRuns: 1000 },
  );
});

test("something that cannot be carried is named by its path, wherever it is put", () => {
  const poisons = [() => 1, Symbol("s"), new (class Model {})(), new Date(Number.NaN), "\ud800", new Array(2)] as const;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(2), fc.constantFrom("a", "b")), { maxLength: 5 }),
      fc.constantFrom(...poisons),
      (path, poison) => {
        const value = path.reduceRight<unknown>((inner, step) => {
          if (typeof step === "string") return { [step]: inner };
          return [...Array.from({ length: step }, () => 0), inner];
        }, poison);
        const tail = Array.isArray(poison) ? "[0]" : "";
        const text = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
        assert.throws(() => inputCodec(z.object({ value: z.any() }), "env.task").encode({ value }, blobs), {
          code: "invalid_argument",
          message: new RegExp(`^env\\.task: input value${`${text}${tail}`.replace(/[[\].]/g, "\\$&")}: `),
        });
      },
    ),
    { numRuns: 300 },
  );
});
