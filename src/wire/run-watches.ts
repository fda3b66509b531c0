// Watching runs: each stream tells what there is, and then what changes.
import type { ServiceImpl } from "@connectrpc/connect";
import type { ActionIdentifier } from "#idl/flyteidl2/common/identifier_pb.js";
import type { RunService } from "#idl/flyteidl2/workflow/run_service_pb.js";
import { rootName } from "../core/names.ts";
import { actionFilter, countsMessage } from "./action-filter.ts";
import { actionDetailsMessage, actionMessage } from "./action-messages.ts";
import { type Asking, actionRef, type askingOf, runRef } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";
import { watchGroups } from "./run-groups.ts";
import { watchedRuns } from "./run-listing.ts";
import { runDetails, runMessages } from "./run-messages.ts";

type Watches = Pick<
  ServiceImpl<typeof RunService>,
  "watchRunDetails" | "watchActionDetails" | "watchActions" | "watchRuns" | "watchGroups" | "watchClusterEvents"
>;

export const runWatches = (parts: WireParts, asking: ReturnType<typeof askingOf>): Watches => ({
  async *watchRunDetails({ runId }, context) {
    const { scope, run: name } = await runRef(asking(context), runId);
    for await (const _ of parts.control.watchAction(scope, name, { name: rootName }, context.signal))
      yield { details: await runDetails(parts, scope, await parts.control.getRun(scope, name)) };
  },
  async *watchActionDetails({ actionId }, context) {
    const { scope, run, action } = await actionRef(asking(context), actionId);
    for await (const view of parts.control.watchAction(scope, run, { name: action }, context.signal))
      yield { details: actionDetailsMessage(await parts.control.getRun(scope, run), view) };
  },
  async *watchActions({ runId, filter }, context) {
    const { scope, run: name } = await runRef(asking(context), runId);
    const fits = actionFilter(filter);
    for await (const { run, actions } of parts.control.watchRun(scope, name, context.signal)) {
      const shown = await parts.control.describe(actions);
      const counts = await parts.control.childCounts(
        run,
        shown.filter(({ action }) => action.type === "task").map(({ action }) => action.name),
      );
      if (shown.length === 0) continue;
      yield {
        enrichedActions: shown.map((each) => ({
          action: actionMessage({ run, ...each }),
          meetsFilter: fits(each),
          childrenPhaseCounts: countsMessage(counts.get(each.action.name) ?? {}),
        })),
      };
    }
  },
  async *watchRuns({ target }, context) {
    const { scope, wanted } = await watchedRuns(asking(context), target);
    for await (const update of parts.control.watchRuns(scope, wanted, context.signal))
      if (update.type === "runs") yield { runs: await runMessages(parts, update.runs) };
  },
  async *watchGroups(request, context) {
    yield* watchGroups(asking(context), request, context.signal);
  },
  watchClusterEvents: ({ id }, context) => noEvents(parts, asking(context), id),
});

/** What happens to an attempt here is in its phases: there is no cluster that would have more to say. */
async function* noEvents(parts: WireParts, asking: Asking, id: ActionIdentifier | undefined): AsyncIterable<never> {
  const { scope, run, action } = await actionRef(asking, id);
  await parts.control.getAction(scope, run, { name: action });
  yield* [];
}
