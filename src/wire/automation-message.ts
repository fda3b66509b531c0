// When a trigger starts runs by itself, in the protocol's words and ours.
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  FixedRateUnit,
  type Schedule as ScheduleMessage,
  type ScheduleSchema,
  type TriggerAutomationSpec,
  type TriggerAutomationSpecSchema,
  TriggerAutomationSpecType,
} from "#idl/flyteidl2/task/common_pb.js";
import { GodwitError } from "../core/error.ts";
import type { Schedule } from "../core/schedule.ts";
import type { Automation } from "../core/trigger.ts";
import { msOfTimestamp, timestampOfMs } from "../idl/time-message.ts";

/** The protocol has no words for catching up and for overlapping runs: here they are those of Flyte's own server. */
export function automationOf(message: TriggerAutomationSpec | undefined): Automation {
  const { automation, type = TriggerAutomationSpecType.TYPE_NONE } = message ?? {};
  if (automation?.case === "schedule") {
    const { kickoffTimeInputArg } = automation.value;
    return {
      type: "schedule",
      schedule: scheduleOf(automation.value),
      timeInput: kickoffTimeInputArg === "" ? null : kickoffTimeInputArg,
      catchUp: "all",
      overlap: "allow",
    };
  }
  if (type === TriggerAutomationSpecType.TYPE_NONE || type === TriggerAutomationSpecType.TYPE_UNSPECIFIED)
    return { type: "none" };
  throw new GodwitError(
    "unimplemented",
    "A trigger starts runs on a schedule, or when it is asked to. Artifacts start none here yet.",
  );
}

const minutesIn: { readonly [unit in FixedRateUnit]?: number } = {
  [FixedRateUnit.MINUTE]: 1,
  [FixedRateUnit.HOUR]: 60,
  [FixedRateUnit.DAY]: 24 * 60,
};

function scheduleOf({ expression }: ScheduleMessage): Schedule {
  switch (expression.case) {
    case "cron":
      return { type: "cron", expression: expression.value.expression, timeZone: expression.value.timezone || "UTC" };
    case "cronExpression":
      return cronOf(expression.value);
    case "rate": {
      const { value, unit, startTime } = expression.value;
      const minutes = minutesIn[unit];
      if (minutes === undefined)
        throw new GodwitError("invalid_argument", "A fixed rate is so many minutes, hours or days: it lacks its unit.");
      const startAtMs = startTime === undefined ? null : msOfTimestamp(startTime);
      return { type: "rate", everyMinutes: value * minutes, startAtMs };
    }
    case undefined:
      throw new GodwitError("invalid_argument", "A schedule needs a cron expression or a fixed rate.");
  }
}

/** Older clients say the time zone before the five fields: `CRON_TZ=Europe/Berlin 0 3 * * *`. */
function cronOf(text: string): Schedule {
  const [, timeZone = "UTC", expression = text] = /^(?:CRON_TZ|TZ)=(\S+)\s+(.*)$/.exec(text) ?? [];
  return { type: "cron", expression, timeZone };
}

export function automationMessage(automation: Automation): MessageInitShape<typeof TriggerAutomationSpecSchema> {
  if (automation.type === "none") return { type: TriggerAutomationSpecType.TYPE_NONE };
  const { schedule, timeInput } = automation;
  return {
    type: TriggerAutomationSpecType.TYPE_SCHEDULE,
    automation: {
      case: "schedule",
      value: { expression: expressionMessage(schedule), kickoffTimeInputArg: timeInput ?? "" },
    },
  };
}

function expressionMessage(schedule: Schedule): NonNullable<MessageInitShape<typeof ScheduleSchema>["expression"]> {
  if (schedule.type === "cron")
    return { case: "cron", value: { expression: schedule.expression, timezone: schedule.timeZone } };
  const { everyMinutes, startAtMs } = schedule;
  return {
    case: "rate",
    value: {
      value: everyMinutes,
      unit: FixedRateUnit.MINUTE,
      ...(startAtMs === null ? {} : { startTime: timestampOfMs(startAtMs) }),
    },
  };
}
