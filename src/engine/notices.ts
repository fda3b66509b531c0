// Sends notifications that are due: commits that it tries, tries, and commits what came of it
// (core/notification.ts R2, R3).
import { afterTry, type Notification, type TryResult, triesLeft, trying, tryTimeoutMs } from "../core/notification.ts";
import { noticeOf, putNotice } from "../store/notice-rows.ts";
import type { Store, StoreRecord } from "../store/store.ts";
import type { DueWork, Worked } from "./due-records.ts";

/** Makes one call of a webhook. Never throws for what the receiver does. */
export type SendNotice = (call: {
  readonly id: string;
  readonly attempt: number;
  readonly request: Notification["request"];
  readonly atMs: number;
  readonly timeoutMs: number;
}) => Promise<TryResult>;

export type NoticeParts = {
  readonly store: Store;
  readonly nowMs: () => number;
  readonly send: SendNotice;
};

export const noticeWork = (parts: NoticeParts): DueWork => ({
  kind: "notification",
  atOnce: 16,
  work: (record) => sendOne(parts, record),
});

async function sendOne(parts: NoticeParts, record: StoreRecord): Promise<Worked> {
  const before = noticeOf(record);
  const nowMs = parts.nowMs();
  if (!triesLeft(before)) {
    // Its last try was never heard of.
    const problem = before.problem ?? "Godwit ended while it was being sent.";
    const given = before.state === "pending" ? { ...before, state: "failed" as const, problem } : before;
    await parts.store.commit([putNotice(given, { from: record, dueAtMs: null, nowMs })]);
    return { awaits: [], isCommitted: true };
  }
  const { next, dueAtMs } = trying(before, nowMs);
  const begun = await parts.store.commit([putNotice(next, { from: record, dueAtMs, nowMs })]);
  // Somebody else sends it.
  if (begun.type !== "committed") return { awaits: [], isCommitted: false };
  const { id, request, tries } = next;
  const result = await parts.send({ id, attempt: tries, request, atMs: nowMs, timeoutMs: tryTimeoutMs });
  const endedAtMs = parts.nowMs();
  const after = afterTry(next, result, endedAtMs);
  const from = { ...record, revision: record.revision + 1 };
  await parts.store.commit([putNotice(after.next, { from, dueAtMs: after.dueAtMs, nowMs: endedAtMs })]);
  return { awaits: [], isCommitted: true };
}
