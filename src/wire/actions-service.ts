// ActionsService: what the tasks of a run call and hear of. The server itself is told of outcomes by its executors
// alone, so Update and GetLatestState, which other backends' executors use, are not there.
import type { ConnectRouter } from "@connectrpc/connect";
import { ActionsService } from "#idl/flyteidl2/actions/actions_service_pb.js";
import { childUpdates } from "./action-updates.ts";
import { literalValue } from "./conditions.ts";
import { enqueue } from "./enqueuing.ts";
import { actionRef, askingOf, present } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function actionsService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  router.service(ActionsService, {
    enqueue: async ({ action }, context) => {
      await enqueue(asking(context), present("action", action));
      return {};
    },
    async *watchForUpdates({ filter }, context) {
      const ref = await actionRef(asking(context), filter.value, "parent_action_id");
      yield* childUpdates(parts, ref, context.signal);
    },
    abort: async ({ actionId, reason }, context) => {
      const { scope, run, action } = await actionRef(asking(context), actionId);
      await parts.control.abortAction(
        scope,
        run,
        { name: action },
        reason || "Its parent does not wait for it any more.",
      );
      return {};
    },
    signal: async ({ actionId, value }, context) => {
      const { scope, run, action } = await actionRef(asking(context), actionId);
      await parts.control.signal(scope, run, { name: action }, literalValue(present("value", value)));
      return {};
    },
  });
}
