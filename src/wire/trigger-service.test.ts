// Triggers over the protocol, and what our own service tells of them, as a client sees it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { TaskService } from "#idl/flyteidl2/task/task_service_pb.js";
import { TriggerService } from "#idl/flyteidl2/trigger/trigger_service_pb.js";
import { automationMessage } from "../idl/automation-message.ts";
import { AutomationService } from "../idl/automation-service.ts";
import { automationService } from "./automation-service.ts";
import { taskService } from "./task-service.ts";
import { triggerService } from "./trigger-service.ts";
import { served } from "./wire.fixture.ts";

const place = { project: "default", domain: "development" };
const taskId = { org: "", ...place, name: "env.main", version: "v1" };
const name = { org: "", ...place, taskName: "env.main", name: "nightly" };

const spec = create(TaskSpecSchema, {
  shortName: "main",
  taskTemplate: {
    id: { name: "env.main" },
    type: "python",
    interface: {},
    target: { case: "container", value: { image: "i:1", args: ["a0"] } },
  },
});

const schedule = { type: "cron", expression: "0 3 * * *", timeZone: "Europe/Berlin" } as const;
const automationSpec = automationMessage({
  type: "schedule",
  schedule,
  timeInput: null,
  catchUp: "all",
  overlap: "allow",
});

const trigger = (annotations: { readonly [name: string]: string }) => ({
  name: "nightly",
  spec: { active: true, runSpec: { annotations: { values: { ...annotations } } } },
  automationSpec,
});

test("annotations of a trigger's run spec say what becomes of missed and overlapping ticks, and are told back", async (t) => {
  const { transport } = await served(t, (router, parts) => {
    for (const service of [taskService, triggerService, automationService]) service(router, parts);
  });
  const annotations = { "godwit.dev/catch-up": "latest", "godwit.dev/overlap": "queue", team: "a" };
  await createClient(TaskService, transport).deployTask({ taskId, spec, triggers: [trigger(annotations)] });
  const { trigger: details } = await createClient(TriggerService, transport).getTriggerDetails({ name });
  assert.deepEqual(details?.spec?.runSpec?.annotations?.values, annotations);
  const { triggers } = await createClient(AutomationService, transport).listTriggers(place);
  assert.deepEqual(
    triggers.map(({ catchUp, overlap, schedule: when, active }) => [catchUp, overlap, when, active]),
    [["latest", "queue", "0 3 * * * (Europe/Berlin)", true]],
  );
});

test("our own service can be asked in JSON", () => {
  const { output } = AutomationService.method.listTriggers;
  const json = { triggers: [{ name: { task: "env.main" }, nextTick: "2026-03-01T02:00:00Z", catchUp: "all" }] };
  const message = fromJson(output, json);
  assert.deepEqual(toJson(output, message), json);
  assert.equal(message.triggers[0]?.name?.task, "env.main");
});

test("a policy that there is not is refused with those that there are", async (t) => {
  const { transport } = await served(t, (router, parts) => {
    for (const service of [taskService, triggerService]) service(router, parts);
  });
  const deploying = createClient(TaskService, transport).deployTask({
    taskId,
    spec,
    triggers: [trigger({ "godwit.dev/overlap": "jump" })],
  });
  await assert.rejects(deploying, {
    rawMessage: 'The annotation godwit.dev/overlap is one of allow, skip, queue, replace, not "jump".',
  });
});
