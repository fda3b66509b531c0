// Triggers, backfills and notifications as AutomationService tells them.
import type { Backfill } from "../core/backfill.ts";
import { GodwitError } from "../core/error.ts";
import { type Notification, type ProjectRule, toldPhases, webhookMethods } from "../core/notification.ts";
import { scheduleText } from "../core/schedule.ts";
import type { Trigger, TriggerKey } from "../core/trigger.ts";
import type { AutomationInit, AutomationMessage } from "../idl/automation-service.ts";
import { timestampOfMs } from "../idl/time-message.ts";

const moment = (atMs: number | null | undefined) => (atMs == null ? undefined : timestampOfMs(atMs));

const nameMessage = ({ project, domain, task, name }: TriggerKey): AutomationInit<"TriggerName"> => ({
  project,
  domain,
  task,
  name,
});

export function triggerMessage(trigger: Trigger, nextTickMs: number | null): AutomationInit<"Trigger"> {
  const { content, lastRun, passedOver } = trigger;
  const { automation } = content;
  const scheduled = automation.type === "schedule" ? automation : null;
  return {
    name: nameMessage(trigger),
    revision: trigger.revision,
    active: trigger.isActive,
    description: content.description,
    schedule: scheduled === null ? "" : scheduleText(scheduled.schedule),
    timeInput: scheduled?.timeInput ?? "",
    catchUp: scheduled?.catchUp ?? "",
    overlap: scheduled?.overlap ?? "",
    taskVersion: content.launch.origin.taskVersion ?? "",
    nextTick: moment(nextTickMs),
    lastRun: lastRun?.name ?? "",
    lastTick: moment(lastRun?.scheduledAtMs),
    waiting: trigger.waiting.length,
    skipped: trigger.skipped,
    passedOver:
      passedOver === null
        ? undefined
        : { from: timestampOfMs(passedOver.fromMs), until: timestampOfMs(passedOver.untilMs) },
    problem: trigger.problem ?? "",
  };
}

type Tick = { readonly atMs: number; readonly runName: string; readonly exists?: boolean };

export const tickMessage = ({ atMs, runName, exists = false }: Tick): AutomationInit<"Tick"> => ({
  at: timestampOfMs(atMs),
  run: runName,
  exists,
});

export function backfillMessage(backfill: Backfill): AutomationInit<"Backfill"> {
  const { id, revision, phase, counts, active, createdBy, parallelism, repeats } = backfill;
  return {
    id,
    plan: {
      trigger: nameMessage(backfill),
      from: timestampOfMs(backfill.fromMs),
      before: timestampOfMs(backfill.beforeMs),
      parallelism,
      repeats,
    },
    revision,
    phase,
    ...counts,
    active: active.map(({ name }) => name),
    createdAt: timestampOfMs(backfill.createdAtMs),
    createdBy,
    endedAt: moment(backfill.endedAtMs),
    problem: backfill.problem ?? "",
  };
}

export const ruleMessage = ({ name, phases, target, isForAll }: ProjectRule): AutomationInit<"NotificationRule"> => ({
  name,
  phases: [...phases],
  url: target.url,
  method: target.method,
  headers: Object.entries(target.headers).map(([header, value]) => ({ name: header, value })),
  body: target.body ?? "",
  byNameOnly: !isForAll,
});

export function projectRuleOf(message: AutomationMessage<"NotificationRule">): ProjectRule {
  const { name, url, body, headers, byNameOnly } = message;
  if (name === "") throw new GodwitError("invalid_argument", "Each rule for notifications has a name.");
  return {
    name,
    phases: message.phases.map((phase) => oneOf(phase, toldPhases, "A run ends in")),
    target: {
      url,
      method: message.method === "" ? "POST" : oneOf(message.method, webhookMethods, "A webhook is called with"),
      headers: Object.fromEntries(headers.map(({ name: header, value }) => [header, value])),
      body: body === "" ? null : body,
    },
    isForAll: !byNameOnly,
  };
}

function oneOf<T extends string>(text: string, known: readonly T[], what: string): T {
  const found = known.find((each) => each === text);
  if (found !== undefined) return found;
  throw new GodwitError("invalid_argument", `${what} ${known.join(", ")}, not ${JSON.stringify(text)}.`);
}

export const noticeMessage = (notice: Notification): AutomationInit<"Notification"> => ({
  id: notice.id,
  run: notice.run.name,
  phase: notice.phase,
  url: notice.request.url,
  state: notice.state,
  tries: notice.tries,
  problem: notice.problem ?? "",
  createdAt: timestampOfMs(notice.createdAtMs),
  deliveredAt: moment(notice.deliveredAtMs),
});
