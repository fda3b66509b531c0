// AutomationService, our own: what the protocol has no calls for. What triggers will do and have done, backfills, and
// who is told of the ends of runs.
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { Scope, TriggerName } from "../control/control.ts";
import { type AutomationMessage, AutomationService } from "../idl/automation-service.ts";
import { projectRuleOf, ruleMessage } from "../idl/notification-message.ts";
import { msOfTimestamp } from "../idl/time-message.ts";
import { backfillMessage, noticeMessage, tickMessage, triggerMessage } from "./automation-messages.ts";
import { type Paging, rowsOf } from "./filters.ts";
import { type Asking, askingOf, present, required, scopeOf } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

/** Ticks that a preview lists where the request does not say. */
const usualTicks = 10;

export function automationService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { triggers } = parts.control;
  router.service(AutomationService, {
    listTriggers: async (request, context) => {
      const scope = await scopeOf(asking(context), request);
      const { task } = request;
      const page = await triggers.list(scope, { ...pagingOf(request), ...(task === "" ? {} : { task }) });
      return {
        triggers: page.items.map((trigger) => triggerMessage(trigger, triggers.nextTickMs(trigger))),
        token: page.token ?? "",
      };
    },
    previewTrigger: async ({ trigger, count, after }, context) => {
      const { scope, name } = await named(asking(context), trigger);
      const ticks = await triggers.preview(scope, name, {
        count: count === 0 ? usualTicks : rowsOf(count),
        ...(after === undefined ? {} : { afterMs: msOfTimestamp(after) }),
      });
      return { ticks: ticks.map(tickMessage) };
    },
    ...backfillCalls(parts, asking),
    ...notificationCalls(parts, asking),
  });
}

type Service = Partial<ServiceImpl<typeof AutomationService>>;
type AskingOf = ReturnType<typeof askingOf>;

const backfillCalls = ({ control: { backfills } }: WireParts, asking: AskingOf): Service => ({
  previewBackfill: async ({ plan, count }, context) => {
    const { scope, name, ...wanted } = await planned(asking(context), plan);
    const listed = count === 0 ? usualTicks : rowsOf(count);
    const { total, first } = await backfills.preview(scope, name, { ...wanted, count: listed });
    return { total, first: first.map(tickMessage) };
  },
  createBackfill: async ({ plan, id }, context) => {
    const { scope, name, ...wanted } = await planned(asking(context), plan);
    const { backfill } = await backfills.create(scope, name, { ...wanted, id: id === "" ? null : id });
    return { backfill: backfillMessage(backfill) };
  },
  getBackfill: async (request, context) => {
    const scope = await scopeOf(asking(context), request);
    return { backfill: backfillMessage(await backfills.get(scope, required("id", request.id))) };
  },
  listBackfills: async (request, context) => {
    const scope = await scopeOf(asking(context), request);
    const { items, token } = await backfills.list(scope, pagingOf(request));
    return { backfills: items.map(backfillMessage), token: token ?? "" };
  },
  abortBackfill: async (request, context) => {
    const scope = await scopeOf(asking(context), request);
    return { backfill: backfillMessage(await backfills.abort(scope, required("id", request.id))) };
  },
});

const notificationCalls = ({ control: { notifications } }: WireParts, asking: AskingOf): Service => ({
  setRules: async (request, context) => {
    const scope = await projectScope(asking(context), request);
    await notifications.setRules(scope, request.rules.map(projectRuleOf));
    return { rules: (await notifications.rules(scope)).map(ruleMessage) };
  },
  listRules: async (request, context) => {
    const scope = await projectScope(asking(context), request);
    return { rules: (await notifications.rules(scope)).map(ruleMessage) };
  },
  listNotifications: async (request, context) => {
    const scope = await scopeOf(asking(context), request);
    const { run } = request;
    const listing = { ...pagingOf(request), ...(run === "" ? {} : { run }) };
    const { items, token } = await notifications.list(scope, listing);
    return { notifications: items.map(noticeMessage), token: token ?? "" };
  },
  retryNotification: async (request, context) => {
    const scope = await scopeOf(asking(context), request);
    const which = { run: required("run", request.run), id: required("id", request.id) };
    return { notification: noticeMessage(await notifications.retry(scope, which)) };
  },
});

async function named(
  asking: Asking,
  message: AutomationMessage<"TriggerName"> | undefined,
): Promise<{ readonly scope: Scope; readonly name: TriggerName }> {
  const trigger = present("trigger", message);
  const name = { task: required("trigger.task", trigger.task), name: required("trigger.name", trigger.name) };
  return { scope: await scopeOf(asking, trigger), name };
}

async function planned(asking: Asking, message: AutomationMessage<"BackfillPlan"> | undefined) {
  const plan = present("plan", message);
  return {
    ...(await named(asking, plan.trigger)),
    fromMs: msOfTimestamp(present("plan.from", plan.from)),
    beforeMs: msOfTimestamp(present("plan.before", plan.before)),
    parallelism: plan.parallelism === 0 ? 1 : plan.parallelism,
    repeats: plan.repeats,
  };
}

/** A domain of "" is all of them. */
async function projectScope(
  { parts, headers }: Asking,
  { project, domain }: { readonly project: string; readonly domain: string },
): Promise<Scope> {
  return { project: required("project", project), domain, caller: await parts.callerOf(headers) };
}

const pagingOf = ({ limit, token }: { readonly limit: number; readonly token: string }): Paging => ({
  limit: rowsOf(limit),
  token: token === "" ? null : token,
});
