// Triggers, their revisions and backfills as records: what they are found by, and when they are due.
import type { Backfill } from "../core/backfill.ts";
import type { Trigger, TriggerKey, TriggerRevision } from "../core/trigger.ts";
import { type Putting, put, read } from "./record-json.ts";
import type { Change, RecordKey, StoreRecord } from "./store.ts";

type Place = { readonly project: string; readonly domain: string };

/** Those of one task are together in a listing by name. */
export const triggerRecordKey = ({ project, domain, task, name }: TriggerKey): RecordKey => ({
  kind: "trigger",
  project,
  domain,
  name: task,
  version: name,
});

/** All revisions of one trigger have one name. */
export const revisionsName = ({ task, name }: Pick<TriggerKey, "task" | "name">): string => `${task}/${name}`;

export const revisionRecordKey = (key: TriggerKey, revision: number): RecordKey => ({
  kind: "triggerRevision",
  project: key.project,
  domain: key.domain,
  name: revisionsName(key),
  version: String(revision).padStart(10, "0"),
});

export const backfillRecordKey = ({ project, domain }: Place, id: string): RecordKey => ({
  kind: "backfill",
  project,
  domain,
  name: id,
  version: "",
});

export const triggerOf = (record: StoreRecord): Trigger => read<Trigger>(record);
export const revisionOfRecord = (record: StoreRecord): TriggerRevision => read<TriggerRevision>(record);
export const backfillOf = (record: StoreRecord): Backfill => read<Backfill>(record);

export const putTrigger = (trigger: Trigger, putting: Putting): Change =>
  put(triggerRecordKey(trigger), trigger, putting);

export const putBackfill = (backfill: Backfill, putting: Putting): Change =>
  put(backfillRecordKey(backfill, backfill.id), backfill, putting);

export const insertRevision = (revision: TriggerRevision): Change =>
  put(revisionRecordKey(revision, revision.revision), revision, { from: null, dueAtMs: null, nowMs: revision.atMs });
