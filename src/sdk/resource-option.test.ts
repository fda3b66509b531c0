// What a task may ask for, in the forms that users write, and what is said of mistakes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { cacheKey } from "../core/cache.ts";
import { specDigest, type TaskSpec, withOverrides } from "../core/task.ts";
import { type EnvironmentOptions, environment, type TaskOptions } from "./environment.ts";
import type { CallOptions } from "./task.ts";
import { overridesOn } from "./task.ts";

let defined = 0;

const task = (options: Partial<TaskOptions<undefined, undefined>>, env: Partial<EnvironmentOptions> = {}) =>
  environment({ name: `asks${defined++}`, ...env }).task({ name: "job", ...options }, () => undefined);

const specOf = (...options: Parameters<typeof task>): TaskSpec => task(...options).definition.spec();

const resourcesOf = (resources: NonNullable<CallOptions["resources"]>) => specOf({ resources }).resources;

test("resources are whole numbers of thousandths, bytes, devices and tokens", () => {
  assert.deepEqual(
    resourcesOf({ cpu: 0.5, memory: "4Gi", gpu: { count: 2, model: "A100" }, disk: "20Gi", tokens: { licence: 1 } }),
    {
      cpuMillis: 500,
      memoryBytes: 4 * 2 ** 30,
      gpus: { count: 2, model: "A100" },
      diskBytes: 20 * 2 ** 30,
      tokens: { licence: 1 },
    },
  );
});

test("GPUs are a number, a model, or both in one text", () => {
  assert.deepEqual(resourcesOf({ gpu: 1 }).gpus, { count: 1, model: null });
  assert.deepEqual(resourcesOf({ gpu: "2" }).gpus, { count: 2, model: null });
  assert.deepEqual(resourcesOf({ gpu: "A100:2" }).gpus, { count: 2, model: "A100" });
  assert.deepEqual(resourcesOf({ gpu: "T4" }).gpus, { count: 1, model: "T4" });
  assert.equal("gpus" in resourcesOf({ gpu: 0 }), false);
});

test("a task has what its environment says, but for what it says itself", () => {
  const env = { resources: { cpu: 2, memory: "1Gi", gpu: 1, tokens: { licence: 1 } } };
  assert.deepEqual(specOf({ resources: { memory: "2Gi", gpu: 0 } }, env).resources, {
    cpuMillis: 2_000,
    memoryBytes: 2 ** 31,
    tokens: { licence: 1 },
  });
});

test("a task that asks for nothing new is the version that it was", () => {
  const spec = specOf({ resources: { cpu: 2, memory: "1Gi" }, retries: 2 });
  assert.deepEqual(Object.keys(spec.resources), ["cpuMillis", "memoryBytes"]);
  assert.deepEqual(Object.keys(spec.retries), ["user", "system", "backoff"]);
  for (const name of ["priority", "concurrency", "environmentConcurrency"]) assert.equal(name in spec, false, name);
  const asked = { ...spec, resources: { ...spec.resources, diskBytes: 1 } };
  assert.notEqual(specDigest(asked), specDigest(spec));
});

test("the cache does not look at what a task asks for, nor at its priority and limits", () => {
  const input = z.object({ x: z.int() });
  const env = environment({ name: "keyed" });
  const plain = env.task({ name: "job", input, cache: { version: "1" } }, () => undefined).definition.spec();
  const other: TaskSpec = {
    ...plain,
    resources: { cpuMillis: 4_000, memoryBytes: 2 ** 30, gpus: { count: 1, model: null }, tokens: { licence: 1 } },
    retries: { ...plain.retries, onOom: { factor: 2, maxBytes: 2 ** 33 } },
    priority: 7,
    concurrency: 1,
    environmentConcurrency: 2,
  };
  const scope = { project: "p", domain: "d" };
  assert.equal(cacheKey(scope, other, { x: "1" }), cacheKey(scope, plain, { x: "1" }));
});

test("priorities, limits and growing memory are recorded with the task", () => {
  const spec = specOf(
    {
      priority: -5,
      concurrency: 3,
      resources: { memory: "1Gi" },
      retries: { user: 1, onOom: { memory: "x1.5", max: "8Gi" } },
    },
    { concurrency: 10 },
  );
  assert.equal(spec.priority, -5);
  assert.equal(spec.concurrency, 3);
  assert.equal(spec.environmentConcurrency, 10);
  assert.deepEqual(spec.retries.onOom, { factor: 1.5, maxBytes: 8 * 2 ** 30 });
});

test("a call may ask for more, and go first", () => {
  const job = task({}).override({ resources: { memory: "2Gi", gpu: 1 }, priority: 100 });
  const spec = withOverrides(job.definition.spec(), overridesOn(job));
  assert.deepEqual(spec.resources, { cpuMillis: 1_000, memoryBytes: 2 ** 31, gpus: { count: 1, model: null } });
  assert.equal(spec.priority, 100);
});

const growing = (memory: string, max: string | undefined) =>
  ({ onOom: { memory, max } }) as unknown as NonNullable<CallOptions["retries"]>;

const mistakes: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    "a misspelt resource",
    () => task({ resources: { memroy: "1Gi" } as object }),
    /asks\d+\.job: .*"memroy".*mean "memory"\?/,
  ],
  ["half a GPU", () => task({ resources: { gpu: 0.5 } }), /asks\d+\.job: resources\.gpu: 0\.5 /],
  ["a GPU count without a number", () => task({ resources: { gpu: "A100:many" } }), /resources\.gpu: "A100:many"/],
  ["no amount", () => task({ resources: { disk: "much" } }), /resources\.disk: "much" is not a number of bytes/],
  ["half a token", () => task({ resources: { tokens: { db: 0.5 } } }), /resources\.tokens\.db .*not 0\.5/],
  ["a priority out of range", () => task({ priority: 101 }), /job: priority .*from -100 to 100, not 101/],
  ["no place at all", () => task({ concurrency: 0 }), /job: concurrency .*from 1 .*not 0/],
  ["no place in the environment", () => task({}, { concurrency: 1.5 }), /environment asks\d+: concurrency .*not 1\.5/],
  [
    "memory that does not grow",
    () => task({ resources: { memory: "1Gi" }, retries: growing("x1", "2Gi") }),
    /onOom\.memory .*"x1"/,
  ],
  [
    "memory that explodes",
    () => task({ resources: { memory: "1Gi" }, retries: growing("x101", "2Gi") }),
    /onOom\.memory .*"x101"/,
  ],
  [
    "memory that grows for ever",
    () => task({ resources: { memory: "1Gi" }, retries: growing("x2", undefined) }),
    /onOom\.max is missing/,
  ],
  [
    "memory that shrinks",
    () => task({ resources: { memory: "4Gi" }, retries: growing("x2", "2Gi") }),
    /onOom\.max \(2 GiB\) .*resources\.memory \(4 GiB\)/,
  ],
  ["growth from nothing", () => task({ retries: growing("x2", "2Gi") }), /job: retries\.onOom needs resources\.memory/],
  [
    "growth from nothing in a call",
    () => task({}).override({ retries: growing("x2", "2Gi") }),
    /onOom needs resources\.memory/,
  ],
];

for (const [what, mistaken, said] of mistakes)
  test(`${what} is refused, naming task and setting`, () => assert.throws(mistaken, said));
