// Specs of our own tasks through the protocol's message, and specs that nothing here can run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Resources_ResourceName as Resource } from "#idl/flyteidl2/core/tasks_pb.js";
import { type TaskSpec as Message, TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { noTimeouts } from "../core/action.ts";
import { defaultRetries } from "../core/retry.ts";
import { specDigest, type TaskSpec } from "../core/task.ts";
import type { LiteralType, Variable } from "../core/value.ts";
import { taskSpecMessage, taskSpecOf } from "./task-spec-message.ts";

const variable = (name: string, type: LiteralType, more: Partial<Variable> = {}): Variable => ({
  name,
  type,
  required: true,
  description: null,
  defaultText: null,
  ...more,
});

const own: TaskSpec = {
  name: "training.fit",
  shortName: "fit",
  environment: "training",
  description: "Fits a net.",
  location: { file: "pipeline.ts", line: 3, column: 14 },
  interface: {
    inputs: [
      variable("net", { type: "struct", schema: { type: "object", properties: { a: { type: "integer" } } } }),
      variable("epochs", { type: "simple", simple: "integer" }, { required: false, defaultText: "3" }),
    ],
    outputs: [variable("o0", { type: "collection", element: { type: "simple", simple: "float" } })],
  },
  target: { type: "typescript", bundle: { digest: "ab".repeat(32), projectDir: "/home/ada/project" } },
  resources: { cpuMillis: 500, memoryBytes: 2 ** 30, gpus: { count: 1, model: null }, tokens: { licence: 1 } },
  retries: { ...defaultRetries, user: 2, onOom: { factor: 2, maxBytes: 2 ** 33 } },
  timeouts: { attemptMs: 1_500, queuedMs: null, deadlineMs: 60_000 },
  cache: { type: "auto", ignoredInputs: ["epochs"] },
  env: { MODE: "fast" },
  code: { type: "known", modules: { "pipeline.ts": "00" }, packages: { zod: "4.0.0" } },
  priority: -3,
  concurrency: 2,
};

const sent = (message: Message): Message => fromBinary(TaskSpecSchema, toBinary(TaskSpecSchema, message));

test("a spec of our own comes back from its message as what it was, whatever the protocol has fields for", () => {
  const shell: TaskSpec = { ...own, target: { type: "shell", command: ["sort", "{{inputs.net}}"], env: { A: "b" } } };
  for (const spec of [own, shell, { ...own, cache: { type: "off" } as const, timeouts: noTimeouts, location: null }]) {
    const back = taskSpecOf(sent(taskSpecMessage(spec)));
    assert.deepEqual(back, spec);
    assert.equal(specDigest(back), specDigest(spec));
  }
});

test("others can read of our own task its name, types, defaults, retries and timeouts", () => {
  const message = taskSpecMessage(own);
  const { taskTemplate } = message;
  assert.equal(taskTemplate?.type, "typescript");
  assert.equal(taskTemplate?.id?.name, "training.fit");
  assert.deepEqual(
    taskTemplate?.interface?.inputs?.variables.map(({ key }) => key),
    ["epochs", "net"],
  );
  assert.equal(message.defaultInputs[0]?.name, "epochs");
  assert.equal(message.defaultInputs[0]?.parameter?.behavior.case, "default");
  assert.equal(taskTemplate?.metadata?.retries?.retries, 2);
  assert.equal(taskTemplate?.metadata?.timeout?.nanos, 500_000_000);
  assert.equal(taskTemplate?.metadata?.timeouts?.queuedTimeout, undefined);
});

test("a spec of our own that is forged, of another form or at odds with its template is refused", () => {
  const custom = (text: unknown): Message => {
    const message = taskSpecMessage(own);
    if (message.taskTemplate !== undefined) message.taskTemplate.custom = { godwitSpec: text as string };
    return message;
  };
  for (const wrong of [
    "",
    "{",
    "null",
    "[]",
    3,
    JSON.stringify({ ...own, name: "another.task" }),
    JSON.stringify({ ...own, resources: { cpuMillis: "1" } }),
    JSON.stringify({ ...own, target: { type: "container", image: "x" } }),
    JSON.stringify({ ...own, interface: { inputs: [], outputs: [] } }),
    JSON.stringify({ ...own, surprise: true }),
    JSON.stringify({ ...own, retries: { ...own.retries, user: -1 } }),
  ]) {
    assert.throws(() => taskSpecOf(custom(wrong)), { code: "invalid_argument" }, String(wrong));
  }
});

const foreign = (template: NonNullable<Parameters<typeof create<typeof TaskSpecSchema>>[1]>["taskTemplate"]): Message =>
  create(TaskSpecSchema, { taskTemplate: { id: { name: "env.task" }, ...template } as never });

test("a task that needs what is not here is refused in words, and not taken for another", () => {
  const cases: [Message, string, RegExp][] = [
    [foreign({ type: "python", target: { case: "k8sPod", value: {} } }), "unimplemented", /env\.task.*Kubernetes/],
    [foreign({ type: "sql", target: { case: "sql", value: {} } }), "unimplemented", /env\.task.*SQL/],
    [foreign({ type: "bigquery" }), "unimplemented", /"bigquery" without a container/],
    [foreign({ type: "core-sleep" }), "invalid_argument", /one duration/],
    [create(TaskSpecSchema), "invalid_argument", /task_template/],
    [create(TaskSpecSchema, { taskTemplate: { type: "python" } }), "invalid_argument", /id\.name/],
  ];
  for (const [message, code, words] of cases) assert.throws(() => taskSpecOf(message), { code, message: words });
});

const container = (requests: [Resource, string][], limits: [Resource, string][] = []) => {
  const entries = (list: [Resource, string][]) => list.map(([name, value]) => ({ name, value }));
  const resources = { requests: entries(requests), limits: entries(limits) };
  return taskSpecOf(foreign({ type: "python", target: { case: "container", value: { image: "x", resources } } }));
};

test("amounts are read in every notation of Kubernetes, and limits before requests where they are held to", () => {
  const memory = (text: string) => container([[Resource.MEMORY, text]]).resources.memoryBytes;
  assert.deepEqual(["128974848", "129e6", "129M", "123Mi", "1k", "1Pi", "2Gi", "1500m"].map(memory), [
    128974848,
    129e6,
    129e6,
    123 * 2 ** 20,
    1_000,
    2 ** 50,
    2 ** 31,
    2,
  ]);
  const { resources } = container(
    [
      [Resource.CPU, "250m"],
      [Resource.MEMORY, "1Gi"],
      [Resource.GPU, "0"],
    ],
    [
      [Resource.CPU, "4"],
      [Resource.MEMORY, "2Gi"],
    ],
  );
  assert.deepEqual(resources, { cpuMillis: 250, memoryBytes: 2 ** 31 });
  for (const [name, text] of [
    [Resource.MEMORY, "much"],
    [Resource.CPU, "-1"],
    [Resource.GPU, "half"],
  ] as const) {
    assert.throws(() => container([[name, text]]), { code: "invalid_argument", message: /env\.task: resources/ });
  }
});
