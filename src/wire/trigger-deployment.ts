// A trigger that is deployed, by itself or together with its task.
import { toBinary } from "@bufbuild/protobuf";
import type { TriggerAutomationSpec } from "#idl/flyteidl2/task/common_pb.js";
import { type RunSpec, RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import type { Scope, TriggerName } from "../control/control.ts";
import type { Trigger } from "../core/trigger.ts";
import { automationOf } from "../idl/automation-message.ts";
import type { CalledTask } from "./called-task.ts";
import type { Asking } from "./identifiers.ts";
import { givenInputs, type InputsRef } from "./inputs.ts";
import { rulesOf } from "./notification-rules.ts";
import { checkRunSpec, extrasOf } from "./run-spec.ts";

export type TriggerDeployment = {
  readonly name: TriggerName;
  readonly task: CalledTask;
  readonly inputs: InputsRef;
  readonly isActive: boolean;
  readonly description: string;
  readonly runSpec: RunSpec | undefined;
  readonly automation: TriggerAutomationSpec | undefined;
  readonly expectedRevision: number | null;
};

export async function deployTrigger(asking: Asking, scope: Scope, deployment: TriggerDeployment): Promise<Trigger> {
  const { name, task, runSpec, isActive, description, expectedRevision } = deployment;
  checkRunSpec(runSpec);
  const automation = automationOf(deployment.automation, runSpec?.annotations?.values ?? {});
  const timeInput = automation.type === "schedule" ? automation.timeInput : null;
  const { literals } = await givenInputs(asking, task, deployment.inputs, timeInput);
  const { maxConcurrency } = extrasOf(runSpec);
  const { trigger } = await asking.parts.control.triggers.deploy(scope, {
    ...name,
    description,
    automation,
    inputs: literals,
    isActive,
    expectedRevision,
    manifest: task.manifest,
    source: { file: task.manifest.entry, projectDir: "" },
    taskVersion: task.version,
    overwriteCache: (runSpec?.overwriteCache ?? false) || (runSpec?.cacheConfig?.overwriteCache ?? false),
    ...(maxConcurrency === null ? {} : { maxConcurrency }),
    labels: runSpec?.labels?.values ?? {},
    env: Object.fromEntries((runSpec?.envs?.values ?? []).map(({ key, value }) => [key, value])),
    notify: await rulesOf(asking.parts, scope, runSpec),
    ...(runSpec === undefined ? {} : { message: Buffer.from(toBinary(RunSpecSchema, runSpec)).toString("base64") }),
  });
  return trigger;
}
