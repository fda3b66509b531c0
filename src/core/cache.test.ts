// What a cache key covers: each part changes it, and what is not a part does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cacheKey, differences, hashInputs, type InputHashes, isStale, keyParts, unkeyedReason } from "./cache.ts";
import { canonicalJson, hashParts } from "./hash.ts";
import { defaultRetries } from "./retry.ts";
import type { TaskSpec } from "./task.ts";

const scope = { project: "default", domain: "development" };
const inputs: InputHashes = { data: "h1", depth: "h2" };
const spec: TaskSpec = {
  name: "penguins.train",
  shortName: "train",
  environment: "penguins",
  description: null,
  location: null,
  interface: {
    inputs: [
      {
        name: "depth",
        type: { type: "simple", simple: "integer" },
        required: true,
        description: null,
        defaultText: null,
      },
    ],
    outputs: [
      { name: "o0", type: { type: "simple", simple: "float" }, required: true, description: null, defaultText: null },
    ],
  },
  target: { type: "typescript" },
  resources: { cpuMillis: 1_000, memoryBytes: null },
  retries: defaultRetries,
  timeouts: { attemptMs: null, queuedMs: null, deadlineMs: null },
  cache: { type: "auto", ignoredInputs: [] },
  env: { KEY: "value" },
  code: { type: "known", modules: { "pipeline.ts": "m1", "model.ts": "m2" }, packages: { zod: "4.0.0" } },
};
const code = spec.code as Extract<TaskSpec["code"], { type: "known" }>;
const byVersion: TaskSpec = { ...spec, cache: { type: "version", version: "1", ignoredInputs: [] } };

const key = cacheKey(scope, spec, inputs);

const covered: readonly (readonly [part: string, change: () => string | null])[] = [
  ["the project", () => cacheKey({ ...scope, project: "other" }, spec, inputs)],
  ["the domain", () => cacheKey({ ...scope, domain: "production" }, spec, inputs)],
  ["the task's name", () => cacheKey(scope, { ...spec, name: "penguins.test" }, inputs)],
  ["the interface", () => cacheKey(scope, { ...spec, interface: { ...spec.interface, outputs: [] } }, inputs)],
  [
    "a module",
    () => cacheKey(scope, { ...spec, code: { ...code, modules: { ...code.modules, "model.ts": "m3" } } }, inputs),
  ],
  [
    "a new module",
    () => cacheKey(scope, { ...spec, code: { ...code, modules: { ...code.modules, "new.ts": "m" } } }, inputs),
  ],
  ["a package's version", () => cacheKey(scope, { ...spec, code: { ...code, packages: { zod: "4.0.1" } } }, inputs)],
  ["the environment's variables", () => cacheKey(scope, { ...spec, env: { KEY: "other" } }, inputs)],
  ["an input", () => cacheKey(scope, spec, { ...inputs, depth: "h3" })],
  ["an input's name", () => cacheKey(scope, spec, { data: "h1", deep: "h2" })],
  ["values that change places", () => cacheKey(scope, spec, { data: "h2", depth: "h1" })],
  ["the policy", () => cacheKey(scope, byVersion, inputs)],
];

for (const [part, change] of covered) {
  test(`another key for another part: ${part}`, () => {
    assert.notEqual(change(), null);
    assert.notEqual(change(), key);
  });
}

test("a shell task's command is its code", () => {
  const shell = (command: string): TaskSpec => ({ ...spec, target: { type: "shell", command, env: {} } });
  assert.notEqual(cacheKey(scope, shell("sort"), inputs), cacheKey(scope, shell("sort -r"), inputs));
});

test("what has no part in the result has none in the key", () => {
  const same: TaskSpec = {
    ...spec,
    description: "another",
    location: { file: "elsewhere.ts", line: 9, column: 1 },
    resources: { cpuMillis: 4_000, memoryBytes: 1 },
    retries: { ...defaultRetries, user: 9 },
    timeouts: { attemptMs: 1, queuedMs: 2, deadlineMs: 3 },
  };
  assert.equal(cacheKey(scope, same, inputs), key);
  assert.equal(cacheKey(scope, spec, { depth: "h2", data: "h1" }), key, "the order of inputs");
});

test("an ignored input has no part in the key", () => {
  const ignoring: TaskSpec = { ...spec, cache: { type: "auto", ignoredInputs: ["depth"] } };
  assert.equal(cacheKey(scope, ignoring, inputs), cacheKey(scope, ignoring, { ...inputs, depth: "h9" }));
  assert.notEqual(cacheKey(scope, ignoring, inputs), cacheKey(scope, ignoring, { ...inputs, data: "h9" }));
});

test("the user's version stands for the code, and for it alone", () => {
  const edited: TaskSpec = { ...byVersion, code: { type: "unknown", reason: "eval" } };
  assert.equal(cacheKey(scope, edited, inputs), cacheKey(scope, byVersion, inputs));
  const next: TaskSpec = { ...byVersion, cache: { type: "version", version: "2", ignoredInputs: [] } };
  assert.notEqual(cacheKey(scope, next, inputs), cacheKey(scope, byVersion, inputs));
  assert.notEqual(cacheKey(scope, byVersion, { ...inputs, data: "h9" }), cacheKey(scope, byVersion, inputs));
});

test("what cannot be covered gives no key, and says why (R1)", () => {
  const off: TaskSpec = { ...spec, cache: { type: "off" } };
  const unknown: TaskSpec = { ...spec, code: { type: "unknown", reason: "it calls eval" } };
  assert.deepEqual([cacheKey(scope, off, inputs), cacheKey(scope, unknown, inputs)], [null, null]);
  assert.match(unkeyedReason(off) ?? "", /not cached/);
  assert.match(unkeyedReason(unknown) ?? "", /it calls eval/);
  assert.equal(unkeyedReason(spec), null);
});

test("two keys differ where their parts do, and nowhere else", () => {
  const now = { ...spec, code: { ...code, modules: { "pipeline.ts": "m9" } } };
  const found = differences(keyParts(spec, inputs) ?? {}, keyParts(now, { ...inputs, depth: "h9" }) ?? {});
  assert.deepEqual(found, [
    { part: "code model.ts", entry: "m2", now: null },
    { part: "code pipeline.ts", entry: "m1", now: "m9" },
    { part: "input depth", entry: "h2", now: "h9" },
  ]);
  assert.deepEqual(differences(keyParts(spec, inputs) ?? {}, keyParts(spec, inputs) ?? {}), []);
});

test("inputs are hashed one by one, by content", () => {
  const hashes = hashInputs({ a: { type: "string", value: "x" }, b: { type: "string", value: "x" } });
  assert.deepEqual(Object.keys(hashes), ["a", "b"]);
  assert.equal(hashes.a, hashes.b);
});

test("a key is the hash of the canonical text of its parts, whatever the inputs are called", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.array(fc.string()), (hashes, ignored) => {
      const keyed: TaskSpec = {
        ...spec,
        cache: { type: "auto", ignoredInputs: [...ignored, ...Object.keys(hashes).slice(2)] },
      };
      const parts = keyParts(keyed, hashes);
      assert.equal(cacheKey(scope, keyed, hashes), hashParts(scope.project, scope.domain, canonicalJson(parts)));
    }),
  );
});

test("a result is stale when it is older than its task allows, and age is no part of the key", () => {
  const aged: TaskSpec = { ...spec, cache: { type: "version", version: "1", ignoredInputs: [], maxAgeMs: 1_000 } };
  assert.equal(cacheKey(scope, aged, inputs), cacheKey(scope, byVersion, inputs));
  assert.deepEqual(
    [2_000, 2_001].map((nowMs) => isStale({ createdAtMs: 1_000 }, aged, nowMs)),
    [false, true],
  );
  assert.equal(isStale({ createdAtMs: 0 }, byVersion, Number.MAX_SAFE_INTEGER), false);
});
