// Requests that are answered, for nearly every method: what tests spoil, and what they build on.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { InputsSchema } from "#idl/flyteidl2/task/common_pb.js";
import { ask, type TestService } from "./service.ts";

type Json = { readonly [key: string]: JsonValue };
/** Method without `flyteidl2.`, and its request as JSON. */
export type Request = readonly [method: string, request: Json];

export const place = { project: "flytesnacks", domain: "development" };
export const projectId = { name: place.project, domain: place.domain };

const literals: { readonly [input: string]: readonly [type: Json, literal: Json] } = {
  i: [{ simple: "INTEGER" }, { scalar: { primitive: { integer: "7" } } }],
  f: [{ simple: "FLOAT" }, { scalar: { primitive: { floatValue: 1.5 } } }],
  s: [{ simple: "STRING" }, { scalar: { primitive: { stringValue: "x" } } }],
  d: [{ simple: "DATETIME" }, { scalar: { primitive: { datetime: "2026-01-01T00:00:00Z" } } }],
  l: [
    { collectionType: { simple: "INTEGER" } },
    { collection: { literals: [{ scalar: { primitive: { integer: "1" } } }] } },
  ],
  m: [
    { mapValueType: { simple: "STRING" } },
    { map: { literals: { k: { scalar: { primitive: { stringValue: "v" } } } } } },
  ],
  b: [{ blob: { format: "x" } }, { scalar: { blob: { metadata: { type: { format: "x" } }, uri: "s3://bucket/key" } } }],
  t: [
    { structuredDatasetType: { format: "parquet" } },
    {
      scalar: {
        structuredDataset: {
          uri: "s3://bucket/table",
          metadata: { structuredDatasetType: { format: "parquet" } },
        },
      },
    },
  ],
  st: [
    { simple: "STRUCT", metadata: { title: "X", type: "object", properties: { a: { type: "integer" } } } },
    { scalar: { binary: { value: Buffer.from([0x81, 0xa1, 0x61, 0x01]).toString("base64"), tag: "msgpack" } } },
  ],
  e: [{ enumType: { values: ["A", "B"] } }, { scalar: { primitive: { stringValue: "A" } } }],
  u: [
    {
      unionType: {
        variants: [
          { simple: "INTEGER", structure: { tag: "int" } },
          { simple: "STRING", structure: { tag: "str" } },
        ],
      },
    },
    {
      scalar: {
        union: {
          value: { scalar: { primitive: { integer: "7" } } },
          type: { simple: "INTEGER", structure: { tag: "int" } },
        },
      },
    },
  ],
};

/** Waits for as long as its input says. */
export const napSpec = (name = "env.nap"): Json => ({
  taskTemplate: {
    id: { resourceType: "TASK", ...place, name, version: "v1" },
    type: "core-sleep",
    metadata: { retries: { retries: 1 }, timeout: "100s" },
    interface: { inputs: { variables: [{ key: "duration", value: { type: { simple: "DURATION" } } }] }, outputs: {} },
    custom: { a: 1 },
  },
  shortName: name.split(".").at(-1) as string,
  environment: { name: "env" },
});

export const napInputs = (duration: string): Json => ({
  literals: [{ name: "duration", value: { scalar: { primitive: { duration } } } }],
});

/** Takes something of everything; nothing here can run it. */
const containerInterface: Json = {
  inputs: {
    variables: Object.entries(literals).map(([key, [type]]) => ({ key, value: { type, description: "what it is" } })),
  },
  outputs: { variables: [{ key: "o0", value: { type: { simple: "INTEGER" } } }] },
};

export const containerSpec: Json = {
  taskTemplate: {
    id: { resourceType: "TASK", ...place, name: "env.all", version: "v1" },
    type: "python",
    metadata: { retries: { retries: 1 }, discoverable: true, discoveryVersion: "1" },
    interface: containerInterface,
    container: {
      image: "nothing:here",
      args: ["a0", "{{.runName}}"],
      resources: { requests: [{ name: "CPU", value: "100000" }], limits: [{ name: "MEMORY", value: "1Gi" }] },
      env: [{ key: "A", value: "b" }],
    },
    securityContext: { secrets: [{ key: "K", mountRequirement: "ENV_VAR" }] },
  },
  defaultInputs: [{ name: "i", parameter: { default: literals.i?.[1] as Json } }],
  shortName: "all",
  environment: { name: "env" },
  documentation: { shortDescription: "x" },
};

export const containerInputs: Json = {
  literals: Object.entries(literals).map(([name, [, value]]) => ({ name, value })),
  context: [{ key: "a", value: "b" }],
};

export const runId = { org: "", ...place, name: "run1" };
export const actionId = (name: string): Json => ({ run: runId, name });
const trigger = { ...place, taskName: "env.nap", name: "tr" };
const cron = {
  type: "TYPE_SCHEDULE",
  schedule: { cron: { expression: "0 0 1 1 *", timezone: "Europe/Berlin" } },
};

/** Deploys, starts and uploads what the requests are about; an hour's sleep is under way then. */
export async function prepare({ url, dataDir }: TestService): Promise<readonly Request[]> {
  const inputs = napInputs("3600s");
  const ground: readonly Request[] = [
    ["task.TaskService/DeployTask", { taskId: { ...place, name: "env.nap", version: "v1" }, spec: napSpec() }],
    ["task.TaskService/DeployTask", { taskId: { ...place, name: "env.all", version: "v1" }, spec: containerSpec }],
    ["workflow.RunService/CreateRun", { runId, taskSpec: napSpec(), inputs }],
    [
      "trigger.TriggerService/DeployTrigger",
      { name: trigger, spec: { taskVersion: "v1", inputs }, automationSpec: cron },
    ],
  ];
  for (const [method, request] of ground) {
    const { code, message } = await ask(url, method, request);
    if (code !== "ok") throw new Error(`${method}: ${message}`);
  }
  const upload = { projectId, taskSpec: napSpec(), inputs };
  const { body } = await ask(url, "dataproxy.DataProxyService/UploadInputs", upload);
  const runDir = join(dataDir, "storage/runs", place.project, place.domain, "run1");
  const childInputs = join(runDir, "c1", "inputs.pb");
  mkdirSync(join(runDir, "c1"), { recursive: true });
  writeFileSync(childInputs, toBinary(InputsSchema, fromJson(InputsSchema, inputs)));
  return [
    ...ground,
    ...runs((body as { readonly offloadedInputData: Json }).offloadedInputData),
    ...reads,
    ...calls(runDir, childInputs),
    ...others,
  ];
}

const runs = (offloadedInputData: Json): readonly Request[] => [
  [
    "workflow.RunService/CreateRun",
    {
      runId: { ...runId, name: "" },
      taskSpec: containerSpec,
      inputs: containerInputs,
      runSpec: {
        labels: { values: { a: "b" } },
        annotations: { values: { a: "b" } },
        envs: { values: [{ key: "A", value: "b" }] },
        overwriteCache: true,
        cacheConfig: { cacheLookupScope: 1 },
      },
    },
  ],
  [
    "workflow.RunService/CreateRun",
    { projectId, taskId: { ...place, name: "env.nap", version: "v1" }, offloadedInputData },
  ],
  ["workflow.RunService/CreateRun", { projectId, triggerName: trigger }],
  ["dataproxy.DataProxyService/UploadInputs", { runId, taskSpec: containerSpec, inputs: containerInputs }],
  [
    "dataproxy.DataProxyService/CreateUploadLocation",
    {
      ...place,
      contentMd5: Buffer.alloc(16).toString("base64"),
      filename: "a.txt",
      filenameRoot: "root",
      expiresIn: "900s",
    },
  ],
];

const page = (field: string, how: string, value: string): Json => ({
  limit: 2,
  sortBy: { key: "created_at", direction: "ASCENDING" },
  filters: [{ function: how, field, values: [value] }],
});

const root = actionId("a0");
const reads: readonly Request[] = [
  ["workflow.RunService/GetRunDetails", { runId }],
  ["workflow.RunService/WatchRunDetails", { runId }],
  ["workflow.RunService/GetActionDetails", { actionId: root }],
  ["workflow.RunService/WatchActionDetails", { actionId: root }],
  ["workflow.RunService/GetActionDataURIs", { actionId: root }],
  ["workflow.RunService/ListRuns", { request: page("phase", "EQUAL", "1"), projectId }],
  ["workflow.RunService/ListRuns", { request: page("labels.a", "EQUAL", "b"), projectId }],
  ["workflow.RunService/ListActions", { request: page("created_at", "GREATER_THAN", "2020-01-01T00:00:00Z"), runId }],
  ["workflow.RunService/WatchActions", { runId, filter: [{ function: "EQUAL", field: "phase", values: ["1"] }] }],
  ["workflow.RunService/WatchRuns", { projectId }],
  ["workflow.RunService/WatchGroups", { projectId, startDate: "2020-01-01T00:00:00Z" }],
  ["actions.ActionsService/WatchForUpdates", { parentActionId: root }],
  ["workflow.StateService/Watch", { parentActionId: root }],
  ["dataproxy.DataProxyService/GetActionData", { actionId: root }],
  ["dataproxy.DataProxyService/TailLogs", { actionId: root, attempt: 1 }],
  [
    "dataproxy.DataProxyService/CreateDownloadLink",
    { artifactType: "ARTIFACT_TYPE_REPORT", actionAttemptId: { actionId: root, attempt: 1 } },
  ],
];

const calls = (runOutputBase: string, inputUri: string): readonly Request[] => {
  const fields = { parentActionName: "a0", inputUri, runOutputBase, group: "g" };
  const times = { startTime: "2026-01-01T00:00:00Z", endTime: "2026-01-01T00:00:01Z" };
  const trace = { name: "tr", phase: "ACTION_PHASE_SUCCEEDED", ...times, spec: { interface: {} } };
  const condition = { name: "ok", type: { simple: "BOOLEAN" }, prompt: "?", timeout: "3600s" };
  const task = { id: { ...place, name: "env.nap", version: "v1" }, spec: napSpec(), cacheKey: "x" };
  return [
    ["actions.ActionsService/Enqueue", { action: { ...fields, actionId: actionId("c1"), task } }],
    ["workflow.QueueService/EnqueueAction", { ...fields, actionId: actionId("c2"), task: { spec: napSpec() } }],
    ["actions.ActionsService/Enqueue", { action: { ...fields, actionId: actionId("t1"), trace } }],
    ["actions.ActionsService/Enqueue", { action: { ...fields, actionId: actionId("q1"), condition } }],
    [
      "actions.ActionsService/Signal",
      { actionId: actionId("q1"), value: { scalar: { primitive: { boolean: true } } } },
    ],
    ["actions.ActionsService/Abort", { actionId: actionId("c2"), reason: "x" }],
  ];
};

const cacheKey = { identifier: { org: "", ...place } };
const others: readonly Request[] = [
  [
    "trigger.TriggerService/DeployTrigger",
    {
      name: { ...trigger, name: "rate" },
      spec: { taskVersion: "v1", inputs: napInputs("1s"), runSpec: { labels: { values: { a: "b" } } } },
      automationSpec: {
        type: "TYPE_SCHEDULE",
        schedule: { rate: { value: 5, unit: "FIXED_RATE_UNIT_MINUTE", startTime: "2026-01-01T00:00:00Z" } },
      },
    },
  ],
  ["trigger.TriggerService/ListTriggers", { projectId, request: { limit: 1 } }],
  ["trigger.TriggerService/GetTriggerDetails", { name: trigger }],
  ["trigger.TriggerService/GetTriggerRevisionDetails", { id: { name: trigger, revision: "1" } }],
  ["trigger.TriggerService/GetTriggerRevisionHistory", { name: trigger, request: { limit: 1 } }],
  ["trigger.TriggerService/UpdateTriggers", { names: [trigger], active: false }],
  ["task.TaskService/ListTasks", { projectId, request: page("name", "EQUAL", "env.nap") }],
  ["task.TaskService/ListVersions", { taskName: { ...place, name: "env.nap" }, request: { limit: 1 } }],
  ["task.TaskService/GetTaskDetails", { taskId: { ...place, name: "env.all", version: "v1" } }],
  ["secret.SecretService/CreateSecret", { id: { ...place, name: "S" }, secretSpec: { stringValue: "x" } }],
  ["secret.SecretService/ListSecrets", { ...place, limit: 1 }],
  ["settings.SettingsService/UpdateSettings", { key: place, settings: {}, version: "0" }],
  ["settings.SettingsService/GetSettingsForEdit", { key: place }],
  ["project.ProjectService/CreateProject", { project: { id: "p1", name: "x", labels: { values: { a: "b" } } } }],
  ["project.ProjectService/UpdateProject", { project: { id: "p1", name: "x", state: "PROJECT_STATE_ARCHIVED" } }],
  ["project.ProjectService/ListProjects", { limit: 1, filters: "eq(state, 0)", sortBy: { key: "created_at" } }],
  ["workflow.TranslatorService/TaskSpecToLaunchFormJson", { taskSpec: containerSpec }],
  [
    "workflow.TranslatorService/LiteralsToLaunchFormJson",
    { literals: containerInputs.literals as JsonValue, variables: containerInterface.inputs as JsonValue },
  ],
  ["imagebuilder.ImageService/GetImage", { id: { name: "x:y" }, projectId }],
  [
    "cacheservice.v2.CacheService/Put",
    {
      ...cacheKey,
      baseRequest: { key: "k", output: { outputLiterals: { literals: { a: literals.i?.[1] as Json } } } },
    },
  ],
  ["cacheservice.v2.CacheService/Get", { ...cacheKey, baseRequest: { key: "k" } }],
  [
    "cacheservice.v2.CacheService/GetOrExtendReservation",
    { ...cacheKey, baseRequest: { key: "k2", ownerId: "o", heartbeatInterval: "10s" } },
  ],
];
