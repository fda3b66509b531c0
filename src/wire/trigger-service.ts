// TriggerService: what starts runs by itself, and its revisions.
import type { ConnectRouter } from "@connectrpc/connect";
import type { TriggerName as NameMessage } from "#idl/flyteidl2/common/identifier_pb.js";
import {
  type DeployTriggerRequest,
  type ListTriggersRequest,
  TriggerService,
} from "#idl/flyteidl2/trigger/trigger_service_pb.js";
import type { Scope, TriggerListing, TriggerName } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import type { Trigger } from "../core/trigger.ts";
import { newer, newerField } from "../idl/newer.ts";
import { deployedTask } from "./called-task.ts";
import { pagingOf } from "./filters.ts";
import { type Asking, askingOf, present, required, scopeOf, scopeOfProject } from "./identifiers.ts";
import { inputsRef } from "./inputs.ts";
import type { WireParts } from "./parts.ts";
import { deployTrigger } from "./trigger-deployment.ts";
import { revisionDetails, revisionMessage, triggerDetails, triggerMessage } from "./trigger-messages.ts";

export function triggerService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { triggers } = parts.control;
  router.service(TriggerService, {
    deployTrigger: async (request, context) => {
      const trigger = await deployNamed(asking(context), request);
      return { trigger: await triggerDetails(parts, trigger) };
    },
    getTriggerDetails: async ({ name }, context) => {
      const { scope, trigger } = await named(asking(context), name);
      return { trigger: await triggerDetails(parts, await triggers.get(scope, trigger)) };
    },
    getTriggerRevisionDetails: async ({ id }, context) => {
      const { scope, trigger } = await named(asking(context), id?.name);
      const revision = await triggers.revision(scope, trigger, Number(present("id", id).revision));
      return { trigger: await revisionDetails(parts, revision) };
    },
    listTriggers: async (request, context) => {
      const { scope, listing } = await listingOf(asking(context), request);
      const { items, token } = await triggers.list(scope, listing);
      return { triggers: items.map(triggerMessage), token: token ?? "" };
    },
    getTriggerRevisionHistory: async ({ name, request }, context) => {
      const { scope, trigger } = await named(asking(context), name);
      const { items, token } = await triggers.history(scope, trigger, pagingOf(request));
      return { triggers: items.map(revisionMessage), token: token ?? "" };
    },
    updateTriggers: async ({ names, active }, context) => {
      const { scope, names: wanted } = await allNamed(asking(context), names);
      await triggers.setActive(scope, wanted, active);
      return {};
    },
    deleteTriggers: async ({ names }, context) => {
      const { scope, names: wanted } = await allNamed(asking(context), names);
      await triggers.remove(scope, wanted);
      return {};
    },
  });
}

async function deployNamed(asking: Asking, request: DeployTriggerRequest): Promise<Trigger> {
  const { scope, trigger: name } = await named(asking, request.name);
  const spec = present("spec", request.spec);
  const { project, domain } = scope;
  const task = await deployedTask(asking, { org: "", project, domain, name: name.task, version: spec.taskVersion });
  return deployTrigger(asking, scope, {
    name,
    task,
    inputs: inputsRef(spec.inputs, newerField(spec, newer.triggerSpec.offloadedInputData)),
    isActive: spec.active,
    description: spec.description,
    runSpec: spec.runSpec,
    automation: request.automationSpec,
    expectedRevision: request.revision === 0n ? null : Number(request.revision),
  });
}

type Named = { readonly scope: Scope; readonly trigger: TriggerName };

async function named(asking: Asking, name: NameMessage | undefined): Promise<Named> {
  const wanted = present("name", name);
  const trigger = { task: required("name.task_name", wanted.taskName), name: required("name.name", wanted.name) };
  return { scope: await scopeOf(asking, wanted), trigger };
}

async function allNamed(asking: Asking, names: readonly NameMessage[]) {
  const [first, ...others] = await Promise.all(names.map((name) => named(asking, name)));
  if (first === undefined) throw new GodwitError("invalid_argument", "Say which triggers: names is empty.");
  const { project, domain } = first.scope;
  if (others.some(({ scope }) => scope.project !== project || scope.domain !== domain))
    throw new GodwitError("invalid_argument", "Triggers of one request belong to one project and domain.");
  return { scope: first.scope, names: [first, ...others].map(({ trigger }) => trigger) };
}

async function listingOf(
  asking: Asking,
  { request, scopeBy }: ListTriggersRequest,
): Promise<{ readonly scope: Scope; readonly listing: TriggerListing }> {
  const paging = pagingOf(request);
  switch (scopeBy.case) {
    case "projectId":
      return { scope: await scopeOfProject(asking, scopeBy.value), listing: paging };
    case "taskName":
      return { scope: await scopeOf(asking, scopeBy.value), listing: { ...paging, task: scopeBy.value.name } };
    case "taskId": {
      const { name, version } = scopeBy.value;
      const listing = { ...paging, task: name, ...(version === "" ? {} : { taskVersion: version }) };
      return { scope: await scopeOf(asking, scopeBy.value), listing };
    }
    default:
      throw new GodwitError("invalid_argument", "Say whose triggers: project_id, task_name or task_id.");
  }
}
