// When a trigger starts runs by itself, in the protocol's words and ours.
//
// The protocol has no words for what becomes of ticks that were missed and of runs that overlap. They are annotations of
// the trigger's RunSpec, which every client can set: `godwit.dev/catch-up`, `godwit.dev/overlap`.
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  FixedRateUnit,
  type Schedule as ScheduleMessage,
  type ScheduleSchema,
  type TriggerAutomationSpec,
  type TriggerAutomationSpecSchema,
  TriggerAutomationSpecType,
} from "#idl/flyteidl2/task/common_pb.js";
import { type Automation, catchUps, overlaps } from "../core/automation.ts";
import { GodwitError } from "../core/error.ts";
import type { Schedule } from "../core/schedule.ts";
import { msOfTimestamp, timestampOfMs } from "./time-message.ts";

export type Annotations = { readonly [name: string]: string };

const catchUpAnnotation = "godwit.dev/catch-up";
const overlapAnnotation = "godwit.dev/overlap";

/** What nobody says is as Flyte's own server has it. */
const usual = { catchUp: "all", overlap: "allow" } as const;

export function automationOf(message: TriggerAutomationSpec | undefined, annotations: Annotations): Automation {
  const { automation, type = TriggerAutomationSpecType.TYPE_NONE } = message ?? {};
  if (automation?.case === "schedule") {
    const { kickoffTimeInputArg } = automation.value;
    return {
      type: "schedule",
      schedule: scheduleOf(automation.value),
      timeInput: kickoffTimeInputArg === "" ? null : kickoffTimeInputArg,
      catchUp: annotated(annotations, catchUpAnnotation, catchUps) ?? usual.catchUp,
      overlap: annotated(annotations, overlapAnnotation, overlaps) ?? usual.overlap,
    };
  }
  if (type === TriggerAutomationSpecType.TYPE_NONE || type === TriggerAutomationSpecType.TYPE_UNSPECIFIED)
    return { type: "none" };
  throw new GodwitError(
    "unimplemented",
    "A trigger starts runs on a schedule, or when it is asked to. Artifacts start none here yet.",
  );
}

function annotated<T extends string>(annotations: Annotations, name: string, known: readonly T[]): T | undefined {
  const text = annotations[name];
  const found = known.find((each) => each === text);
  if (text === undefined || found !== undefined) return found;
  throw new GodwitError(
    "invalid_argument",
    `The annotation ${name} is one of ${known.join(", ")}, not ${JSON.stringify(text)}.`,
  );
}

/** What the message has no words for; nothing of what is usual. */
export const annotationsOf = (automation: Automation): Annotations =>
  automation.type === "none"
    ? {}
    : {
        ...(automation.catchUp === usual.catchUp ? {} : { [catchUpAnnotation]: automation.catchUp }),
        ...(automation.overlap === usual.overlap ? {} : { [overlapAnnotation]: automation.overlap }),
      };

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
