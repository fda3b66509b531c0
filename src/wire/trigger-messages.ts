// Triggers as the protocol shows them.
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type RunSpec, RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import {
  type TriggerDetailsSchema,
  TriggerRevisionAction,
  type TriggerRevisionSchema,
  type TriggerSchema,
  type TriggerSpecSchema,
} from "#idl/flyteidl2/trigger/trigger_definition_pb.js";
import type { Trigger, TriggerContent, TriggerKey, TriggerRevision } from "../core/trigger.ts";
import { type Annotations, annotationsOf, automationMessage } from "../idl/automation-message.ts";
import { inputsMessage } from "../idl/task-files.ts";
import { timestampOfMs } from "../idl/time-message.ts";
import { identityMessage } from "./identity-message.ts";
import type { WireParts } from "./parts.ts";

const idMessage = ({ project, domain, task, name, revision }: TriggerKey & { readonly revision: number }) => ({
  name: { org: "", project, domain, name, taskName: task },
  revision: BigInt(revision),
});

export const triggerMessage = (trigger: Trigger): MessageInitShape<typeof TriggerSchema> => ({
  id: idMessage(trigger),
  metadata: { deployedBy: identityMessage(trigger.deployedBy), updatedBy: identityMessage(trigger.updatedBy) },
  status: statusMessage(trigger),
  active: trigger.isActive,
  automationSpec: automationMessage(trigger.content.automation),
});

function statusMessage({ deployedAtMs, updatedAtMs, lastRun }: Trigger) {
  return {
    deployedAt: timestampOfMs(deployedAtMs),
    updatedAt: timestampOfMs(updatedAtMs),
    ...(lastRun?.scheduledAtMs == null ? {} : { triggeredAt: timestampOfMs(lastRun.scheduledAtMs) }),
  };
}

export const triggerDetails = async (
  parts: WireParts,
  trigger: Trigger,
): Promise<MessageInitShape<typeof TriggerDetailsSchema>> => ({
  id: idMessage(trigger),
  metadata: { deployedBy: identityMessage(trigger.deployedBy), updatedBy: identityMessage(trigger.updatedBy) },
  status: statusMessage(trigger),
  ...(await contentMessage(parts, trigger.content, trigger.isActive)),
});

export const revisionDetails = async (
  parts: WireParts,
  revision: TriggerRevision,
): Promise<MessageInitShape<typeof TriggerDetailsSchema>> => ({
  id: idMessage(revision),
  metadata: { updatedBy: identityMessage(revision.by) },
  status: { updatedAt: timestampOfMs(revision.atMs) },
  ...(await contentMessage(parts, revision.content, revision.isActive)),
});

async function contentMessage(parts: WireParts, content: TriggerContent, isActive: boolean) {
  const { description, automation } = content;
  return {
    description,
    automationSpec: automationMessage(automation),
    spec: await specMessage(parts, content, isActive),
  };
}

async function specMessage(
  { control, storage }: WireParts,
  { inputs, launch, description, automation }: TriggerContent,
  active: boolean,
): Promise<MessageInitShape<typeof TriggerSpecSchema>> {
  const literals = await storage.exportLiterals(await control.literals(inputs));
  const types = (await control.specOf(launch.spec))?.interface ?? { inputs: [], outputs: [] };
  return {
    active,
    description,
    inputs: inputsMessage(literals, types),
    taskVersion: launch.origin.taskVersion ?? "",
    runSpec: runSpecOf(launch.origin.message, annotationsOf(automation)),
  };
}

/** As it came; of a trigger that did not come as a message, with what is said by annotations. */
const runSpecOf = (message: string | null | undefined, annotations: Annotations): RunSpec =>
  message == null
    ? create(RunSpecSchema, Object.keys(annotations).length === 0 ? {} : { annotations: { values: annotations } })
    : fromBinary(RunSpecSchema, Buffer.from(message, "base64"));

const actions = {
  deploy: TriggerRevisionAction.DEPLOY,
  activate: TriggerRevisionAction.ACTIVATE,
  deactivate: TriggerRevisionAction.DEACTIVATE,
  delete: TriggerRevisionAction.DELETE,
} as const;

export const revisionMessage = (revision: TriggerRevision): MessageInitShape<typeof TriggerRevisionSchema> => ({
  id: idMessage(revision),
  metadata: { updatedBy: identityMessage(revision.by) },
  status: {},
  action: actions[revision.action],
  createdAt: timestampOfMs(revision.atMs),
});
