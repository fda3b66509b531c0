// Notifications and the rules they follow from, as records. Whoever ends a run adds to its commit what
// `noticesOf` gives (core/notification.ts R1).
import type { Action } from "../core/action.ts";
import {
  type Notification,
  type NotificationRule,
  notificationsOf,
  type ProjectRule,
  type ToldPhase,
  toldPhases,
} from "../core/notification.ts";
import type { Run } from "../core/run.ts";
import { type Putting, put, read } from "./record-json.ts";
import type { Change, RecordKey, Store, StoreRecord } from "./store.ts";

/** Of a project's domain, or of all of its domains: "". */
export const rulesRecordKey = (project: string, domain: string): RecordKey => ({
  kind: "setting",
  project,
  domain,
  name: "notifications",
  version: "",
});

export const noticeRecordKey = ({ run, id }: Pick<Notification, "run" | "id">): RecordKey => ({
  kind: "notification",
  project: run.project,
  domain: run.domain,
  name: run.name,
  version: id,
});

export const noticeOf = (record: StoreRecord): Notification => read<Notification>(record);

export const putNotice = (notification: Notification, putting: Putting): Change =>
  put(noticeRecordKey(notification), notification, putting);

export const rulesOf = (record: StoreRecord): readonly ProjectRule[] =>
  read<{ readonly rules: readonly ProjectRule[] }>(record).rules;

/** What is to be committed with the end of a run. As a rule nothing, at the price of one look for rules. */
export async function noticesOf(
  store: Pick<Store, "records">,
  run: Run,
  root: Action,
  nowMs: number,
): Promise<readonly Change[]> {
  const phase = toldPhase(run);
  if (phase === null) return [];
  const { project, domain, origin } = run;
  const found = await store.records([rulesRecordKey(project, domain), rulesRecordKey(project, "")]);
  const rules: readonly NotificationRule[] = [
    ...(origin.notify ?? []),
    ...found.flatMap(rulesOf).filter(({ isForAll }) => isForAll),
  ];
  if (rules.length === 0) return [];
  const notices = notificationsOf({ run, phase, error: root.error }, rules, nowMs);
  return notices.map((notice) => putNotice(notice, { from: null, dueAtMs: nowMs, nowMs }));
}

/** Null: it has not ended, or in a way that nobody is told of. */
const toldPhase = ({ phase }: Run): ToldPhase | null =>
  phase === "recovered" ? "succeeded" : (toldPhases.find((each) => each === phase) ?? null);
