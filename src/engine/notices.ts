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

/** Sent at once, to all receivers and to one of them: who does not answer keeps no others waiting. */
const maxSending = 16;
const maxSendingToOne = 4;
/** Until it is looked again whether a receiver has answered those before. */
const busyMs = 1_000;

export function noticeWork(parts: NoticeParts): DueWork {
  /** Host → calls that have not been answered. */
  const sending = new Map<string, number>();
  return {
    kind: "notification",
    atOnce: maxSending,
    work: async (record) => {
      const host = hostOf(noticeOf(record));
      const count = sending.get(host) ?? 0;
      if (count >= maxSendingToOne) return putOff(parts, record);
      sending.set(host, count + 1);
      try {
        return await sendOne(parts, record);
      } finally {
        const left = (sending.get(host) ?? 1) - 1;
        if (left === 0) sending.delete(host);
        else sending.set(host, left);
      }
    },
  };
}

const hostOf = ({ request: { url } }: Notification): string => (URL.canParse(url) ? new URL(url).host : "");

async function putOff({ store, nowMs }: NoticeParts, record: StoreRecord): Promise<Worked> {
  const later: StoreRecord = { ...record, dueAtMs: nowMs() + busyMs };
  await store.commit([{ type: "putRecord", record: later }], "written");
  // Nothing more is to be done at once.
  return { awaits: [], isCommitted: false };
}

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
