// Who is told of the ends of runs, and what became of telling them.
import { GodwitError } from "../core/error.ts";
import {
  checkRules,
  type Notification,
  type NotificationRule,
  type ProjectRule,
  triedAnew,
} from "../core/notification.ts";
import { noticeOf, noticeRecordKey, putNotice, rulesOf, rulesRecordKey } from "../store/notice-rows.ts";
import { put } from "../store/record-json.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { type Paging, recordPage } from "./records.ts";

const maxTries = 10;

/** Of the project's domain; with the domain "", of all of its domains. Replaces those before. */
export async function setRules(parts: Parts, scope: Scope, rules: readonly ProjectRule[]): Promise<void> {
  checkRules(rules);
  const names = rules.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new GodwitError("invalid_argument", `Two rules for notifications have the name "${twice}".`);
  const key = rulesRecordKey(scope.project, scope.domain);
  for (let tries = 0; tries < maxTries; tries++) {
    const [from] = await parts.store.records([key]);
    const change = put(key, { rules }, { from: from ?? null, dueAtMs: null, nowMs: parts.nowMs() });
    if ((await parts.store.commit([change])).type === "committed") return;
  }
  throw new GodwitError("unavailable", "The rules for notifications were changed by others meanwhile; try again.");
}

export async function projectRules(parts: Parts, { project, domain }: Scope): Promise<readonly ProjectRule[]> {
  const [record] = await parts.store.records([rulesRecordKey(project, domain)]);
  return record === undefined ? [] : rulesOf(record);
}

/** What a run that names a rule of its project gets, for its origin. */
export async function namedRule(parts: Parts, scope: Scope, name: string): Promise<NotificationRule> {
  const rules = [...(await projectRules(parts, scope)), ...(await projectRules(parts, { ...scope, domain: "" }))];
  const found = rules.find((rule) => rule.name === name);
  if (found !== undefined) return { phases: found.phases, target: found.target };
  throw new GodwitError(
    "not_found",
    `There is no rule "${name}" for notifications in ${scope.project}/${scope.domain}. It has: ${rules.map((rule) => rule.name).join(", ") || "none"}.`,
  );
}

/** Newest first; of one run, or of all. */
export async function listNotifications(
  parts: Parts,
  scope: Scope,
  { run, ...paging }: Paging & { readonly run?: string },
): Promise<Page<Notification>> {
  const filter = {
    ...({ kind: "notification", project: scope.project, domain: scope.domain, order: "newest" } as const),
    ...(run === undefined ? {} : { name: run }),
  };
  const { items, token } = await recordPage(parts, filter, paging);
  return { items: items.map(noticeOf), token };
}

/** Sends it again, with the same id: after a receiver was mended. */
export async function retryNotification(
  parts: Parts,
  { project, domain }: Scope,
  { run, id }: { readonly run: string; readonly id: string },
): Promise<Notification> {
  const key = noticeRecordKey({ run: { id: 0, project, domain, name: run }, id });
  for (let tries = 0; tries < maxTries; tries++) {
    const [record] = await parts.store.records([key]);
    if (record === undefined) throw new GodwitError("not_found", `The run ${run} has no notification "${id}".`);
    const before = noticeOf(record);
    if (before.state === "pending") return before;
    const nowMs = parts.nowMs();
    const next = triedAnew(before);
    const result = await parts.store.commit([putNotice(next, { from: record, dueAtMs: nowMs, nowMs })]);
    if (result.type === "committed") return next;
  }
  throw new GodwitError("unavailable", "The notification was changed by others meanwhile; try again.");
}
