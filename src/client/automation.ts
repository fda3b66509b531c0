// Triggers, backfills and rules for notifications of a server, in domain words. Flyte's protocol has calls for a part of
// it; the rest goes through our own service, which only Godwit has.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Inputs } from "#idl/flyteidl2/task/common_pb.js";
import type { TaskTriggerSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { TriggerRevisionAction } from "#idl/flyteidl2/trigger/trigger_definition_pb.js";
import type { DefinedTrigger } from "../core/automation.ts";
import type { Backfill } from "../core/backfill.ts";
import { GodwitError } from "../core/error.ts";
import type { Notification, ProjectRule } from "../core/notification.ts";
import type { RevisionAction } from "../core/trigger.ts";
import type { TypedInterface } from "../core/value.ts";
import { annotationsOf, automationMessage } from "../idl/automation-message.ts";
import type { AutomationMessage } from "../idl/automation-service.ts";
import { projectRuleOf, ruleMessage, rulesMessage } from "../idl/notification-message.ts";
import { inputsMessage } from "../idl/task-files.ts";
import { msOfTimestamp, timestampOfMs } from "../idl/time-message.ts";
import type { Connection } from "./connection.ts";

export type TriggerName = { readonly task: string; readonly name: string };

export type TriggerState = TriggerName & {
  readonly revision: number;
  readonly isActive: boolean;
  readonly description: string;
  /** For people; null: it starts nothing by itself. */
  readonly schedule: string | null;
  readonly timeInput: string | null;
  readonly catchUp: string | null;
  readonly overlap: string | null;
  readonly taskVersion: string;
  readonly nextTickMs: number | null;
  /** `tickMs` null: somebody asked for it. */
  readonly lastRun: { readonly name: string; readonly tickMs: number | null } | null;
  readonly waiting: number;
  readonly skipped: number;
  readonly passedOver: { readonly fromMs: number; readonly untilMs: number } | null;
  readonly problem: string | null;
};

export type TriggerTick = { readonly atMs: number; readonly run: string; readonly exists: boolean };

export type RevisionSummary = {
  readonly revision: number;
  readonly action: RevisionAction;
  readonly atMs: number;
  readonly by: string;
};

export type BackfillPeriod = {
  readonly fromMs: number;
  readonly beforeMs: number;
  readonly parallelism: number;
  /** Also the ticks that have their run already. */
  readonly repeats: boolean;
};

export type BackfillState = TriggerName &
  BackfillPeriod & {
    readonly id: string;
    readonly phase: Backfill["phase"];
    readonly counts: Backfill["counts"];
    /** Its runs that have not ended. */
    readonly active: readonly string[];
    readonly createdAtMs: number;
    readonly createdBy: string;
    readonly endedAtMs: number | null;
    readonly problem: string | null;
  };

export type NotificationState = {
  readonly id: string;
  readonly run: string;
  readonly phase: string;
  readonly url: string;
  readonly state: Notification["state"];
  readonly tries: number;
  readonly problem: string | null;
  readonly createdAtMs: number;
};

/** Of a list that is asked for as a whole. */
const pageSize = 1_000;
const maxListed = 10_000;

export class RemoteAutomation {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get #place() {
    const { project, domain } = this.#connection;
    return { project, domain };
  }

  /** Of one task, or of all. */
  triggers(task: string | null): Promise<readonly TriggerState[]> {
    const { ask, automation } = this.#connection;
    return everyPage(async (token) => {
      const request = { ...this.#place, task: task ?? "", limit: pageSize, token };
      const answer = await ask((options) => automation.listTriggers(request, options));
      return { items: answer.triggers.map(triggerState), token: answer.token };
    });
  }

  /** Those of a version of a task as they are deployed here, to be deployed elsewhere. */
  async deployed(task: string, version: string): Promise<readonly MessageInitShape<typeof TaskTriggerSchema>[]> {
    const { ask, triggers } = this.#connection;
    const states = (await this.triggers(task)).filter(({ taskVersion }) => taskVersion === version);
    return Promise.all(
      states.map(async (state) => {
        const name = this.#protocolName(state);
        const { trigger } = await ask((options) => triggers.getTriggerDetails({ name }, options));
        const { spec, automationSpec } = trigger ?? {};
        if (spec === undefined || automationSpec === undefined)
          throw new GodwitError("internal", `The server does not say what the trigger ${state.name} of ${task} does.`);
        const { active, inputs, runSpec, description } = spec;
        const said = { active, description, ...(inputs && { inputs }), ...(runSpec && { runSpec }) };
        return { name: state.name, automationSpec, spec: said };
      }),
    );
  }

  async setActive(trigger: TriggerName, active: boolean): Promise<void> {
    const { ask, triggers } = this.#connection;
    await ask((options) => triggers.updateTriggers({ names: [this.#protocolName(trigger)], active }, options));
  }

  async remove(trigger: TriggerName): Promise<void> {
    const { ask, triggers } = this.#connection;
    await ask((options) => triggers.deleteTriggers({ names: [this.#protocolName(trigger)] }, options));
  }

  /** Starts a run as the trigger has it, now. `inputs` go before its own. The same again under the same name is the same run. */
  async fire(trigger: TriggerName, run: string, inputs?: Inputs): Promise<void> {
    const { ask, runs } = this.#connection;
    const inputWrapper =
      inputs === undefined ? ({ case: undefined } as const) : ({ case: "inputs", value: inputs } as const);
    const id = { case: "runId", value: { org: "", ...this.#place, name: run } } as const;
    const task = { case: "triggerName", value: this.#protocolName(trigger) } as const;
    await ask((options) => runs.createRun({ id, task, inputWrapper }, options));
  }

  /** Newest first; of a trigger that was removed, too. */
  history(trigger: TriggerName): Promise<readonly RevisionSummary[]> {
    const { ask, triggers } = this.#connection;
    return everyPage(async (token) => {
      const request = { name: this.#protocolName(trigger), request: { limit: pageSize, token } };
      const answer = await ask((options) => triggers.getTriggerRevisionHistory(request, options));
      const items = answer.triggers.map(({ id, action, createdAt, metadata }): RevisionSummary => {
        const principal = metadata?.updatedBy?.principal;
        return {
          revision: Number(id?.revision ?? 0n),
          action: actionNames[action] ?? "deploy",
          atMs: createdAt === undefined ? 0 : msOfTimestamp(createdAt),
          by: principal?.case === undefined ? "" : (principal.value.id?.subject ?? ""),
        };
      });
      return { items, token: answer.token };
    });
  }

  /** Its next ticks, whether or not it is active. */
  async preview(trigger: TriggerName, count: number): Promise<readonly TriggerTick[]> {
    const { ask, automation } = this.#connection;
    const request = { trigger: { ...this.#place, ...trigger }, count };
    return (await ask((options) => automation.previewTrigger(request, options))).ticks.map(tickOf);
  }

  /** `count`: ticks that are listed. */
  async previewBackfill(trigger: TriggerName, period: BackfillPeriod, count: number) {
    const { ask, automation } = this.#connection;
    const plan = this.#plan(trigger, period);
    const { total, first } = await ask((options) => automation.previewBackfill({ plan, count }, options));
    return { total, first: first.map(tickOf) };
  }

  /** The same again under the same id is the same backfill. */
  async backfill(trigger: TriggerName, period: BackfillPeriod, id: string): Promise<BackfillState> {
    const { ask, automation } = this.#connection;
    const plan = this.#plan(trigger, period);
    return backfillState((await ask((options) => automation.createBackfill({ plan, id }, options))).backfill);
  }

  async getBackfill(id: string): Promise<BackfillState> {
    const { ask, automation } = this.#connection;
    return backfillState((await ask((options) => automation.getBackfill({ ...this.#place, id }, options))).backfill);
  }

  /** Newest first. */
  backfills(): Promise<readonly BackfillState[]> {
    const { ask, automation } = this.#connection;
    return everyPage(async (token) => {
      const request = { ...this.#place, limit: pageSize, token };
      const answer = await ask((options) => automation.listBackfills(request, options));
      return { items: answer.backfills.map(backfillState), token: answer.token };
    });
  }

  /** Starts no more runs, and ends those that go on. */
  async abortBackfill(id: string): Promise<BackfillState> {
    const { ask, automation } = this.#connection;
    return backfillState((await ask((options) => automation.abortBackfill({ ...this.#place, id }, options))).backfill);
  }

  /** Those of this domain; or those that are for all domains of the project. */
  async rules(isForAllDomains: boolean): Promise<readonly ProjectRule[]> {
    const { ask, automation } = this.#connection;
    const place = this.#rulePlace(isForAllDomains);
    return (await ask((options) => automation.listRules(place, options))).rules.map(projectRuleOf);
  }

  /** In the place of those before. */
  async setRules(rules: readonly ProjectRule[], isForAllDomains: boolean): Promise<void> {
    const { ask, automation } = this.#connection;
    const request = { ...this.#rulePlace(isForAllDomains), rules: rules.map(ruleMessage) };
    await ask((options) => automation.setRules(request, options));
  }

  /** Newest first; of one run, or of all. */
  notifications(run: string | null): Promise<readonly NotificationState[]> {
    const { ask, automation } = this.#connection;
    return everyPage(async (token) => {
      const request = { ...this.#place, run: run ?? "", limit: pageSize, token };
      const answer = await ask((options) => automation.listNotifications(request, options));
      return { items: answer.notifications.map(notificationState), token: answer.token };
    });
  }

  /** Sends it again, with the same id. */
  async retryNotification(run: string, id: string): Promise<NotificationState> {
    const { ask, automation } = this.#connection;
    const { notification } = await ask((options) => automation.retryNotification({ ...this.#place, run, id }, options));
    if (notification === undefined) throw new GodwitError("internal", "The server says nothing of the notification.");
    return notificationState(notification);
  }

  #rulePlace(isForAllDomains: boolean) {
    return isForAllDomains ? { ...this.#place, domain: "" } : this.#place;
  }

  #protocolName({ task, name }: TriggerName) {
    return { org: "", ...this.#place, name, taskName: task };
  }

  #plan(trigger: TriggerName, { fromMs, beforeMs, parallelism, repeats }: BackfillPeriod) {
    return {
      trigger: { ...this.#place, ...trigger },
      from: timestampOfMs(fromMs),
      before: timestampOfMs(beforeMs),
      parallelism,
      repeats,
    };
  }
}

async function everyPage<T>(
  page: (token: string) => Promise<{ readonly items: readonly T[]; readonly token: string }>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const next = await page(token);
    all.push(...next.items);
    token = next.token;
  } while (token !== "" && all.length < maxListed);
  return all;
}

const actionNames: { readonly [action in TriggerRevisionAction]?: RevisionAction } = {
  [TriggerRevisionAction.DEPLOY]: "deploy",
  [TriggerRevisionAction.ACTIVATE]: "activate",
  [TriggerRevisionAction.DEACTIVATE]: "deactivate",
  [TriggerRevisionAction.DELETE]: "delete",
};

type Moment = AutomationMessage<"Tick">["at"];

const msOf = (moment: Moment): number | null => (moment === undefined ? null : msOfTimestamp(moment));

const tickOf = ({ at, run, exists }: AutomationMessage<"Tick">): TriggerTick => ({ atMs: msOf(at) ?? 0, run, exists });

function triggerState(message: AutomationMessage<"Trigger">): TriggerState {
  const { name, revision, active, description, taskVersion, lastRun, lastTick, passedOver, waiting, skipped } = message;
  return {
    task: name?.task ?? "",
    name: name?.name ?? "",
    revision,
    isActive: active,
    description,
    schedule: message.schedule || null,
    timeInput: message.timeInput || null,
    catchUp: message.catchUp || null,
    overlap: message.overlap || null,
    taskVersion,
    nextTickMs: msOf(message.nextTick),
    lastRun: lastRun === "" ? null : { name: lastRun, tickMs: msOf(lastTick) },
    waiting,
    skipped,
    passedOver:
      passedOver === undefined ? null : { fromMs: msOf(passedOver.from) ?? 0, untilMs: msOf(passedOver.until) ?? 0 },
    problem: message.problem || null,
  };
}

function backfillState(message: AutomationMessage<"Backfill"> | undefined): BackfillState {
  if (message === undefined) throw new GodwitError("internal", "The server says nothing of the backfill.");
  const { id, plan, phase, planned, started, existing, succeeded, failed, active, createdBy } = message;
  return {
    id,
    task: plan?.trigger?.task ?? "",
    name: plan?.trigger?.name ?? "",
    fromMs: msOf(plan?.from) ?? 0,
    beforeMs: msOf(plan?.before) ?? 0,
    parallelism: plan?.parallelism ?? 0,
    repeats: plan?.repeats ?? false,
    phase: phase as Backfill["phase"],
    counts: { planned, started, existing, succeeded, failed },
    active,
    createdAtMs: msOf(message.createdAt) ?? 0,
    createdBy,
    endedAtMs: msOf(message.endedAt),
    problem: message.problem || null,
  };
}

const notificationState = (message: AutomationMessage<"Notification">): NotificationState => ({
  id: message.id,
  run: message.run,
  phase: message.phase,
  url: message.url,
  state: message.state as Notification["state"],
  tries: message.tries,
  problem: message.problem || null,
  createdAtMs: msOf(message.createdAt) ?? 0,
});

/** A trigger of the code, as it goes along with its task. */
export const triggerOfTask = (
  { name, description, automation, inputs, isActive, notify }: DefinedTrigger,
  types: TypedInterface,
): MessageInitShape<typeof TaskTriggerSchema> => ({
  name,
  automationSpec: automationMessage(automation),
  spec: {
    active: isActive,
    description,
    inputs: inputsMessage(inputs, types),
    runSpec: {
      annotations: { values: { ...annotationsOf(automation) } },
      ...(notify.length === 0 ? {} : { notificationSettings: rulesMessage(notify) }),
    },
  },
});
