// What Godwit does without being asked at the time, as commands: triggers, backfills, notifications.
import type { Backfill, BackfillPlan } from "../core/backfill.ts";
import type { Notification, NotificationRule, ProjectRule } from "../core/notification.ts";
import type { Run } from "../core/run.ts";
import type { Trigger, TriggerRevision } from "../core/trigger.ts";
import type { Page, Scope } from "./answers.ts";
import {
  abortBackfill,
  type BackfillPreview,
  createBackfill,
  getBackfill,
  listBackfills,
  type NewBackfill,
  previewBackfill,
} from "./backfills.ts";
import { listNotifications, namedRule, projectRules, retryNotification, setRules } from "./notifications.ts";
import type { Parts } from "./parts.ts";
import type { Paging } from "./records.ts";
import {
  deleteTriggers,
  deployTrigger,
  type Firing,
  fireTrigger,
  getTrigger,
  getTriggerRevision,
  listTriggers,
  type NewTrigger,
  nextTickMs,
  previewTrigger,
  setTriggersActive,
  type Tick,
  type TriggerListing,
  type TriggerName,
  triggerHistory,
} from "./triggers.ts";

export type { BackfillPreview, NewBackfill } from "./backfills.ts";
export type { NewTrigger, Tick, TriggerListing, TriggerName } from "./triggers.ts";

export type Triggers = {
  /** A change is a new revision; the same again changes nothing. `failed_precondition` if somebody changed it meanwhile. */
  deploy(scope: Scope, trigger: NewTrigger): Promise<{ readonly trigger: Trigger; readonly isChanged: boolean }>;
  get(scope: Scope, name: TriggerName): Promise<Trigger>;
  /** Of a trigger that was removed, too. */
  revision(scope: Scope, name: TriggerName, revision: number): Promise<TriggerRevision>;
  /** Newest first. */
  history(scope: Scope, name: TriggerName, paging: Paging): Promise<Page<TriggerRevision>>;
  /** By task and name. */
  list(scope: Scope, listing: TriggerListing): Promise<Page<Trigger>>;
  /** All of them, or none. */
  setActive(scope: Scope, names: readonly TriggerName[], isActive: boolean): Promise<readonly Trigger[]>;
  /** All of them, or none. Their revisions stay, and runs that they started go on. */
  remove(scope: Scope, names: readonly TriggerName[]): Promise<void>;
  /** The next ticks, whether or not it is active. */
  preview(
    scope: Scope,
    name: TriggerName,
    options: { readonly count: number; readonly afterMs?: number },
  ): Promise<readonly Tick[]>;
  /** Null: it is not active, or none comes any more. */
  nextTickMs(trigger: Trigger): number | null;
  /** A run now, as the trigger has it; `inputs` go before the trigger's own. */
  fire(scope: Scope, name: TriggerName, firing: Firing): Promise<{ readonly run: Run; readonly created: boolean }>;
};

export type Backfills = {
  preview(scope: Scope, name: TriggerName, plan: BackfillPlan & { readonly count: number }): Promise<BackfillPreview>;
  create(
    scope: Scope,
    name: TriggerName,
    backfill: NewBackfill,
  ): Promise<{ readonly backfill: Backfill; readonly created: boolean }>;
  get(scope: Scope, id: string): Promise<Backfill>;
  /** Newest first. */
  list(scope: Scope, paging: Paging): Promise<Page<Backfill>>;
  /** Starts no more runs, and ends those that go on. Does nothing to one that is over. */
  abort(scope: Scope, id: string): Promise<Backfill>;
};

export type Notifications = {
  /** Of the project's domain; with the domain "", of all of its domains. Replaces those before. */
  setRules(scope: Scope, rules: readonly ProjectRule[]): Promise<void>;
  rules(scope: Scope): Promise<readonly ProjectRule[]>;
  /** What a run that names a rule of its project gets, for its origin. */
  namedRule(scope: Scope, name: string): Promise<NotificationRule>;
  /** Newest first; of one run, or of all. */
  list(scope: Scope, listing: Paging & { readonly run?: string }): Promise<Page<Notification>>;
  /** Sends it again, with the same id. */
  retry(scope: Scope, notification: { readonly run: string; readonly id: string }): Promise<Notification>;
};

export type Automation = {
  readonly triggers: Triggers;
  readonly backfills: Backfills;
  readonly notifications: Notifications;
};

export const automationOf = (parts: Parts): Automation => ({
  triggers: {
    deploy: (scope, trigger) => deployTrigger(parts, scope, trigger),
    get: (scope, name) => getTrigger(parts, scope, name),
    revision: (scope, name, revision) => getTriggerRevision(parts, scope, name, revision),
    history: (scope, name, paging) => triggerHistory(parts, scope, name, paging),
    list: (scope, listing) => listTriggers(parts, scope, listing),
    setActive: (scope, names, isActive) => setTriggersActive(parts, scope, names, isActive),
    remove: (scope, names) => deleteTriggers(parts, scope, names),
    preview: (scope, name, options) => previewTrigger(parts, scope, name, options),
    nextTickMs: (trigger) => nextTickMs(parts, trigger),
    fire: (scope, name, firing) => fireTrigger(parts, scope, name, firing),
  },
  backfills: {
    preview: (scope, name, plan) => previewBackfill(parts, scope, name, plan),
    create: (scope, name, backfill) => createBackfill(parts, scope, name, backfill),
    get: (scope, id) => getBackfill(parts, scope, id),
    list: (scope, paging) => listBackfills(parts, scope, paging),
    abort: (scope, id) => abortBackfill(parts, scope, id),
  },
  notifications: {
    setRules: (scope, rules) => setRules(parts, scope, rules),
    rules: (scope) => projectRules(parts, scope),
    namedRule: (scope, name) => namedRule(parts, scope, name),
    list: (scope, listing) => listNotifications(parts, scope, listing),
    retry: (scope, notification) => retryNotification(parts, scope, notification),
  },
});
