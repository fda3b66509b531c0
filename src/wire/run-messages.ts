// Runs as the protocol shows them: a run is its root action, with labels and with what was said at its start.
import { create, fromBinary } from "@bufbuild/protobuf";
import { type RunSpec, RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import {
  type RunDetails,
  RunDetailsSchema,
  type Run as RunMessage,
  RunSchema,
} from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { Scope } from "../control/control.ts";
import { rootName } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { newer, setLabels, setNewerField, taskSpecSources } from "../idl/newer.ts";
import { actionDetailsMessage, actionMessage } from "./action-messages.ts";
import type { WireParts } from "./parts.ts";

/** In their order. */
export async function runMessages({ control }: WireParts, runs: readonly Run[]): Promise<RunMessage[]> {
  const roots = new Map((await control.roots(runs)).map((root) => [root.action.run, root]));
  return runs.flatMap((run) => {
    const root = roots.get(run.id);
    if (root === undefined) return [];
    const message = create(RunSchema, { action: actionMessage({ run, ...root }) });
    return [setLabels(message, run.labels)];
  });
}

export async function runDetails({ control }: WireParts, scope: Scope, run: Run): Promise<RunDetails> {
  const root = await control.getAction(scope, run.name, { name: rootName });
  return create(RunDetailsSchema, { runSpec: runSpecMessage(run), action: actionDetailsMessage(run, root) });
}

/** As the client sent it, and with where the task came from: who runs it again has to know. */
function runSpecMessage({ origin, labels }: Run): RunSpec {
  const message =
    origin.message === null
      ? create(RunSpecSchema, {
          labels: { values: { ...labels } },
          envs: { values: Object.entries(origin.env).map(([key, value]) => ({ key, value })) },
        })
      : fromBinary(RunSpecSchema, Buffer.from(origin.message, "base64"));
  const source = origin.taskVersion === null ? taskSpecSources.ephemeral : taskSpecSources.deployed;
  return setNewerField(message, newer.runSpec.taskSpecSource, source);
}
