// Rows of the table of records: what a statement names, and how a row is read from and written to it.
import { type Row, recordCodes, recordKindOf, type SqlValue } from "./sql.ts";
import type { RecordKey, StoreRecord } from "./store.ts";

const keyColumns = "kind, project, domain, name, version";

export const recordInsert = `insert into record (${keyColumns}, text, created_at_ms, updated_at_ms, due_at_ms, revision)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`;

const whereKey = "where kind = ? and project = ? and domain = ? and name = ? and version = ?";

export const recordUpdate = `update record set text = ?, updated_at_ms = ?, due_at_ms = ?, revision = ? ${whereKey}`;
export const recordDelete = `delete from record ${whereKey}`;
export const recordState = `select revision, created_at_ms from record ${whereKey}`;

export const selectRecords = `select ${keyColumns}, text, created_at_ms, updated_at_ms, due_at_ms, revision, id from record`;
export const recordByKey = `${selectRecords} ${whereKey}`;

/** For `whereKey`. */
export const recordKeyRow = ({ kind, project, domain, name, version }: RecordKey): readonly SqlValue[] => [
  recordCodes[kind],
  project,
  domain,
  name,
  version,
];

export const recordRow = (record: StoreRecord): readonly SqlValue[] => [
  ...recordKeyRow(record),
  record.text,
  record.createdAtMs,
  record.updatedAtMs,
  record.dueAtMs,
];

export const recordOf = (row: Row): StoreRecord => ({
  kind: recordKindOf(row[0]),
  project: row[1] as string,
  domain: row[2] as string,
  name: row[3] as string,
  version: row[4] as string,
  text: row[5] as string,
  createdAtMs: row[6] as number,
  updatedAtMs: row[7] as number,
  dueAtMs: row[8] as number | null,
  revision: row[9] as number,
});
