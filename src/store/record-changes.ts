// Changes of records inside a transaction: checked first, written later (commits.ts R1, R2).
import type { Connection } from "./connection.ts";
import { recordDelete, recordInsert, recordKeyRow, recordRow, recordState, recordUpdate } from "./record-tables.ts";
import type { Change, RecordKind } from "./store.ts";

type RecordChange = Change & { readonly type: "putRecord" | "deleteRecord" };

/** What a set has done to records so far, by key. */
export type ChangedRecords = Map<string, "put" | "deleted">;

export class RecordChanges {
  readonly #connection: Connection;
  /** Of which something was written. */
  readonly kinds = new Set<RecordKind>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The write it stands for, or why it is refused. */
  check({ type, record }: RecordChange, changed: ChangedRecords): (() => undefined) | "conflict" | "exists" {
    const key = JSON.stringify(recordKeyRow(record));
    const before = changed.get(key);
    const isInsert = type === "putRecord" && record.revision === 0;
    if (isInsert) {
      if (before === "put" || (before === undefined && this.#state(record) !== null)) return "exists";
    } else {
      // What this set has changed already has a revision that its caller cannot know.
      const state = before === undefined ? this.#state(record) : null;
      if (state?.revision !== record.revision) return "conflict";
      // Another record may have taken the key since, and counted as far.
      if (type === "putRecord" && state.createdAtMs !== record.createdAtMs) return "conflict";
    }
    changed.set(key, type === "putRecord" ? "put" : "deleted");
    return () => {
      this.#write({ type, record } as RecordChange);
      this.kinds.add(record.kind);
    };
  }

  #write(change: RecordChange): void {
    if (change.type === "deleteRecord") {
      this.#connection.run(recordDelete, ...recordKeyRow(change.record));
      return;
    }
    const { record } = change;
    if (record.revision === 0) {
      this.#connection.run(recordInsert, ...recordRow(record));
      return;
    }
    const { text, updatedAtMs, dueAtMs, revision } = record;
    this.#connection.run(recordUpdate, text, updatedAtMs, dueAtMs, revision + 1, ...recordKeyRow(record));
  }

  #state(record: RecordChange["record"]): { readonly revision: number; readonly createdAtMs: number } | null {
    const row = this.#connection.first(recordState, ...recordKeyRow(record));
    return row === null ? null : { revision: row[0] as number, createdAtMs: row[1] as number };
  }
}
