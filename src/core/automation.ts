// What people say of when a trigger starts runs, and what code says of its triggers. What becomes of it is trigger.ts's.
import type { NotificationRule } from "./notification.ts";
import type { Schedule } from "./schedule.ts";
import type { Literals } from "./value.ts";

/** Of ticks that were missed: start them all, in order; the newest; or none. */
export type CatchUp = "all" | "latest" | "none";

/**
 * At a tick at which the trigger's last run has not ended: start one beside it; none; one after it, in
 * order; or abort it and start one.
 */
export type Overlap = "allow" | "skip" | "queue" | "replace";

export const catchUps: readonly CatchUp[] = ["all", "latest", "none"];
export const overlaps: readonly Overlap[] = ["allow", "skip", "queue", "replace"];

/** When it starts runs by itself. */
export type Automation =
  | { readonly type: "none" }
  | {
      readonly type: "schedule";
      readonly schedule: Schedule;
      /** The input that gets the scheduled time; null: none. */
      readonly timeInput: string | null;
      readonly catchUp: CatchUp;
      readonly overlap: Overlap;
    };

/** A trigger as the code of its task defines it: it is deployed together with that. */
export type DefinedTrigger = {
  /** Full name. */
  readonly task: string;
  readonly name: string;
  readonly description: string;
  readonly automation: Automation;
  /** Inputs of its runs, save the scheduled time. */
  readonly inputs: Literals;
  readonly isActive: boolean;
  readonly notify: readonly NotificationRule[];
};
