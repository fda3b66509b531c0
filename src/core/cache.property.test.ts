// Keys of random inputs: the same for what is the same in another order or under another name, and
// another for every other value.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { cacheKey, hashInputs, type InputHashes } from "./cache.ts";
import { type CachePolicy, type Target, type TaskSpec, withOverrides } from "./task.ts";
import { type BlobLiteral, hashLiteral, type Literal, type LiteralType, type Variable } from "./value.ts";

// Small pools, so that two values are often near to each other, and sometimes the same.
const texts = ["", "0", "-0", "1", "1.0", "NaN", "null", "true", "a", "A", "\u00e9", "e\u0301", "[]", "{}"] as const;
const text = fc.constantFrom(...texts);
const instants = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z"];

const scalar: fc.Arbitrary<Literal> = fc.oneof(
  fc.constant<Literal>({ type: "none" }),
  fc.constantFrom("0", "1", "-1", "9007199254740993").map((value): Literal => ({ type: "integer", value })),
  fc
    .constantFrom(0, 1, 0.1, "NaN", "Infinity", "-Infinity", "-0")
    .map((value) => ({ type: "float", value }) as Literal),
  text.map((value): Literal => ({ type: "string", value })),
  fc.boolean().map((value): Literal => ({ type: "boolean", value })),
  fc.constantFrom(...instants).map((value): Literal => ({ type: "datetime", value })),
  fc.constantFrom("0", "1").map((value): Literal => ({ type: "duration", value })),
  fc.constantFrom("", "AA==", "AAA=").map((value): Literal => ({ type: "binary", tag: "", value })),
);

const file: fc.Arbitrary<Literal> = fc
  .record({
    hash: fc.constantFrom("1".repeat(64), "2".repeat(64)),
    name: text,
    dimensionality: fc.constantFrom<BlobLiteral["dimensionality"]>("single", "multipart"),
  })
  .map(({ hash, name, dimensionality }) => {
    const uri = `godwit://${hash}/${encodeURIComponent(name)}`;
    return { type: "blob", uri, format: name, dimensionality, hash, sizeBytes: name.length };
  });

const { literal } = fc.letrec<{ literal: Literal }>((tie) => ({
  literal: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    file,
    fc.array(tie("literal"), { maxLength: 3 }).map((elements): Literal => ({ type: "collection", elements })),
    fc.dictionary(text, tie("literal"), { maxKeys: 3 }).map((entries): Literal => ({ type: "map", entries })),
    fc
      .record({ tag: fc.constantFrom("int", "str"), value: tie("literal") })
      .map((union): Literal => ({ type: "union", ...union })),
  ),
}));

/** Whether they hold the same. fast-check makes some objects without a prototype, which is not a difference here. */
const isSame = (one: unknown, other: unknown): boolean =>
  isDeepStrictEqual(structuredClone(one), structuredClone(other));

/** What of a literal counts, as plain data, by another way than the code's: names of files are not in it. */
function counts(value: Literal): unknown {
  if (value.type === "blob") return ["blob", value.dimensionality, value.hash];
  if (value.type === "collection") return ["collection", value.elements.map(counts)];
  if (value.type === "map") return new Map(Object.entries(value.entries).map(([key, entry]) => [key, counts(entry)]));
  if (value.type === "union") return ["union", value.tag, counts(value.value)];
  return value;
}

/** The same, with the keys of every map the other way round, and files under other names. */
function turned(value: Literal): Literal {
  if (value.type === "blob") return { ...value, uri: `godwit://${value.hash}/other`, format: "other", sizeBytes: 99 };
  if (value.type === "collection") return { type: "collection", elements: value.elements.map(turned) };
  if (value.type === "union") return { type: "union", tag: value.tag, value: turned(value.value) };
  if (value.type !== "map") return Object.fromEntries(Object.entries(value).reverse()) as Literal;
  const entries = Object.entries(value.entries).reverse();
  return { entries: Object.fromEntries(entries.map(([key, entry]) => [key, turned(entry)])), type: "map" };
}

test("the order of keys and the names of files do not count", () => {
  fc.assert(
    fc.property(literal, (value) => hashLiteral(value) === hashLiteral(turned(value))),
    { numRuns: 500 },
  );
});

test("two values have one hash if and only if they are the same", () => {
  fc.assert(
    fc.property(literal, literal, (one, other) => {
      assert.equal(hashLiteral(one) === hashLiteral(other), isSame(counts(one), counts(other)));
    }),
    { numRuns: 3_000 },
  );
});

test("scalars that look alike are all told apart", () => {
  const found = new Map<string, Literal>();
  for (const value of fc.sample(scalar, { numRuns: 3_000, seed: 7 })) {
    const known = found.get(hashLiteral(value));
    if (known !== undefined) assert.deepEqual(value, known);
    found.set(hashLiteral(value), value);
  }
  // None, 4 integers, 7 floats, every text, 2 booleans, 2 instants, 2 durations, 3 of bytes.
  assert.equal(found.size, 1 + 4 + 7 + texts.length + 2 + 2 + 2 + 3);
});

test("inputs: an input that is missing, none, an empty list and an empty text are four things", () => {
  const of: readonly Record<string, Literal>[] = [
    {},
    { x: { type: "none" } },
    { x: { type: "collection", elements: [] } },
    { x: { type: "string", value: "" } },
    { x: { type: "map", entries: {} } },
  ];
  const hashes = of.map((inputs) => JSON.stringify(hashInputs(inputs)));
  assert.equal(new Set(hashes).size, of.length);
});

const words = fc.constantFrom("", "a", "b", "c", "input a", "code a");
const plain = { noNullPrototype: true } as const;
const record = fc.dictionary(words, words, { maxKeys: 3, ...plain });
const type = fc
  .constantFrom("integer", "float", "string", "boolean")
  .map((simple): LiteralType => ({ type: "simple", simple }));
const variables: fc.Arbitrary<readonly Variable[]> = fc.uniqueArray(
  fc.record({
    name: words,
    type,
    required: fc.boolean(),
    description: fc.option(words),
    defaultText: fc.option(words),
  }),
  { selector: ({ name }) => name, maxLength: 3 },
);
const ignoredInputs = fc.subarray(["a", "b", "c"]);
const policy: fc.Arbitrary<CachePolicy> = fc.oneof(
  fc.record({ type: fc.constant("auto" as const), ignoredInputs }),
  fc.record({ type: fc.constant("version" as const), version: words, ignoredInputs }),
);
const target: fc.Arbitrary<Target> = fc.oneof(
  fc.constant<Target>({ type: "typescript" }),
  fc.record({
    type: fc.constant("shell" as const),
    command: fc.oneof(words, fc.array(words, { maxLength: 2 })),
    env: record,
  }),
);
/** What has no part in a result, each of it what an override or an edit may change. */
const besides = fc.record({
  shortName: words,
  environment: words,
  description: fc.option(words),
  location: fc.option(fc.record({ file: words, line: fc.nat(9), column: fc.nat(9) })),
  resources: fc.record({
    cpuMillis: fc.nat(9),
    memoryBytes: fc.option(fc.nat(9)),
    diskBytes: fc.nat(9),
    tokens: fc.dictionary(words, fc.nat(9), { maxKeys: 2, ...plain }),
    gpus: fc.record({ count: fc.nat(9), model: fc.option(words) }),
  }),
  retries: fc.record({
    user: fc.nat(9),
    system: fc.nat(9),
    backoff: fc.record({ baseMs: fc.nat(9), factor: fc.nat(9), capMs: fc.nat(9) }),
  }),
  timeouts: fc.record({
    attemptMs: fc.option(fc.nat(9)),
    queuedMs: fc.option(fc.nat(9)),
    deadlineMs: fc.option(fc.nat(9)),
  }),
  priority: fc.nat(9),
  concurrency: fc.nat(9),
  environmentConcurrency: fc.nat(9),
});
/** What a result follows from. */
const covered: fc.Arbitrary<Covered> = fc.record({
  name: words,
  interface: fc.record({ inputs: variables, outputs: variables }),
  target,
  cache: policy,
  env: record,
  code: fc.record({ type: fc.constant("known" as const), modules: record, packages: record }),
});
type Covered = Pick<TaskSpec, "name" | "interface" | "target" | "cache" | "env" | "code">;
const coveredParts: (keyof Covered)[] = ["name", "interface", "target", "cache", "env", "code"];
const inputHashes = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), words, { maxKeys: 4, ...plain });
const spec = fc.tuple(covered, besides).map(([one, other]): TaskSpec => ({ ...one, ...other }));
const scope = { project: "default", domain: "development" };

/** What of a spec and its inputs counts, as plain data whose order does not. */
function countsOfSpec({ name, interface: types, target, cache, env, code }: Covered, inputs: InputHashes): unknown {
  const typesOf = (all: readonly Variable[]) => new Map(all.map(({ name, type }) => [name, type]));
  const ignored: readonly string[] = cache.type === "off" ? [] : cache.ignoredInputs;
  return {
    name,
    env,
    types: [typesOf(types.inputs), typesOf(types.outputs)],
    inputs: Object.fromEntries(Object.entries(inputs).filter(([input]) => !ignored.includes(input))),
    work: cache.type === "version" ? cache.version : [target, code],
    ownEnv: target.type === "shell" ? target.env : {},
    isShell: target.type === "shell",
    isVersion: cache.type === "version",
  };
}

test("a key of one spec differs from that of another if and only if something that it covers does", () => {
  let alike = 0;
  fc.assert(
    fc.property(
      spec,
      inputHashes,
      covered,
      besides,
      inputHashes,
      fc.subarray(coveredParts),
      fc.boolean(),
      (one, inputs, part, other, otherInputs, changed, hasOtherInputs) => {
        // Only some parts are of another, so that many differ in one alone.
        const parts = Object.fromEntries(changed.map((name) => [name, part[name]])) as Partial<Covered>;
        const two: TaskSpec = { ...one, ...other, ...parts };
        const twoInputs = hasOtherInputs ? otherInputs : inputs;
        const isAlike = isSame(countsOfSpec(one, inputs), countsOfSpec(two, twoInputs));
        if (isAlike) alike += 1;
        assert.equal(cacheKey(scope, one, inputs) === cacheKey(scope, two, twoInputs), isAlike);
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(alike > 30 && alike < 2_900, `${alike} of 3,000 were alike: too few, or too many, to tell anything`);
});

test("what a call overrides of resources, retries, timeouts and priority never changes its key", () => {
  fc.assert(
    fc.property(spec, inputHashes, besides, (one, inputs, { resources, retries, timeouts, priority }) => {
      const overridden = withOverrides(one, { resources, retries, timeouts, priority });
      assert.notEqual(cacheKey(scope, one, inputs), null);
      assert.equal(cacheKey(scope, overridden, inputs), cacheKey(scope, one, inputs));
    }),
    { numRuns: 500 },
  );
});

test("an ignored input may be anything, or missing; every other one counts", () => {
  fc.assert(
    fc.property(spec, inputHashes, fc.constantFrom("a", "b", "c", "d"), fc.option(words), (one, inputs, name, hash) => {
      const { [name]: _, ...without } = inputs;
      const changed = hash === null ? without : { ...without, [name]: hash };
      const isIgnored = one.cache.type !== "off" && one.cache.ignoredInputs.includes(name);
      const isSame = isIgnored || isDeepStrictEqual(inputs, changed);
      assert.equal(cacheKey(scope, one, inputs) === cacheKey(scope, one, changed), isSame);
    }),
    { numRuns: 1_000 },
  );
});
