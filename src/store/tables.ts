// Rows of the tables, as values of core: which columns a statement names, in which order, and how a
// row is read from and written to them.
import type { Action } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import type { CacheEntry, Reservation } from "../core/cache.ts";
import type { Run } from "../core/run.ts";
import { detailsOf, detailsText } from "./run-details.ts";
import {
  attachmentCodes,
  attachmentOf,
  attemptPhaseCodes,
  attemptPhaseOf,
  cacheStatusCodes,
  cacheStatusOf,
  digestColumn,
  digestOf,
  digestText,
  errorOf,
  jsonColumn,
  optional,
  phaseCodes,
  phaseOf,
  type Row,
  type SqlValue,
  sharedDigestColumn,
  typeCodes,
  typeOf,
} from "./sql.ts";
import { type Attachment, type EngineRecord, payloadOf, payloadText } from "./store.ts";

// What is settled when an action is inserted. All the rest may change.
const settledColumns = [
  "run",
  "name",
  "parent",
  "depth",
  "type",
  "label",
  "call_group",
  "identity",
  "spec",
  "inputs_hash",
];

export const changingColumns: readonly string[] = [
  "phase",
  "attempt",
  "user_failures",
  "system_failures",
  "interruptions",
  "oom_failures",
  "priority",
  "lane",
  "owner",
  "ready_at_ms",
  "due_at_ms",
  "created_at_ms",
  "started_at_ms",
  "attempt_started_at_ms",
  "ended_at_ms",
  "inputs",
  "outputs",
  "error",
  "cache_key",
  "cache_status",
  "reused_from",
  "revision",
];

export const actionInsert = insertInto("action", [...settledColumns, ...changingColumns]);

const actionDigests = ["identity", "spec", "inputs_hash", "cache_key"];

const actionColumns = [...settledColumns, ...changingColumns].map(readAction).join(", ");

function readAction(column: string): string {
  if (column === "parent") return "(select p.name from action p where p.id = a.parent)";
  return actionDigests.includes(column) ? digestText(`a.${column}`) : `a.${column}`;
}

/** Whole actions; the statement goes on with what else it reads from and which it wants. */
export const selectActions = `select ${actionColumns} from action a`;
export const selectActionsFrom = (source: string): string => `select ${actionColumns} from ${source}`;

export const actionRow = (action: Action, parentId: number | null, revision: number): SqlValue[] => {
  const row = settledRow(action, parentId);
  row.push(...changingRow(action, revision));
  return row;
};

export const settledRow = (action: Action, parentId: number | null): SqlValue[] => [
  action.run,
  action.name,
  parentId,
  action.depth,
  typeCodes[action.type],
  action.label,
  action.group,
  sharedDigestColumn(action.identity),
  action.spec === null ? null : sharedDigestColumn(action.spec),
  digestColumn(action.inputsHash),
];

export const changingRow = (action: Action, revision: number): SqlValue[] => [
  phaseCodes[action.phase],
  action.attempt,
  action.userFailures,
  action.systemFailures,
  action.interruptions,
  action.oomFailures,
  action.priority,
  action.lane,
  action.owner,
  action.readyAtMs,
  action.dueAtMs,
  action.createdAtMs,
  action.startedAtMs,
  action.attemptStartedAtMs,
  action.endedAtMs,
  payloadText(action.inputs),
  action.outputs === null ? null : payloadText(action.outputs),
  jsonColumn(action.error),
  optional(action.cacheKey, (digest) => digestColumn(digest as string)),
  action.cacheStatus === null ? null : cacheStatusCodes[action.cacheStatus],
  action.reusedFrom,
  revision,
];

export const actionOf = (row: Row): Action => ({
  run: row[0] as number,
  name: row[1] as string,
  parent: row[2] as string | null,
  depth: row[3] as number,
  type: typeOf(row[4]),
  label: row[5] as string,
  group: row[6] as string | null,
  identity: row[7] as string,
  spec: row[8] as string | null,
  inputsHash: row[9] as string,
  phase: phaseOf(row[10]),
  attempt: row[11] as number,
  userFailures: row[12] as number,
  systemFailures: row[13] as number,
  interruptions: row[14] as number,
  oomFailures: row[15] as number,
  priority: row[16] as number,
  lane: row[17] as number,
  owner: row[18] as string | null,
  readyAtMs: row[19] as number,
  dueAtMs: row[20] as number | null,
  createdAtMs: row[21] as number,
  startedAtMs: row[22] as number | null,
  attemptStartedAtMs: row[23] as number | null,
  endedAtMs: row[24] as number | null,
  inputs: payloadOf(row[25] as string),
  outputs: optional(row[26], (text) => payloadOf(text as string)),
  error: errorOf(row[27]),
  cacheKey: row[28] as string | null,
  cacheStatus: optional(row[29], cacheStatusOf),
  reusedFrom: row[30] as string | null,
  revision: row[31] as number,
});

const runColumns = [
  "id",
  "project",
  "domain",
  "name",
  "task",
  "bundle",
  "source_file",
  "project_dir",
  "phase",
  "created_at_ms",
  "ended_at_ms",
  "caller",
  "owner",
  "abort_reason",
  "recovers_run",
  "recovers_name",
  "overwrites_cache",
  "priority",
  "max_concurrency",
  "updated_at_ms",
  "details",
  "revision",
];

export const runInsert = insertInto("run", [...runColumns, "last_revision"]);
// The id stays out of it: rows that refer to it would be checked.
export const runUpdate = `update run set ${runColumns
  .slice(1)
  .map((column) => `${column} = ?`)
  .join(", ")}, last_revision = ? where id = ?`;
export const selectRuns = `select ${runColumns.join(", ")} from run`;

export const runRow = (run: Run, revision: number): SqlValue[] => [
  run.id,
  run.project,
  run.domain,
  run.name,
  run.task,
  digestColumn(run.bundle),
  run.source.file,
  run.source.projectDir,
  phaseCodes[run.phase],
  run.createdAtMs,
  run.endedAtMs,
  run.caller,
  run.owner,
  run.abortReason,
  run.recovers?.run ?? null,
  run.recovers?.name ?? null,
  run.overwriteCache ? 1 : 0,
  run.priority,
  run.maxConcurrency,
  run.updatedAtMs,
  detailsText(run),
  revision,
];

export const runOf = (row: Row): Run => ({
  id: row[0] as number,
  project: row[1] as string,
  domain: row[2] as string,
  name: row[3] as string,
  task: row[4] as string,
  bundle: digestOf(row[5]),
  source: { file: row[6] as string, projectDir: row[7] as string },
  phase: phaseOf(row[8]),
  createdAtMs: row[9] as number,
  updatedAtMs: row[19] as number,
  endedAtMs: row[10] as number | null,
  caller: row[11] as string,
  owner: row[12] as string | null,
  abortReason: row[13] as string | null,
  recovers: optional(row[14], (run) => ({ run: run as number, name: row[15] as string })),
  overwriteCache: row[16] === 1,
  priority: row[17] as number,
  maxConcurrency: row[18] as number | null,
  ...detailsOf(row[20] as string, row[9] as number),
  revision: row[21] as number,
});

export const attemptInsert = `${insertInto("attempt", ["action", "attempt", "phase", "started_at_ms", "ended_at_ms", "error"])}
  on conflict (action, attempt) do update set phase = excluded.phase, started_at_ms = excluded.started_at_ms,
    ended_at_ms = excluded.ended_at_ms, error = excluded.error`;

export const attemptRow = (attempt: AttemptRecord, actionId: number): SqlValue[] => [
  actionId,
  attempt.attempt,
  attemptPhaseCodes[attempt.phase],
  attempt.startedAtMs,
  attempt.endedAtMs,
  jsonColumn(attempt.error),
];

export const selectAttempts = `select a.run, a.name, t.attempt, t.phase, t.started_at_ms, t.ended_at_ms, t.error
  from action a join attempt t on t.action = a.id where a.run = ? and a.name = ? order by t.attempt`;

export const attemptOf = (row: Row): AttemptRecord => ({
  run: row[0] as number,
  name: row[1] as string,
  attempt: row[2] as number,
  phase: attemptPhaseOf(row[3]),
  startedAtMs: row[4] as number,
  endedAtMs: row[5] as number,
  error: errorOf(row[6]),
});

export const attachmentPut = `${insertInto("attachment", ["action", "kind", "attempt", "at_ms", "text"])}
  on conflict (action, kind) do update set attempt = excluded.attempt, at_ms = excluded.at_ms, text = excluded.text`;

export const attachmentRow = (attachment: Attachment, actionId: number): SqlValue[] => [
  actionId,
  attachmentCodes[attachment.kind],
  attachment.attempt,
  attachment.atMs,
  attachment.text,
];

export const selectAttachment = `select a.run, a.name, t.kind, t.attempt, t.text, t.at_ms
  from action a join attachment t on t.action = a.id where a.run = ? and a.name = ? and t.kind = ?`;

export const attachmentValue = (row: Row): Attachment => ({
  run: row[0] as number,
  name: row[1] as string,
  kind: attachmentOf(row[2]),
  attempt: row[3] as number,
  text: row[4] as string,
  atMs: row[5] as number,
});

const cacheColumns = [
  "cache_key",
  "project",
  "domain",
  "task",
  "run",
  "run_name",
  "action",
  "spec",
  "input_hashes",
  "outputs",
  "created_at_ms",
];

export const cacheEntryPut = `${insertInto("cache_entry", cacheColumns)} on conflict (cache_key) do update set
  ${cacheColumns
    .slice(1)
    .map((column) => `${column} = excluded.${column}`)
    .join(", ")}`;
export const selectCacheEntries = `select ${cacheColumns.join(", ")} from cache_entry`;

export const cacheEntryRow = (entry: CacheEntry): SqlValue[] => [
  digestColumn(entry.key),
  entry.project,
  entry.domain,
  entry.task,
  entry.run,
  entry.runName,
  entry.action,
  digestColumn(entry.spec),
  jsonColumn(entry.inputHashes),
  payloadText(entry.outputs),
  entry.createdAtMs,
];

export const cacheEntryOf = (row: Row): CacheEntry => ({
  key: digestOf(row[0]),
  project: row[1] as string,
  domain: row[2] as string,
  task: row[3] as string,
  run: row[4] as number,
  runName: row[5] as string,
  action: row[6] as string,
  spec: digestOf(row[7]),
  inputHashes: JSON.parse(row[8] as string),
  outputs: payloadOf(row[9] as string),
  createdAtMs: row[10] as number,
});

export const selectReservation = "select cache_key, run, action from reservation where cache_key = ?";

export const reservationOf = (row: Row): Reservation => ({
  key: digestOf(row[0]),
  run: row[1] as number,
  action: row[2] as string,
});

export const engineOf = (row: Row): EngineRecord => ({
  id: row[0] as string,
  pid: row[1] as number,
  host: row[2] as string,
  startedAtMs: row[3] as number,
});

function insertInto(table: string, columns: readonly string[]): string {
  return `insert into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`;
}
