// Triggers, backfills and notifications as AutomationService tells them.
import type { Backfill } from "../core/backfill.ts";
import type { Notification } from "../core/notification.ts";
import { scheduleText } from "../core/schedule.ts";
import type { Trigger, TriggerKey } from "../core/trigger.ts";
import type { AutomationInit } from "../idl/automation-service.ts";
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
