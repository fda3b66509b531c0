// Calls that come one by one and over the network, from parents that speak a protocol of other SDKs: each names its
// parent, and brings along what to call.
import { toPayload } from "../blob/payload.ts";
import { type Action, isTerminal } from "../core/action.ts";
import { hashInputs } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import { hashParts } from "../core/hash.ts";
import type { Call } from "../core/messages.ts";
import { taskIdentity } from "../core/names.ts";
import { interfaceHash } from "../core/task.ts";
import { hashLiterals } from "../core/value.ts";
import type { Enqueued, Scope } from "./answers.ts";
import { call } from "./calls.ts";
import type { Parts } from "./parts.ts";
import { getRun } from "./runs.ts";

/** The action that stands under that name from now on. Once, however often it is asked for. */
export async function enqueue(
  parts: Parts,
  scope: Scope,
  { run: runName, parent: parentName }: { readonly run: string; readonly parent: string },
  enqueued: Enqueued,
): Promise<Action> {
  const run = await getRun(parts, scope, runName);
  const [parent] = await parts.store.actions([{ run: run.id, name: parentName }]);
  if (parent === undefined)
    throw new GodwitError(
      "not_found",
      `The run ${runName} has no action ${parentName} that could call ${enqueued.name}.`,
    );
  if (run.abortReason !== null) throw new GodwitError("aborted", `The run ${runName} is aborted: ${run.abortReason}`);
  if (isTerminal(parent.phase))
    throw new GodwitError(
      "aborted",
      `The action ${parentName} of ${runName} has ended (${parent.phase}); nothing can be called on its behalf.`,
    );
  const caller = { run: run.id, action: parentName, attempt: parent.attempt };
  const [answer] = await call(parts, caller, [await callOf(parts, enqueued)]);
  if (answer !== undefined && "refused" in answer) throw new GodwitError("invalid_argument", answer.refused.message);
  const [action] = await parts.store.actions([{ run: run.id, name: enqueued.name }]);
  if (action === undefined) throw new GodwitError("internal", `The call ${enqueued.name} was made and is not there.`);
  return action;
}

async function callOf({ blobs }: Parts, enqueued: Enqueued): Promise<Call> {
  const { name } = enqueued;
  switch (enqueued.type) {
    case "task": {
      const { spec, inputs, group } = enqueued;
      return {
        type: "task",
        name,
        isNamed: false,
        task: spec.name,
        spec,
        overrides: {},
        group,
        identity: taskIdentity(spec.name, interfaceHash(spec.interface)),
        inputs: await toPayload(inputs, blobs),
        inputsHash: hashLiterals(inputs),
        inputHashes: hashInputs(inputs),
      };
    }
    case "trace": {
      const { label, startedAtMs, endedAtMs, outputs, error } = enqueued;
      return {
        type: "trace",
        name,
        label,
        // The name follows from what was traced and from its inputs.
        identity: hashParts("trace", label),
        inputsHash: "",
        result: {
          startedAtMs,
          endedAtMs,
          outputs: outputs === null ? null : await toPayload(outputs, blobs),
          error,
        },
      };
    }
    case "condition":
      return {
        type: "condition",
        name,
        label: enqueued.condition.name,
        identity: hashParts("condition", enqueued.condition.name),
        condition: enqueued.condition,
      };
  }
}
