// What people do to triggers: deploy, activate, deactivate. Each change is a revision.
//
// R1  The same again changes nothing, and is no revision.
// R2  Whoever activates a trigger, or changes its schedule, begins anew: the first tick is the first one
//     after that moment. Any other change leaves the ticks as they are, and none is lost to it.
import { GodwitError } from "./error.ts";
import { canonicalJson } from "./hash.ts";
import type { RevisionAction, Trigger, TriggerContent, TriggerKey, TriggerRevision } from "./trigger.ts";
import type { Literal, LiteralType } from "./value.ts";

export type Deployment = {
  readonly key: TriggerKey;
  readonly content: TriggerContent;
  readonly isActive: boolean;
  /** The revision that it is a change of; null: of whatever there is. */
  readonly expectedRevision: number | null;
};

export type Changed = { readonly trigger: Trigger; readonly action: RevisionAction };

type Doing = { readonly nowMs: number; readonly by: string };

/** `lastRevision`: of a trigger of that name that was removed, else 0. Null: it is so already (R1). */
export function deployed(
  before: Trigger | null,
  { key, content, isActive, expectedRevision }: Deployment,
  lastRevision: number,
  { nowMs, by }: Doing,
): Changed | null {
  if (before === null) {
    const anchorMs = wholeSecond(nowMs);
    return {
      action: "deploy",
      trigger: {
        ...key,
        revision: lastRevision + 1,
        isActive,
        content,
        anchorMs,
        cursorMs: anchorMs,
        waiting: [],
        lastRun: null,
        skipped: 0,
        passedOver: null,
        problem: null,
        deployedAtMs: nowMs,
        deployedBy: by,
        updatedAtMs: nowMs,
        updatedBy: by,
      },
    };
  }
  if (isSame(before.content, content)) return switched(before, isActive, { nowMs, by });
  if (expectedRevision !== null && expectedRevision !== before.revision) {
    throw new GodwitError(
      "failed_precondition",
      `The trigger "${key.name}" of ${key.task} is at revision ${before.revision}, not ${expectedRevision}: somebody changed it in the meantime. Look at it, and deploy again.`,
    );
  }
  const begins = isActive && (!before.isActive || !isSame(scheduleOf(before.content), scheduleOf(content)));
  const next: Trigger = {
    ...(begins ? begun(before, nowMs) : before),
    isActive,
    content,
    problem: null,
    waiting: isActive ? before.waiting : [],
    revision: before.revision + 1,
    deployedAtMs: nowMs,
    deployedBy: by,
    updatedAtMs: nowMs,
    updatedBy: by,
  };
  return { action: "deploy", trigger: next };
}

/** Activates or deactivates it. Null: it is so already (R1). */
export function switched(before: Trigger, isActive: boolean, { nowMs, by }: Doing): Changed | null {
  if (before.isActive === isActive) return null;
  const next: Trigger = {
    ...(isActive ? begun(before, nowMs) : before),
    isActive,
    waiting: [],
    skipped: before.skipped + before.waiting.length,
    revision: before.revision + 1,
    updatedAtMs: nowMs,
    updatedBy: by,
  };
  return { action: isActive ? "activate" : "deactivate", trigger: next };
}

/** R2. */
const begun = (trigger: Trigger, nowMs: number): Trigger => ({
  ...trigger,
  anchorMs: wholeSecond(nowMs),
  cursorMs: wholeSecond(nowMs),
});

/** Ticks then lie on whole seconds too. */
const wholeSecond = (atMs: number): number => Math.floor(atMs / 1_000) * 1_000;

const scheduleOf = ({ automation }: TriggerContent) => (automation.type === "schedule" ? automation.schedule : null);

const isSame = (one: unknown, other: unknown): boolean => canonicalJson(one) === canonicalJson(other);

export const revisionOf = ({ trigger, action }: Changed): TriggerRevision => ({
  project: trigger.project,
  domain: trigger.domain,
  task: trigger.task,
  name: trigger.name,
  revision: trigger.revision,
  action,
  isActive: trigger.isActive,
  content: trigger.content,
  atMs: trigger.updatedAtMs,
  by: trigger.updatedBy,
});

export const removed = (before: Trigger, { nowMs, by }: Doing): TriggerRevision => ({
  ...revisionOf({ trigger: before, action: "delete" }),
  revision: before.revision + 1,
  isActive: false,
  atMs: nowMs,
  by,
});

/** The scheduled time as an input of that type; null if the type has no place for a time. */
export function timeLiteral(type: LiteralType, atMs: number): Literal | null {
  const text = new Date(atMs).toISOString();
  if (type.type === "simple" && type.simple === "datetime") return { type: "datetime", value: text };
  if (type.type === "simple" && type.simple === "string") return { type: "string", value: text };
  if (type.type !== "union") return null;
  const fitting = type.variants.map((variant) => ({ tag: variant.tag, value: timeLiteral(variant.type, atMs) }));
  const chosen = fitting.find(({ value }) => value?.type === "datetime") ?? fitting.find(({ value }) => value !== null);
  return chosen?.value == null ? null : { type: "union", tag: chosen.tag, value: chosen.value };
}
