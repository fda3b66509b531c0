// RunService: starting, ending, reading and listing runs and their actions. Watching them: run-watches.ts.
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { RunService } from "#idl/flyteidl2/workflow/run_service_pb.js";
import type { Scope } from "../control/control.ts";
import { SignalEventService } from "../idl/newer.ts";
import { actionDetailsMessage, actionMessage } from "./action-messages.ts";
import { actionData, actionDataUris } from "./action-values.ts";
import { signalValue } from "./conditions.ts";
import { actionRef, askingOf, runRef } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";
import { createRun } from "./run-creation.ts";
import { actionListingOf, runListingOf } from "./run-listing.ts";
import { runDetails, runMessages } from "./run-messages.ts";
import { runWatches } from "./run-watches.ts";

type Service = Partial<ServiceImpl<typeof RunService>>;
type AskingOf = ReturnType<typeof askingOf>;

export function runService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  router.service(RunService, { ...commands(parts, asking), ...reads(parts, asking), ...runWatches(parts, asking) });
  router.rpc(SignalEventService.method.signalEvent, async ({ actionId, payload }, context) => {
    const { scope, run, action } = await actionRef(asking(context), actionId);
    await parts.control.signal(scope, run, { name: action }, signalValue(payload));
    return {};
  });
}

const commands = (parts: WireParts, asking: AskingOf): Service => ({
  createRun: async (request, context) => {
    const run = await createRun(asking(context), request);
    const [message] = await runMessages(parts, [run]);
    return message === undefined ? {} : { run: message };
  },
  abortRun: async ({ runId, reason }, context) => {
    const { scope, run } = await runRef(asking(context), runId);
    await parts.control.abortRun(scope, run, reason || abortedBy(scope));
    return {};
  },
  abortAction: async ({ actionId, reason }, context) => {
    const { scope, run, action } = await actionRef(asking(context), actionId);
    await parts.control.abortAction(scope, run, { name: action }, reason || abortedBy(scope));
    return {};
  },
});

const abortedBy = ({ caller }: Scope): string => `Aborted by ${caller}.`;

const reads = (parts: WireParts, asking: AskingOf): Service => ({
  getRunDetails: async ({ runId }, context) => {
    const { scope, run: name } = await runRef(asking(context), runId);
    return { details: await runDetails(parts, scope, await parts.control.getRun(scope, name)) };
  },
  getActionDetails: async ({ actionId }, context) => {
    const { scope, run, action } = await actionRef(asking(context), actionId);
    const view = await parts.control.getAction(scope, run, { name: action });
    return { details: actionDetailsMessage(await parts.control.getRun(scope, run), view) };
  },
  getActionData: async ({ actionId }, context) => actionData(parts, await actionRef(asking(context), actionId)),
  getActionDataURIs: async ({ actionId }, context) => actionDataUris(parts, await actionRef(asking(context), actionId)),
  listRuns: async (request, context) => {
    const { scope, listing, isShown } = await runListingOf(asking(context), request);
    const { items, token } = await parts.control.listRuns(scope, listing);
    return { runs: await runMessages(parts, items.filter(isShown)), token: token ?? "" };
  },
  listActions: async ({ request, runId }, context) => {
    const { scope, run: name } = await runRef(asking(context), runId);
    const { listing, isShown } = actionListingOf(request);
    const run = await parts.control.getRun(scope, name);
    const { items, token } = await parts.control.listActions(scope, name, listing);
    const shown = await parts.control.describe(items.filter(isShown));
    return { actions: shown.map((each) => actionMessage({ run, ...each })), token: token ?? "" };
  },
});
