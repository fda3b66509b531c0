// Inputs and outputs of an action, as values and as where they lie.
import { fromBinary } from "@bufbuild/protobuf";
import { type Inputs, InputsSchema, type Outputs } from "#idl/flyteidl2/task/common_pb.js";
import { type Action, isSuccess } from "../core/action.ts";
import type { TaskSpec } from "../core/task.ts";
import type { TypedInterface } from "../core/value.ts";
import { inputsMessage, outputsMessage } from "../idl/task-files.ts";
import type { ActionRef } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

/** Of an `inputs.pb` that a client or a task wrote: what one message may have. */
const maxInputsBytes = 32 * 1024 * 1024;

type ActionData = { readonly inputs: Inputs; readonly outputs: Outputs };

/** Outputs are empty as long as there are none. */
export async function actionData(parts: WireParts, { scope, run, action: name }: ActionRef): Promise<ActionData> {
  const { action, spec } = await parts.control.getAction(scope, run, { name });
  const types = interfaceOf(spec);
  const outputs =
    isSuccess(action.phase) && action.outputs !== null ? await parts.control.literals(action.outputs) : {};
  return {
    inputs: await inputsOf(parts, { scope, run, action: name }, action, types),
    outputs: outputsMessage(await parts.storage.exportLiterals(outputs), types),
  };
}

async function inputsOf(parts: WireParts, ref: ActionRef, action: Action, types: TypedInterface): Promise<Inputs> {
  const path = parts.storage.actionInputs({ ...ref.scope, run: ref.run, action: ref.action });
  const bytes = await parts.storage.readOptional(path, maxInputsBytes);
  if (bytes !== null) return fromBinary(InputsSchema, bytes);
  return inputsMessage(await parts.storage.exportLiterals(await parts.control.literals(action.inputs)), types);
}

export async function actionDataUris(parts: WireParts, { scope, run, action: name }: ActionRef) {
  const { action, spec } = await parts.control.getAction(scope, run, { name });
  const place = { ...scope, run, action: name };
  const inputs = await parts.control.literals(action.inputs);
  const inputsUri = await parts.storage.ensureActionInputs(place, inputs, interfaceOf(spec));
  return { inputsUri, outputsUri: (await outputsPath(parts, { ...place }, action, spec)) ?? "" };
}

type Place = { readonly project: string; readonly domain: string; readonly run: string; readonly action: string };

/** Where `outputs.pb` lies, written if it was missing; null unless it has succeeded. Tasks: the directory. Traces: the file. */
export async function outputsPath(
  { control, storage }: Pick<WireParts, "control" | "storage">,
  place: Place,
  action: Action,
  spec: TaskSpec | null,
): Promise<string | null> {
  if (!isSuccess(action.phase) || action.outputs === null || action.type === "condition") return null;
  const { outputs } = action;
  // Read only if the file is missing: of a parent that starts again all children are told once more.
  const literals = () => control.literals(outputs);
  const attempt = Math.max(action.attempt, 1);
  if (action.type === "trace") return storage.ensureTraceOutputs(place, literals);
  return storage.ensureOutputs({ ...place, attempt }, literals, interfaceOf(spec));
}

const interfaceOf = (spec: TaskSpec | null): TypedInterface => spec?.interface ?? { inputs: [], outputs: [] };
