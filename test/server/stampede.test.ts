// Clients that send the same request a hundred times at once: what it asks for is done once, and each is told so.
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { type Answer, ask, startService, type TestService } from "./service.ts";
import { actionId, napInputs, napSpec, place, prepare, projectId, runId } from "./valid-requests.ts";

let service: TestService;

before(async (t) => {
  service = await startService(t as TestContext);
  await prepare(service);
});

const hundred = (method: string, request: (at: number) => unknown): Promise<readonly Answer[]> =>
  Promise.all(Array.from({ length: 100 }, (_, at) => ask(service.url, method, request(at))));

const codesOf = (answers: readonly Answer[]): readonly string[] => [...new Set(answers.map(({ code }) => code))].sort();

const listed = async (method: string, request: unknown, rows: string): Promise<readonly unknown[]> => {
  const { body } = await ask(service.url, method, request);
  return (body as { readonly [rows: string]: readonly unknown[] })[rows] ?? [];
};

const byName = (field: string, name: string) => ({
  projectId,
  request: { limit: 100, filters: [{ function: "EQUAL", field, values: [name] }] },
});

test("CreateRun under one name makes one run, which all are answered with; other inputs are refused", async () => {
  const request = { runId: { ...runId, name: "once" }, taskSpec: napSpec(), inputs: napInputs("0.010s") };
  const answers = await hundred("workflow.RunService/CreateRun", () => request);
  assert.deepEqual(codesOf(answers), ["ok"]);
  assert.equal((await listed("workflow.RunService/ListRuns", byName("run_name", "once"), "runs")).length, 1);
  const others = await hundred("workflow.RunService/CreateRun", (at) => ({
    ...request,
    runId: { ...runId, name: "contested" },
    inputs: napInputs(`${(at % 4) + 1}s`),
  }));
  assert.deepEqual(codesOf(others), ["already_exists", "ok"]);
  assert.equal(others.filter(({ code }) => code === "ok").length % 25, 0, "those with the inputs of the one that won");
});

test("CreateRun without a name makes as many runs as there are requests", async () => {
  const request = { projectId, taskSpec: napSpec("env.many"), inputs: napInputs("0.001s") };
  assert.deepEqual(codesOf(await hundred("workflow.RunService/CreateRun", () => request)), ["ok"]);
  assert.equal((await listed("workflow.RunService/ListRuns", byName("task_name", "env.many"), "runs")).length, 100);
});

test("DeployTask makes one version, and of several contents the first holds", async () => {
  const deploy = (shortName: string) => ({
    taskId: { ...place, name: "env.deployed", version: "v1" },
    spec: { ...napSpec("env.deployed"), shortName },
  });
  assert.deepEqual(codesOf(await hundred("task.TaskService/DeployTask", () => deploy("same"))), ["ok"]);
  const others = await hundred("task.TaskService/DeployTask", (at) => deploy(`other${at}`));
  assert.deepEqual(codesOf(others), ["failed_precondition"]);
  assert.match(others[0]?.message ?? "", /other0/);
  const versions = { taskName: { ...place, name: "env.deployed" }, request: { limit: 100 } };
  assert.equal((await listed("task.TaskService/ListVersions", versions, "versions")).length, 1);
});

test("DeployTrigger makes one trigger with one revision", async () => {
  const name = { ...place, taskName: "env.nap", name: "stampede" };
  const request = {
    name,
    spec: { taskVersion: "v1", inputs: napInputs("1s") },
    automationSpec: { type: "TYPE_SCHEDULE", schedule: { cron: { expression: "0 0 1 1 *", timezone: "UTC" } } },
  };
  assert.deepEqual(codesOf(await hundred("trigger.TriggerService/DeployTrigger", () => request)), ["ok"]);
  const history = { name, request: { limit: 100 } };
  assert.equal((await listed("trigger.TriggerService/GetTriggerRevisionHistory", history, "triggers")).length, 1);
});

test("Enqueue makes one child, and Abort of it may be said as often", async () => {
  const inputUri = `${service.dataDir}/storage/runs/${place.project}/${place.domain}/run1/c1/inputs.pb`;
  const action = {
    actionId: actionId("child"),
    parentActionName: "a0",
    inputUri,
    runOutputBase: "/nowhere",
    task: { spec: napSpec() },
  };
  assert.deepEqual(codesOf(await hundred("actions.ActionsService/Enqueue", () => ({ action }))), ["ok"]);
  const children = {
    runId,
    request: { limit: 100, filters: [{ function: "EQUAL", field: "parent_name", values: ["a0"] }] },
  };
  assert.equal((await listed("workflow.RunService/ListActions", children, "actions")).length, 1);
  const abort = { actionId: actionId("child"), reason: "enough" };
  assert.deepEqual(codesOf(await hundred("actions.ActionsService/Abort", () => abort)), ["ok"]);
});

test("projects, secrets and uploads of inputs are made once; the others are told that they are there", async () => {
  const project = await hundred("project.ProjectService/CreateProject", () => ({ project: { id: "one" } }));
  assert.deepEqual(
    [codesOf(project), project.filter(({ code }) => code === "ok").length],
    [["already_exists", "ok"], 1],
  );
  const secret = { id: { ...place, name: "KEY" }, secretSpec: { stringValue: "x" } };
  const secrets = await hundred("secret.SecretService/CreateSecret", () => secret);
  assert.deepEqual(
    [codesOf(secrets), secrets.filter(({ code }) => code === "ok").length],
    [["already_exists", "ok"], 1],
  );
  const inputs = { projectId, taskSpec: napSpec(), inputs: napInputs("1s") };
  const uploads = await hundred("dataproxy.DataProxyService/UploadInputs", () => inputs);
  assert.equal(new Set(uploads.map(({ body }) => JSON.stringify(body))).size, 1);
  assert.deepEqual(codesOf(uploads), ["ok"]);
});

test("nothing of it was our fault", () => assert.deepEqual(service.bugs, []));
