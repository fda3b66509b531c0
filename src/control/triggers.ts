// Triggers as people deal with them: deploy, look at, activate, remove, and fire by hand. What they do by
// themselves is the engine's.
import { toPayload } from "../blob/payload.ts";
import { type Automation, catchUps, overlaps } from "../core/automation.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import { didYouMean } from "../core/names.ts";
import type { Launch } from "../core/new-run.ts";
import { checkRules } from "../core/notification.ts";
import type { Labels, Run, RunOrigin } from "../core/run.ts";
import { checkSchedule, type Ticks, ticksOf, ticksWithin } from "../core/schedule.ts";
import { type Manifest, specDigest, type TaskSpec } from "../core/task.ts";
import {
  nextLookMs,
  type Trigger,
  type TriggerContent,
  type TriggerKey,
  type TriggerRevision,
  tickRunName,
} from "../core/trigger.ts";
import { type Changed, deployed, removed, revisionOf, switched, timeLiteral } from "../core/trigger-changes.ts";
import type { Literals } from "../core/value.ts";
import { manifestKey } from "../store/documents.ts";
import type { Change, StoreRecord } from "../store/store.ts";
import {
  insertRevision,
  putTrigger,
  revisionOfRecord,
  revisionRecordKey,
  revisionsName,
  triggerOf,
  triggerRecordKey,
} from "../store/trigger-rows.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { type Paging, recordPage } from "./records.ts";
import { createRun } from "./runs.ts";

/** Full name of the task, and the trigger's own, unique among those of the task. */
export type TriggerName = { readonly task: string; readonly name: string };

export type NewTrigger = TriggerName & {
  readonly description: string;
  readonly automation: Automation;
  /** Inputs of its runs, save the scheduled time. */
  readonly inputs: Literals;
  readonly isActive: boolean;
  /** The revision that this is a change of; null: of whatever there is. */
  readonly expectedRevision: number | null;
  /** The code of the task's version. */
  readonly manifest: Manifest;
  readonly source: Run["source"];
  readonly taskVersion: string | null;
  /** Left out: as for a run that somebody simply starts. */
  readonly overwriteCache?: boolean;
  readonly priority?: number;
  readonly maxConcurrency?: number;
  readonly labels?: Labels;
  readonly env?: RunOrigin["env"];
  readonly notify?: RunOrigin["notify"];
  /** The protocol's RunSpec, base64 of its bytes. */
  readonly message?: string;
};

export type TriggerListing = Paging & {
  readonly task?: string;
  readonly taskVersion?: string;
  readonly isActive?: boolean;
};

/** `runName`: of the run that starts then. */
export type Tick = { readonly atMs: number; readonly runName: string };

/** Triggers that one command is about. */
export const maxNames = 1_000;
/** Ticks that a preview shows. */
export const maxPreview = 1_000;

const maxTries = 10;

/** The same again changes nothing, and answers with what is there. */
export async function deployTrigger(
  parts: Parts,
  scope: Scope,
  wanted: NewTrigger,
): Promise<{ readonly trigger: Trigger; readonly isChanged: boolean }> {
  const key = keyOf(scope, wanted);
  checkTriggerName(wanted.name);
  const spec = wanted.manifest.tasks.find(({ name }) => name === wanted.task);
  if (spec === undefined) throw new GodwitError("not_found", `The code has no task "${wanted.task}".`);
  checkAutomation(parts, wanted.automation);
  checkInputs(spec, wanted);
  if (wanted.notify !== undefined) checkRules(wanted.notify);
  const content = await contentOf(parts, wanted, spec);
  const documents = documentsOf(wanted.manifest, spec);
  for (let tries = 0; tries < maxTries; tries++) {
    const [record] = await parts.store.records([triggerRecordKey(key)]);
    const before = record === undefined ? null : triggerOf(record);
    const { isActive, expectedRevision } = wanted;
    const last = before === null ? await lastRevision(parts, key) : before.revision;
    const doing = { nowMs: parts.nowMs(), by: scope.caller };
    const changed = deployed(before, { key, content, isActive, expectedRevision }, last, doing);
    if (changed === null && before !== null) return { trigger: before, isChanged: false };
    if (changed !== null && (await commitChange(parts, changed, record ?? null, documents)))
      return { trigger: changed.trigger, isChanged: true };
  }
  throw contended(wanted.name);
}

async function commitChange(
  parts: Parts,
  changed: Changed,
  from: StoreRecord | null,
  documents: readonly Change[] = [],
): Promise<boolean> {
  const { changes } = changeOf(parts, changed, from);
  return (await parts.store.commit([...documents, ...changes])).type === "committed";
}

function changeOf(parts: Parts, changed: Changed, from: StoreRecord | null): { readonly changes: readonly Change[] } {
  const nowMs = parts.nowMs();
  const { trigger } = changed;
  const dueAtMs = nextLookMs(trigger, ticksFor(parts, trigger), nowMs);
  return { changes: [putTrigger(trigger, { from, dueAtMs, nowMs }), insertRevision(revisionOf(changed))] };
}

export const ticksFor = (parts: Parts, { content, anchorMs }: Pick<Trigger, "content" | "anchorMs">): Ticks =>
  content.automation.type === "schedule" ? ticksOf(content.automation.schedule, anchorMs, parts.cron) : () => null;

const keyOf = ({ project, domain }: Scope, { task, name }: TriggerName): TriggerKey => ({
  project,
  domain,
  task,
  name,
});

/** It is a part of paths and of addresses. */
function checkTriggerName(name: string): void {
  if (/^[^\s/\\\p{C}]{1,100}$/u.test(name)) return;
  throw new GodwitError(
    "invalid_argument",
    `The trigger name ${JSON.stringify(name.slice(0, 200))} is not allowed: 1 to 100 characters, without spaces and slashes.`,
  );
}

function checkAutomation(parts: Parts, automation: Automation): void {
  if (automation.type === "none") return;
  checkSchedule(automation.schedule, parts.nowMs(), parts.cron);
  if (!catchUps.includes(automation.catchUp))
    throw new GodwitError("invalid_argument", `Missed ticks are caught up with as one of ${catchUps.join(", ")}.`);
  if (!overlaps.includes(automation.overlap))
    throw new GodwitError("invalid_argument", `Of overlapping runs one of these is decided: ${overlaps.join(", ")}.`);
}

function checkInputs(spec: TaskSpec, { inputs, automation, name }: NewTrigger): void {
  const timeInput = automation.type === "schedule" ? automation.timeInput : null;
  const known = spec.interface.inputs.map((each) => each.name);
  const given = [...Object.keys(inputs), ...(timeInput === null ? [] : [timeInput])];
  const unknown = given.find((each) => !known.includes(each));
  if (unknown !== undefined) {
    throw new GodwitError(
      "invalid_argument",
      `The task ${spec.name} has no input "${unknown}", which the trigger "${name}" gives.${didYouMean(unknown, known)}`,
    );
  }
  const missing = spec.interface.inputs.find((each) => each.required && !given.includes(each.name));
  if (missing !== undefined) {
    throw new GodwitError(
      "invalid_argument",
      `The trigger "${name}" gives no "${missing.name}", which the task ${spec.name} needs.`,
    );
  }
  const type = spec.interface.inputs.find((each) => each.name === timeInput)?.type;
  if (type !== undefined && timeLiteral(type, 0) === null) {
    throw new GodwitError(
      "invalid_argument",
      `The input "${timeInput}" of ${spec.name} cannot take the scheduled time: it is neither a date nor text.`,
    );
  }
}

async function contentOf(parts: Parts, wanted: NewTrigger, spec: TaskSpec): Promise<TriggerContent> {
  const launch: Launch = {
    bundle: wanted.manifest.bundle,
    source: wanted.source,
    spec: specDigest(spec),
    overwriteCache: wanted.overwriteCache ?? false,
    priority: wanted.priority ?? null,
    maxConcurrency: wanted.maxConcurrency ?? null,
    labels: wanted.labels ?? {},
    origin: {
      taskVersion: wanted.taskVersion,
      env: wanted.env ?? {},
      message: wanted.message ?? null,
      ...(wanted.notify === undefined ? {} : { notify: wanted.notify }),
    },
  };
  const { description, automation, inputs } = wanted;
  return { description, automation, inputs: await toPayload(inputs, parts.blobs), launch };
}

const documentsOf = (manifest: Manifest, spec: TaskSpec): readonly Change[] => [
  { type: "putDocument", digest: manifestKey(manifest.bundle), text: JSON.stringify(manifest) },
  { type: "putDocument", digest: specDigest(spec), text: canonicalJson(spec) },
];

/** Of a trigger that is no more; 0: there never was one. */
async function lastRevision(parts: Parts, key: TriggerKey): Promise<number> {
  const { project, domain } = key;
  const filter = { kind: "triggerRevision", project, domain, name: revisionsName(key), order: "newest" } as const;
  const [last] = (await parts.store.listRecords(filter, 1)).items;
  return last === undefined ? 0 : revisionOfRecord(last).revision;
}

const contended = (name: string): GodwitError =>
  new GodwitError("unavailable", `The trigger "${name}" was changed by others ${maxTries} times meanwhile; try again.`);

async function recordOf(parts: Parts, scope: Scope, name: TriggerName): Promise<StoreRecord> {
  const [record] = await parts.store.records([triggerRecordKey(keyOf(scope, name))]);
  if (record !== undefined) return record;
  const { project, domain } = scope;
  const filter = { kind: "trigger", project, domain, name: name.task, order: "name" } as const;
  const { items } = await parts.store.listRecords(filter, 100);
  const near = didYouMean(
    name.name,
    items.map((each) => each.version),
  );
  throw new GodwitError(
    "not_found",
    `The task ${name.task} has no trigger "${name.name}" in ${project}/${domain}.${near}`,
  );
}

export const getTrigger = async (parts: Parts, scope: Scope, name: TriggerName): Promise<Trigger> =>
  triggerOf(await recordOf(parts, scope, name));

/** Of a trigger that was removed, too. */
export async function getTriggerRevision(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  revision: number,
): Promise<TriggerRevision> {
  const [record] = await parts.store.records([revisionRecordKey(keyOf(scope, name), revision)]);
  if (record !== undefined) return revisionOfRecord(record);
  throw new GodwitError("not_found", `The trigger "${name.name}" of ${name.task} has no revision ${revision}.`);
}

/** Newest first. */
export async function triggerHistory(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  paging: Paging,
): Promise<Page<TriggerRevision>> {
  const { project, domain } = scope;
  const filter = { kind: "triggerRevision", project, domain, name: revisionsName(name), order: "newest" } as const;
  const { items, token } = await recordPage(parts, filter, paging);
  if (items.length === 0 && paging.token === null) await recordOf(parts, scope, name);
  return { items: items.map(revisionOfRecord), token };
}

/** By task and name. A page may be short, or empty, and yet have a token. */
export async function listTriggers(parts: Parts, scope: Scope, listing: TriggerListing): Promise<Page<Trigger>> {
  const { project, domain } = scope;
  const { task, taskVersion, isActive } = listing;
  const filter = {
    ...({ kind: "trigger", project, domain, order: "name" } as const),
    ...(task === undefined ? {} : { name: task }),
  };
  const { items, token } = await recordPage(parts, filter, listing);
  const found = items
    .map(triggerOf)
    .filter(
      (trigger) =>
        (isActive ?? trigger.isActive) === trigger.isActive &&
        (taskVersion === undefined || trigger.content.launch.origin.taskVersion === taskVersion),
    );
  return { items: found, token };
}

/** All of them, or none. */
export async function setTriggersActive(
  parts: Parts,
  scope: Scope,
  names: readonly TriggerName[],
  isActive: boolean,
): Promise<readonly Trigger[]> {
  for (let tries = 0; tries < maxTries; tries++) {
    const records = await recordsOf(parts, scope, names);
    const doing = { nowMs: parts.nowMs(), by: scope.caller };
    const all = records.map((record) => ({ record, before: triggerOf(record) }));
    const changed = all.map((each) => ({ ...each, changed: switched(each.before, isActive, doing) }));
    const changes = changed.flatMap(({ record, changed: change }) =>
      change === null ? [] : changeOf(parts, change, record).changes,
    );
    if (changes.length === 0 || (await parts.store.commit(changes)).type === "committed")
      return changed.map(({ before, changed: change }) => change?.trigger ?? before);
  }
  throw contended(names[0]?.name ?? "");
}

async function recordsOf(parts: Parts, scope: Scope, names: readonly TriggerName[]): Promise<readonly StoreRecord[]> {
  if (names.length > maxNames)
    throw new GodwitError("resource_exhausted", `At most ${maxNames} triggers at once, not ${names.length}.`);
  const distinct = new Map(names.map((name) => [revisionsName(name), name]));
  return Promise.all([...distinct.values()].map((name) => recordOf(parts, scope, name)));
}

/** All of them, or none. Their revisions stay, and runs that they started go on. */
export async function deleteTriggers(parts: Parts, scope: Scope, names: readonly TriggerName[]): Promise<void> {
  for (let tries = 0; tries < maxTries; tries++) {
    const records = await recordsOf(parts, scope, names);
    const doing = { nowMs: parts.nowMs(), by: scope.caller };
    const changes = records.flatMap((record): Change[] => [
      { type: "deleteRecord", record },
      insertRevision(removed(triggerOf(record), doing)),
    ]);
    if (changes.length === 0 || (await parts.store.commit(changes)).type === "committed") return;
  }
  throw contended(names[0]?.name ?? "");
}

/** Its next ticks, whether or not it is active. */
export async function previewTrigger(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  { count, afterMs }: { readonly count: number; readonly afterMs?: number },
): Promise<readonly Tick[]> {
  const trigger = await getTrigger(parts, scope, name);
  const from = afterMs ?? Math.max(parts.nowMs(), trigger.cursorMs);
  const limit = Math.max(0, Math.min(count, maxPreview));
  return ticksWithin(ticksFor(parts, trigger), from, Number.POSITIVE_INFINITY, limit).map((atMs) => ({
    atMs,
    runName: tickRunName(trigger, atMs),
  }));
}

/** Null: it is not active, or none comes any more. */
export const nextTickMs = (parts: Parts, trigger: Trigger): number | null =>
  trigger.isActive ? ticksFor(parts, trigger)(Math.max(parts.nowMs(), trigger.cursorMs)) : null;

/** `runName` null: a name is made up. `source`: who asks, if not the command line. */
export type Firing = {
  readonly runName: string | null;
  readonly inputs?: Literals;
  readonly source?: RunOrigin["source"];
};

/** A run now, as the trigger has it; `inputs` go before the trigger's own. */
export async function fireTrigger(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  { runName, inputs = {}, source }: Firing,
): Promise<{ readonly run: Run; readonly created: boolean }> {
  const { content, task, revision } = await getTrigger(parts, scope, name);
  const { launch, automation } = content;
  const { manifest } = await parts.documents.manifest(launch.bundle);
  const nowMs = parts.nowMs();
  const timeInput = automation.type === "schedule" ? automation.timeInput : null;
  const spec = manifest.tasks.find((each) => each.name === task);
  const type = spec?.interface.inputs.find((each) => each.name === timeInput)?.type;
  const time = type === undefined || timeInput === null ? null : timeLiteral(type, nowMs);
  return createRun(parts, scope, {
    name: runName,
    manifest,
    task,
    inputs: {
      ...(await parts.literals(content.inputs)),
      ...(time === null || timeInput === null ? {} : { [timeInput]: time }),
      ...inputs,
    },
    source: launch.source,
    overwriteCache: launch.overwriteCache,
    ...(launch.priority === null ? {} : { priority: launch.priority }),
    maxConcurrency: launch.maxConcurrency,
    recovers: null,
    labels: launch.labels,
    origin: {
      ...launch.origin,
      ...(source === undefined ? {} : { source }),
      trigger: { name: name.name, revision },
      runStartAtMs: nowMs,
    },
  });
}
