// Starting a run: with a task that the request brings along, a deployed one, or that of a trigger.
import { toBinary } from "@bufbuild/protobuf";
import type { TriggerName } from "#idl/flyteidl2/common/identifier_pb.js";
import { RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import { RunSource } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { CreateRunRequest } from "#idl/flyteidl2/workflow/run_service_pb.js";
import type { NewRun, Scope } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import type { Run, RunOrigin } from "../core/run.ts";
import { literalsOfInputs } from "../idl/task-files.ts";
import { type CalledTask, deployedTask, inlineTask } from "./called-task.ts";
import { checkCode } from "./code-bundle.ts";
import { type Asking, required, scopeOf, scopeOfProject } from "./identifiers.ts";
import { givenInputs, sentInputs } from "./inputs.ts";
import { rulesOf } from "./notification-rules.ts";
import { checkRunSpec, extrasOf, type RunSpecExtras } from "./run-spec.ts";

export async function createRun(asking: Asking, request: CreateRunRequest): Promise<Run> {
  const { control } = asking.parts;
  const { scope, name } = await placeOf(asking, request);
  await control.projects.check(scope);
  if (request.task.case === "triggerName")
    return firedRun(asking, scope, { name, trigger: request.task.value }, request);
  checkRunSpec(request.runSpec);
  const task = await taskOf(asking, request);
  await checkCode(asking.parts, task.spec);
  const inputs = await givenInputs(asking, task, request.inputWrapper);
  const wanted = newRun(name, task, request, inputs.literals);
  const notify = await rulesOf(asking.parts, scope, request.runSpec);
  const env = { ...tracedBy(asking.headers), ...wanted.origin?.env };
  const origin = { ...wanted.origin, ...repeatable(asking.headers, task), env, notify, context: inputs.context };
  return (await control.createRun(scope, { ...wanted, origin })).run;
}

/**
 * Flyte's client gives each call an id, and repeats the call under it. Under the name of another call's run it wants none.
 * Godwit's own may take up a run by its name, and gives no ids; a proxy before the server might.
 */
function repeatable(headers: Headers, { spec }: CalledTask): { readonly requestId?: string } {
  const requestId = headers.get("x-request-id") ?? "";
  return spec.target.type === "container" && requestId !== "" && requestId.length <= 200 ? { requestId } : {};
}

/** Its tasks go on with the caller's trace, where they look for it: in the variable that OpenTelemetry names. */
function tracedBy(headers: Headers): { readonly TRACEPARENT?: string } {
  const parent = headers.get("traceparent") ?? "";
  return /^[0-9a-f]{2}(-[0-9a-f]+){3}$/.test(parent) && parent.length <= 64 ? { TRACEPARENT: parent } : {};
}

/** As the trigger has it, with what the request says of inputs going before. */
async function firedRun(
  asking: Asking,
  scope: Scope,
  { name, trigger }: { readonly name: string | null; readonly trigger: TriggerName },
  { inputWrapper }: CreateRunRequest,
): Promise<Run> {
  const { control } = asking.parts;
  const which = {
    task: required("trigger_name.task_name", trigger.taskName),
    name: required("trigger_name.name", trigger.name),
  };
  const { content } = await control.triggers.get(scope, which);
  const spec = await control.specOf(content.launch.spec);
  const sent = await sentInputs(asking.parts, inputWrapper);
  const inputs = sent === undefined || spec === null ? {} : literalsOfInputs(sent, spec.interface);
  return (await control.triggers.fire(scope, which, { runName: name, inputs })).run;
}

async function placeOf(
  asking: Asking,
  { id }: CreateRunRequest,
): Promise<{ readonly scope: Scope; readonly name: string | null }> {
  switch (id.case) {
    case "runId":
      return { scope: await scopeOf(asking, id.value), name: id.value.name === "" ? null : id.value.name };
    case "projectId":
      return { scope: await scopeOfProject(asking, id.value), name: null };
    case undefined:
      throw new GodwitError("invalid_argument", "Say where the run belongs: run_id, or project_id for a name made up.");
  }
}

async function taskOf(asking: Asking, { task }: CreateRunRequest): Promise<CalledTask> {
  switch (task.case) {
    case "taskSpec":
      return inlineTask(asking, task.value);
    case "taskId":
      return deployedTask(asking, task.value);
    case "triggerName":
    case undefined:
      throw new GodwitError("invalid_argument", "Say what is to run: task_spec, task_id or trigger_name.");
  }
}

function newRun(name: string | null, task: CalledTask, request: CreateRunRequest, inputs: NewRun["inputs"]): NewRun {
  const { runSpec } = request;
  const extras = extrasOf(runSpec);
  const isOverwriting = (runSpec?.overwriteCache ?? false) || (runSpec?.cacheConfig?.overwriteCache ?? false);
  return {
    name,
    manifest: task.manifest,
    task: task.spec.name,
    inputs,
    source: { file: task.manifest.entry, projectDir: "" },
    overwriteCache: isOverwriting,
    maxConcurrency: extras.maxConcurrency,
    recovers: extras.related?.type === "recover" ? extras.related.run : null,
    labels: runSpec?.labels?.values ?? {},
    origin: originOf(request, task, extras),
  };
}

function originOf({ source, runSpec }: CreateRunRequest, task: CalledTask, extras: RunSpecExtras): Partial<RunOrigin> {
  return {
    source: sources[source] ?? (extras.related?.type === "spawn" ? "spawn" : "cli"),
    taskVersion: task.version,
    ...(task.codeVersion === null ? {} : { codeVersion: task.codeVersion }),
    env: Object.fromEntries((runSpec?.envs?.values ?? []).map(({ key, value }) => [key, value])),
    ...(extras.runStartAtMs === null ? {} : { runStartAtMs: extras.runStartAtMs }),
    related: extras.related,
    rerunActions: extras.rerunActions,
    rawDataPrefix: runSpec?.rawDataStorage?.rawDataPrefix || null,
    message: runSpec === undefined ? null : Buffer.from(toBinary(RunSpecSchema, runSpec)).toString("base64"),
  };
}

/** The Python client does not say. */
const sources: { readonly [source in RunSource]?: RunOrigin["source"] } = {
  [RunSource.WEB]: "web",
  [RunSource.CLI]: "cli",
  [RunSource.SCHEDULE_TRIGGER]: "schedule",
};
