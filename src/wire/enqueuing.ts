// What a parent calls, as ActionsService.Enqueue and QueueService.EnqueueAction say it, in the words of control.
//
// R1  The child's inputs are where the parent has put them before it asks.
// R2  A trace has ended when it is told of; its outputs, or its error, lie where the parent has put them.
import type { ActionIdentifier } from "#idl/flyteidl2/common/identifier_pb.js";
import type { ConditionAction, TaskAction, TraceAction } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { Enqueued } from "../control/control.ts";
import type { ActionError } from "../core/action.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import { containerErrorOf } from "../idl/error-message.ts";
import { interfaceOf } from "../idl/interface-message.ts";
import { phaseOf } from "../idl/phase-message.ts";
import { contextOf, inputsBytes, literalsOfInputs, outputsOf } from "../idl/task-files.ts";
import { msOfTimestamp } from "../idl/time-message.ts";
import { inlineTask } from "./called-task.ts";
import { conditionOf } from "./conditions.ts";
import { type ActionRef, type Asking, actionRef, present, required } from "./identifiers.ts";
import { inputsMessageOf } from "./inputs.ts";
import type { WireParts } from "./parts.ts";

/** What both services' requests say. */
export type EnqueueFields = {
  readonly actionId?: ActionIdentifier;
  readonly parentActionName?: string;
  readonly inputUri: string;
  readonly group: string;
  readonly spec:
    | { readonly case: "task"; readonly value: TaskAction }
    | { readonly case: "trace"; readonly value: TraceAction }
    | { readonly case: "condition"; readonly value: ConditionAction }
    | { readonly case: undefined; readonly value?: undefined };
};

export async function enqueue(asking: Asking, fields: EnqueueFields): Promise<void> {
  const ref = await actionRef(asking, fields.actionId);
  const parent = required("parent_action_name", fields.parentActionName ?? "");
  const call = await calledBy(asking, ref, fields);
  await asking.parts.control.enqueue(ref.scope, ref.run, parent, call);
}

async function calledBy(asking: Asking, ref: ActionRef, { spec, inputUri, group }: EnqueueFields): Promise<Enqueued> {
  const name = ref.action;
  switch (spec.case) {
    case "task": {
      const task = await inlineTask(asking, present("task.spec", spec.value.spec));
      const inputs = await childInputs(asking.parts, ref, task.spec, required("input_uri", inputUri));
      return { type: "task", name, spec: task.spec, inputs, group: group === "" ? null : group };
    }
    case "trace":
      return { type: "trace", name, ...(await tracedBy(asking.parts, ref, spec.value)) };
    case "condition":
      return {
        type: "condition",
        name,
        condition: conditionOf(spec.value, () =>
          asking.parts.links.answer(asking.headers, { ...ref.scope, run: ref.run, action: name }),
        ),
      };
    case undefined:
      throw new GodwitError("invalid_argument", "Say what is called: a task, a trace or a condition.");
  }
}

/** R1. Files that lie in the parent's working directory are brought along: it goes when the parent's attempt ends. */
async function childInputs(
  { storage }: WireParts,
  { scope, run, action }: ActionRef,
  { interface: types }: TaskSpec,
  uri: string,
): Promise<Literals> {
  const place = { ...scope, run, action };
  const message = inputsMessageOf(await storage.readInputs(uri));
  const literals = literalsOfInputs(message, types);
  const kept = await storage.keepLiterals(literals, storage.actionFiles(place));
  if (kept !== literals) await storage.writeActionInputs(place, inputsBytes(kept, types, contextOf(message)));
  return kept;
}

type Traced = Omit<Extract<Enqueued, { readonly type: "trace" }>, "type" | "name">;

async function tracedBy(parts: WireParts, ref: ActionRef, trace: TraceAction): Promise<Traced> {
  const phase = phaseOf(trace.phase);
  const times = {
    label: required("trace.name", trace.name),
    startedAtMs: msOfTimestamp(present("trace.start_time", trace.startTime)),
    endedAtMs: msOfTimestamp(present("trace.end_time", trace.endTime)),
  };
  if (phase === "succeeded") return { ...times, outputs: await tracedOutputs(parts, trace), error: null };
  if (phase === "failed") return { ...times, outputs: null, error: await tracedError(parts, ref, trace) };
  throw new GodwitError("invalid_argument", `A trace is told of when it has succeeded or failed, and not as ${phase}.`);
}

async function tracedOutputs({ storage }: WireParts, { outputs, spec }: TraceAction): Promise<Literals> {
  const uri = outputs?.outputUri ?? "";
  // It returned nothing.
  if (uri === "") return {};
  const bytes = await storage.readInputs(uri);
  return ofCaller(() => outputsOf(bytes, interfaceOf(spec?.interface)));
}

/** Bytes that are no message were the parent's to write, and none of ours that got lost. */
function ofCaller<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "data_loss") throw error;
    throw new GodwitError("invalid_argument", error.message, { cause: error });
  }
}

/** The message has no field for it: it lies beside the inputs, if the trace declares outputs. */
async function tracedError(
  { storage }: WireParts,
  { scope, run, action }: ActionRef,
  trace: TraceAction,
): Promise<ActionError> {
  const bytes = await storage.readTraceError({ ...scope, run, action });
  if (bytes !== null) return ofCaller(() => containerErrorOf(bytes));
  return {
    code: "Unknown",
    message: `The trace "${trace.name}" failed, and its process did not say why.`,
    kind: "user",
    recoverable: true,
    stack: null,
    location: null,
    origin: null,
  };
}
