// QueueService and StateService: the names under which older SDKs find what ActionsService does.
import type { ConnectRouter } from "@connectrpc/connect";
import { QueueService } from "#idl/flyteidl2/workflow/queue_service_pb.js";
import { StateService } from "#idl/flyteidl2/workflow/state_service_pb.js";
import { childUpdates } from "./action-updates.ts";
import { enqueue } from "./enqueuing.ts";
import { actionRef, askingOf, runRef } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

const givenUp = "Its parent does not wait for it any more.";

export function queueServices(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  router.service(QueueService, {
    enqueueAction: async (request, context) => {
      await enqueue(asking(context), request);
      return {};
    },
    abortQueuedRun: async ({ runId, reason }, context) => {
      const { scope, run } = await runRef(asking(context), runId);
      await parts.control.abortRun(scope, run, reason || givenUp);
      return {};
    },
    abortQueuedAction: async ({ actionId, reason }, context) => {
      const { scope, run, action } = await actionRef(asking(context), actionId);
      await parts.control.abortAction(scope, run, { name: action }, reason || givenUp);
      return {};
    },
  });
  router.service(StateService, {
    async *watch({ filter }, context) {
      const ref = await actionRef(asking(context), filter.value, "parent_action_id");
      yield* childUpdates(parts, ref, context.signal);
    },
  });
}
