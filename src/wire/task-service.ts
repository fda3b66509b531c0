// TaskService: tasks that are deployed, by name and version.
import { clone, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { Filter_Function } from "#idl/flyteidl2/common/list_pb.js";
import {
  type TaskMetadataSchema,
  type TaskSchema,
  type TaskSpec,
  TaskSpecSchema,
} from "#idl/flyteidl2/task/task_definition_pb.js";
import { type DeployTaskRequest, type ListTasksRequest, TaskService } from "#idl/flyteidl2/task/task_service_pb.js";
import type { TaskListing, TaskVersion } from "../control/control.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { newer, newerField } from "../idl/newer.ts";
import { taskSpecMessage } from "../idl/task-spec-message.ts";
import { timestampOfMs } from "../idl/time-message.ts";
import { inlineTask } from "./called-task.ts";
import { containedIn, equalTo, orderOf, pagingOf, unknownField } from "./filters.ts";
import { type Asking, askingOf, present, required, scopeOf, scopeOfProject } from "./identifiers.ts";
import { identityMessage } from "./identity-message.ts";
import { inputsRef } from "./inputs.ts";
import type { WireParts } from "./parts.ts";
import { deployTrigger } from "./trigger-deployment.ts";

export function taskService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { tasks } = parts.control;
  router.service(TaskService, {
    deployTask: async (request, context) => {
      await deploy(asking(context), request);
      return {};
    },
    getTaskDetails: async ({ taskId }, context) => {
      const id = present("task_id", taskId);
      const scope = await scopeOf(asking(context), id);
      const task = await tasks.get(scope, required("task_id.name", id.name), id.version === "" ? null : id.version);
      return {
        details: { taskId: taskIdMessage(task), metadata: metadataMessage(task), spec: taskSpecMessage(task.spec) },
      };
    },
    listTasks: async (request, context) => {
      const scope = await scopeOfProject(
        asking(context),
        request.scopeBy.case === "projectId" ? request.scopeBy.value : undefined,
      );
      const { items, token } = await tasks.list(scope, listingOf(request));
      return { tasks: items.map(taskMessage), token: token ?? "" };
    },
    listVersions: async ({ request, taskName }, context) => {
      const { name, ...where } = present("task_name", taskName);
      const scope = await scopeOf(asking(context), where);
      const { items, token } = await tasks.versions(scope, required("task_name.name", name), pagingOf(request));
      return {
        versions: items.map(({ version, deployedAtMs }) => ({ version, deployedAt: timestampOfMs(deployedAtMs) })),
        token: token ?? "",
      };
    },
  });
}

/** Where the Python SDK's tasks look for modules: the entries of `sys.path` that its client had. */
const importPathsName = "_F_SYS_PATH";

/**
 * The client has some of its paths twice or more, by the way in which it was started, and the same code is of the same
 * version then: it has to be the same spec, too.
 */
function withPathsOnce(message: TaskSpec): TaskSpec {
  const spec = clone(TaskSpecSchema, message);
  const target = spec.taskTemplate?.target;
  if (target?.case !== "container") return spec;
  for (const pair of target.value.env)
    if (pair.key === importPathsName) pair.value = [...new Set(pair.value.split(":"))].join(":");
  return spec;
}

async function deploy(asking: Asking, { taskId, spec: message, triggers }: DeployTaskRequest): Promise<void> {
  const id = present("task_id", taskId);
  const scope = await scopeOf(asking, id);
  const task = await inlineTask(asking, withPathsOnce(present("spec", message)));
  const { spec } = task;
  if (spec.name !== id.name)
    throw new GodwitError(
      "invalid_argument",
      `The task_id names "${id.name}", and the spec is that of "${spec.name}".`,
    );
  const version = required("task_id.version", id.version);
  const isEntrypoint = message?.taskTemplate?.metadata?.isEntrypoint ?? false;
  try {
    await asking.parts.control.tasks.deploy(scope, { version, spec, isEntrypoint });
  } catch (error) {
    // The SDK takes "already_exists" for success, whatever the content.
    if (isGodwitError(error) && error.code === "already_exists")
      throw new GodwitError("failed_precondition", error.message, { cause: error });
    throw error;
  }
  for (const { name, spec: said, automationSpec } of triggers) {
    await deployTrigger(asking, scope, {
      name: { task: spec.name, name: required("triggers.name", name) },
      task: { ...task, version },
      inputs: inputsRef(said?.inputs, newerField(said, newer.taskTriggerSpec.offloadedInputData)),
      isActive: said?.active ?? false,
      description: said?.description ?? "",
      runSpec: said?.runSpec,
      automation: automationSpec,
      expectedRevision: null,
    });
  }
}

const taskFields = ["name"];

function listingOf({ request, knownFilters }: ListTasksRequest): TaskListing {
  const listing: { -readonly [key in keyof TaskListing]: TaskListing[key] } = {
    ...pagingOf(request),
    order: orderOf(request),
  };
  for (const filter of request?.filters ?? []) {
    if (filter.field !== "name" && filter.field !== "task_name") throw unknownField(filter.field, taskFields);
    if (filter.function === Filter_Function.EQUAL) listing.name = equalTo(filter);
    else listing.nameContains = containedIn(filter);
  }
  for (const { filterBy } of knownFilters) {
    if (filterBy.case === "isEntrypoint") listing.isEntrypoint = filterBy.value;
    if (filterBy.case === "deployedBy") listing.deployedBy = filterBy.value;
  }
  return listing;
}

const taskIdMessage = ({ project, domain, name, version }: TaskVersion) => ({
  org: "",
  project,
  domain,
  name,
  version,
});

const taskMessage = (task: TaskVersion): MessageInitShape<typeof TaskSchema> => ({
  taskId: taskIdMessage(task),
  metadata: metadataMessage(task),
});

const metadataMessage = (task: TaskVersion): MessageInitShape<typeof TaskMetadataSchema> => ({
  shortName: task.shortName,
  environmentName: task.environment,
  shortDescription: task.description ?? "",
  deployedAt: timestampOfMs(task.deployedAtMs),
  deployedBy: identityMessage(task.deployedBy),
});
