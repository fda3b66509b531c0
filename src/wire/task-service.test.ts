// The protocol's task service, as its client sees it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { KeyValuePairSchema } from "#idl/flyteidl2/core/literals_pb.js";
import { type TaskSpec, TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { TaskService } from "#idl/flyteidl2/task/task_service_pb.js";
import { taskService } from "./task-service.ts";
import { served } from "./wire.fixture.ts";

const id = (name: string, version: string) => ({
  org: "",
  project: "default",
  domain: "development",
  name,
  version,
});

const spec = (name: string, more: { readonly image?: string; readonly isEntrypoint?: boolean } = {}): TaskSpec =>
  create(TaskSpecSchema, {
    shortName: "main",
    taskTemplate: {
      id: { name },
      type: "python",
      interface: {},
      metadata: { isEntrypoint: more.isEntrypoint ?? false },
      target: { case: "container", value: { image: more.image ?? "i:1", args: ["a0"] } },
    },
  });

const projectId = { organization: "", name: "default", domain: "development" };

test("a task is deployed, deployed again without effect, refused with other content, and found", async (t) => {
  const { transport } = await served(t, taskService);
  const tasks = createClient(TaskService, transport);
  const deploy = (image: string) =>
    tasks.deployTask({ taskId: id("env.main", "v1"), spec: spec("env.main", { image }) });
  await deploy("i:1");
  await deploy("i:1");
  await assert.rejects(deploy("i:2"), { rawMessage: /image: i:1 → i:2/ });
  const { details } = await tasks.getTaskDetails({ taskId: id("env.main", "v1") });
  assert.equal(details?.metadata?.shortName, "main");
  assert.equal(details?.spec?.taskTemplate?.target.case, "container");
  await assert.rejects(tasks.getTaskDetails({ taskId: id("env.mian", "v1") }), { rawMessage: /"env.main"\?/ });
});

test("the same paths of modules, said another number of times, are the same content", async (t) => {
  const { transport } = await served(t, taskService);
  const tasks = createClient(TaskService, transport);
  const deploy = (paths: string) => {
    const message = spec("env.main");
    const target = message.taskTemplate?.target;
    assert.equal(target?.case, "container");
    target.value.env = [create(KeyValuePairSchema, { key: "_F_SYS_PATH", value: paths })];
    return tasks.deployTask({ taskId: id("env.main", "v1"), spec: message });
  };
  await deploy("./.:./lib:./.");
  await deploy("./.:./lib");
  await assert.rejects(deploy("./lib:./."), { rawMessage: /_F_SYS_PATH: .\/.:.\/lib → .\/lib:.\/./ });
});

test("tasks that are meant to be started are listed apart", async (t) => {
  const { transport } = await served(t, taskService);
  const tasks = createClient(TaskService, transport);
  for (const [name, isEntrypoint] of [
    ["env.main", true],
    ["env.part", false],
  ] as const)
    await tasks.deployTask({ taskId: id(name, "v1"), spec: spec(name, { isEntrypoint }) });
  const names = async (isEntrypoint: boolean) => {
    const filter = { filterBy: { case: "isEntrypoint", value: isEntrypoint } } as const;
    const scopeBy = { case: "projectId", value: projectId } as const;
    const { tasks: found } = await tasks.listTasks({ request: { limit: 9 }, scopeBy, knownFilters: [filter] });
    return found.map(({ taskId }) => taskId?.name);
  };
  assert.deepEqual(await names(true), ["env.main"]);
  assert.deepEqual(await names(false), ["env.part"]);
});
