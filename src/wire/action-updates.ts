// What a parent is told of its children: the stream of ActionsService.WatchForUpdates, and of StateService.Watch.
//
// R1  All children that there are, in their last state, then the sentinel, then what changes (contract §4.3). What
//     is told again is harmless; an empty message would be taken for an action without a name.
// R2  Why something failed comes with the phase that says so: a later message with the same phase adds nothing.
// R3  What an output URI names is there when success is told. Before that it is where outputs will be, which
//     keeps the SDK from warning that there is none.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ActionUpdateSchema, WatchResponseSchema } from "#idl/flyteidl2/workflow/state_service_pb.js";
import type { DescribedAction } from "../control/control.ts";
import { type Action, isSuccess, type Phase } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { soleOutput } from "../core/value.ts";
import { executionErrorMessage } from "../idl/error-message.ts";
import { literalMessage } from "../idl/literal-message.ts";
import { phaseMessage } from "../idl/phase-message.ts";
import type { AttemptPlace } from "../storage/storage.ts";
import { outputsPath } from "./action-values.ts";
import { failureOf } from "./failures.ts";
import { type ActionRef, actionIdMessage } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export type UpdateMessage = NonNullable<MessageInitShape<typeof WatchResponseSchema>["message"]>;

/** Children whose outputs are looked for together. */
const atOnce = 50;

export async function* childUpdates(
  parts: WireParts,
  { scope, run, action }: ActionRef,
  signal: AbortSignal,
): AsyncIterable<{ readonly message: UpdateMessage }> {
  for await (const update of parts.control.watchChildren(scope, run, action, signal)) {
    if (update.type === "listed") {
      yield { message: { case: "controlMessage", value: { sentinel: true } } };
      continue;
    }
    const described = await parts.control.describe(update.actions);
    for (let from = 0; from < described.length; from += atOnce) {
      const group = described.slice(from, from + atOnce);
      const values = await Promise.all(group.map((child) => updateOf(parts, { scope, run, action }, child)));
      for (const value of values) yield { message: { case: "actionUpdate", value } };
    }
  }
  // A stream that ends is taken up again; one that is cancelled is not.
  throw new GodwitError("unavailable", "The watch has been stopped here. Ask again.");
}

async function updateOf(
  parts: WireParts,
  { scope, run }: ActionRef,
  { action, spec }: DescribedAction,
): Promise<MessageInitShape<typeof ActionUpdateSchema>> {
  const place = { project: scope.project, domain: scope.domain, run, action: action.name };
  const failure = failureOf(action, spec?.timeouts ?? null);
  const outputUri = (await outputsPath(parts, place, action, spec)) ?? comingOutputs(parts, place, action);
  const isAnswered = action.type === "condition" && isSuccess(action.phase) && action.outputs !== null;
  const answer = isAnswered ? (await parts.control.literals(action.outputs))[soleOutput] : undefined;
  return {
    actionId: actionIdMessage({ ...scope, name: run }, action.name),
    phase: phaseMessage(action.phase),
    outputUri,
    ...(isTold(action.phase) && failure !== null ? { error: executionErrorMessage(failure) } : {}),
    ...(answer === undefined ? {} : { value: literalMessage(answer, null) }),
  };
}

function comingOutputs(
  { storage }: WireParts,
  place: Omit<AttemptPlace, "attempt">,
  { type, attempt }: Action,
): string {
  return type === "task" ? storage.attempt({ ...place, attempt: Math.max(attempt, 1) }).dir : "";
}

const isTold = (phase: Phase): boolean => phase === "failed" || phase === "aborted" || phase === "timed_out";
