// Names that are none, too long, or somebody else's; and values at the ends of what there is.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { type Answer, ask, startService, type TestService } from "./service.ts";
import { actionId, napInputs, napSpec, place, prepare, projectId, runId } from "./valid-requests.ts";

let service: TestService;

before(async (t) => {
  service = await startService(t as TestContext);
  await prepare(service);
});

const call = (method: string, request: unknown): Promise<Answer> => ask(service.url, method, request);

const odd: readonly string[] = [
  "x".repeat(10_000),
  "../../../../etc",
  "..",
  "a/b",
  "a\0b",
  "a\nb",
  "héllo",
  "🦢",
  "\u202eabc",
  " ",
  "A",
  "-a",
];

test("names of runs that are no labels are refused, and none becomes a path", async () => {
  for (const name of odd) {
    const request = { runId: { ...runId, name }, taskSpec: napSpec(), inputs: napInputs("0.001s") };
    const { code, message } = await call("workflow.RunService/CreateRun", request);
    assert.equal(code, "invalid_argument", JSON.stringify(name.slice(0, 20)));
    assert.match(message, /run name .*is not allowed: use/s);
  }
  assert.deepEqual(
    readdirSync(join(service.dataDir, "storage/runs", place.project, place.domain)).includes(".."),
    false,
  );
});

/** Where each kind of name goes, and what it is asked for with. */
const uses: { readonly [what: string]: (name: string) => readonly [method: string, request: unknown] } = {
  "a project": (name) => ["project.ProjectService/CreateProject", { project: { id: name, name: "x" } }],
  "a run's project": (project) => ["workflow.RunService/GetRunDetails", { runId: { ...runId, project } }],
  "a run's domain": (domain) => ["workflow.RunService/GetRunDetails", { runId: { ...runId, domain } }],
  "a run to be read": (name) => ["workflow.RunService/GetRunDetails", { runId: { ...runId, name } }],
  "an action to be read": (name) => ["workflow.RunService/GetActionDetails", { actionId: actionId(name) }],
  "an action's data": (name) => ["dataproxy.DataProxyService/GetActionData", { actionId: actionId(name) }],
  "an action's files": (name) => ["workflow.RunService/GetActionDataURIs", { actionId: actionId(name) }],
  "a task to be read": (name) => ["task.TaskService/GetTaskDetails", { taskId: { ...place, name, version: "v1" } }],
  "a version to be read": (version) => [
    "task.TaskService/GetTaskDetails",
    { taskId: { ...place, name: "env.nap", version } },
  ],
  "a trigger to be read": (name) => [
    "trigger.TriggerService/GetTriggerDetails",
    { name: { ...place, taskName: "env.nap", name } },
  ],
  "a secret's project": (project) => ["secret.SecretService/GetSecret", { id: { ...place, project, name: "S" } }],
  "a recovered run": (name) => [
    "workflow.RunService/CreateRun",
    {
      projectId,
      taskId: { ...place, name, version: "v1" },
      inputs: napInputs("1s"),
    },
  ],
  "a child": (name) => [
    "actions.ActionsService/Enqueue",
    {
      action: {
        actionId: actionId(name),
        parentActionName: "nobody",
        inputUri: "/etc/passwd",
        runOutputBase: "/etc",
        task: { spec: napSpec() },
      },
    },
  ],
};

test("whatever is named oddly is refused or not found, in words that are not longer than can be read", async () => {
  for (const [what, use] of Object.entries(uses))
    for (const name of odd) {
      const [method, request] = use(name);
      const { code, message } = await call(method, request);
      assert.match(code, /^(invalid_argument|not_found)$/, `${what} ${JSON.stringify(name.slice(0, 20))}: ${message}`);
      assert.ok(message.length > 10 && message.length < 5_000, `${what}: ${message.length}`);
    }
  assert.deepEqual(service.bugs, []);
});

test("labels, groups and texts of any length are taken whole or refused, and never end the server", async () => {
  for (const text of odd) {
    const runSpec = { labels: { values: { [text]: text } }, annotations: { values: { a: text } } };
    const request = { projectId, taskSpec: napSpec(), inputs: napInputs("0.001s"), runSpec };
    const { code, message, body } = await call("workflow.RunService/CreateRun", request);
    assert.match(code, /^(ok|invalid_argument)$/, message);
    if (code !== "ok") continue;
    const { run } = body as { readonly run: { readonly action: { readonly id: { readonly run: object } } } };
    const details = await call("workflow.RunService/GetRunDetails", { runId: run.action.id.run });
    assert.equal(details.code, "ok", details.message);
    const filters = [{ function: "EQUAL", field: `labels.${text}`, values: [text] }];
    const { body: list } = await call("workflow.RunService/ListRuns", { projectId, request: { limit: 10, filters } });
    assert.equal((list as { readonly runs: readonly unknown[] }).runs.length, 1, JSON.stringify(text.slice(0, 20)));
  }
});

test("what belongs to another project is not found under this one's name, nor changed", async () => {
  const other = { project: "default", domain: "development" };
  for (const [method, request] of [
    ["workflow.RunService/GetRunDetails", { runId: { ...runId, ...other } }],
    ["workflow.RunService/AbortRun", { runId: { ...runId, ...other } }],
    ["workflow.RunService/AbortRun", { runId: { ...runId, domain: "production" } }],
    ["workflow.RunService/AbortAction", { actionId: { run: { ...runId, ...other }, name: "a0" } }],
    ["actions.ActionsService/Abort", { actionId: { run: { ...runId, ...other }, name: "a0" } }],
    ["dataproxy.DataProxyService/GetActionData", { actionId: { run: { ...runId, ...other }, name: "a0" } }],
    ["task.TaskService/GetTaskDetails", { taskId: { ...other, name: "env.nap", version: "v1" } }],
    ["trigger.TriggerService/GetTriggerDetails", { name: { ...other, taskName: "env.nap", name: "tr" } }],
    ["trigger.TriggerService/DeleteTriggers", { names: [{ ...other, taskName: "env.nap", name: "tr" }] }],
    [
      "workflow.RunService/CreateRun",
      { projectId: { name: "default", domain: "development" }, taskId: { ...other, name: "env.nap", version: "v1" } },
    ],
  ] as const) {
    const { code, message } = await call(method, request);
    assert.equal(code, "not_found", `${method}: ${message}`);
  }
  const { body } = await call("workflow.RunService/GetRunDetails", { runId });
  assert.match(JSON.stringify(body), /RUNNING|QUEUED/);
  assert.equal(
    (await call("trigger.TriggerService/GetTriggerDetails", { name: { ...place, taskName: "env.nap", name: "tr" } }))
      .code,
    "ok",
  );
});

test("files of a trace that are no messages are refused", async () => {
  const dir = join(service.dataDir, "storage/runs", place.project, place.domain, "run1", "bad");
  mkdirSync(dir, { recursive: true });
  for (const file of ["outputs.pb", "error.pb"]) writeFileSync(join(dir, file), Buffer.from([0xff, 0xff, 0xff]));
  const times = { startTime: "2026-01-01T00:00:00Z", endTime: "2026-01-01T00:00:01Z" };
  for (const [phase, outputUri] of [
    ["ACTION_PHASE_SUCCEEDED", join(dir, "outputs.pb")],
    ["ACTION_PHASE_SUCCEEDED", "/etc/passwd"],
    ["ACTION_PHASE_SUCCEEDED", join(dir, "../../../../../../godwit.db")],
    ["ACTION_PHASE_FAILED", ""],
  ]) {
    const trace = { name: "bad", phase, ...times, outputs: { outputUri }, spec: { interface: {} } };
    const action = { actionId: actionId("bad"), parentActionName: "a0", inputUri: "x", runOutputBase: "x", trace };
    const { code, message } = await call("actions.ActionsService/Enqueue", { action });
    assert.equal(code, "invalid_argument", `${phase} ${outputUri}: ${message}`);
  }
});

/** A collection in a collection, and so on. */
const nested = (depth: number): string => {
  const open = '{"collection":{"literals":['.repeat(depth);
  return `${open}{"scalar":{"primitive":{"integer":"1"}}}${"]}}".repeat(depth)}`;
};

test("literals that are nested ever deeper are refused before the stack ends", async () => {
  for (const depth of [50, 500, 5_000, 50_000]) {
    const spec = JSON.stringify({ ...napSpec("env.deep") });
    const request = `{"projectId":${JSON.stringify(projectId)},"taskSpec":${spec},"inputs":{"literals":[{"name":"duration","value":${nested(depth)}}]}}`;
    const { code, message } = await call("workflow.RunService/CreateRun", request);
    assert.match(code, /^(invalid_argument|resource_exhausted)$/, `${depth}: ${message}`);
    const key = { org: "", ...place };
    const put = `{"identifier":${JSON.stringify(key)},"baseRequest":{"key":"deep${depth}","output":{"outputLiterals":{"literals":{"a":${nested(depth)}}}}}}`;
    assert.match((await call("cacheservice.v2.CacheService/Put", put)).code, /^(ok|invalid_argument)$/);
  }
  assert.deepEqual(service.bugs, []);
});

test("numbers at their ends come back as they were, and what is none is refused", async () => {
  const name = "env.numbers";
  const spec = (simple: string) => ({
    taskTemplate: {
      id: { resourceType: "TASK", ...place, name, version: simple },
      type: "python",
      interface: { inputs: { variables: [{ key: "n", value: { type: { simple } } }] }, outputs: {} },
      container: { image: "nothing:here", args: ["a0"] },
    },
  });
  const send = (simple: string, primitive: object) =>
    call("workflow.RunService/CreateRun", {
      projectId,
      taskSpec: spec(simple),
      inputs: { literals: [{ name: "n", value: { scalar: { primitive } } }] },
    });
  const back = async ({ body }: Answer): Promise<string> => {
    const { run } = body as { readonly run: { readonly action: { readonly id: object } } };
    return JSON.stringify((await call("dataproxy.DataProxyService/GetActionData", { actionId: run.action.id })).body);
  };
  for (const integer of ["9223372036854775807", "-9223372036854775808", "9007199254740993"]) {
    const answer = await send("INTEGER", { integer });
    assert.equal(answer.code, "ok", answer.message);
    assert.match(await back(answer), new RegExp(`"integer":"${integer}"`));
  }
  for (const floatValue of ["NaN", "Infinity", "-Infinity", 1.7976931348623157e308, 5e-324]) {
    const answer = await send("FLOAT", { floatValue });
    assert.equal(answer.code, "ok", answer.message);
    assert.match(await back(answer), new RegExp(`"floatValue":"?${String(floatValue).replace("+", "\\+")}`));
  }
  for (const [simple, primitive] of [
    ["INTEGER", { integer: "9223372036854775808" }],
    ["DATETIME", { datetime: "10000-01-01T00:00:00Z" }],
    ["DURATION", { duration: "315576000001s" }],
  ] as const)
    assert.equal((await send(simple, primitive)).code, "invalid_argument", JSON.stringify(primitive));
  assert.deepEqual(service.bugs, []);
  assert.ok(!existsSync("/etc/inputs.pb"));
});
