// Which statement an update of an action takes: the narrowest that writes all that has changed. Columns
// that a statement does not name cost nothing, and leave the indexes and constraints on them alone.
import type { Action } from "../core/action.ts";
import type { Payload } from "../core/value.ts";
import { cacheStatusCodes, jsonColumn, phaseCodes, type SqlValue } from "./sql.ts";
import { payloadText } from "./store.ts";
import { changingColumns, changingRow } from "./tables.ts";

/** A statement and its values; the last is the row's id. */
export type ActionUpdate = { readonly sql: string; readonly values: SqlValue[] };

/** What is known of the row as it is: all of it, or when it was made and ended. */
export type Before = Pick<Action, "createdAtMs" | "endedAtMs">;

export function actionUpdate(before: Before | Action, action: Action, id: number, revision: number): ActionUpdate {
  if ("inputs" in before && keepsMost(before, action)) {
    if (isBeginning(before, action)) return { sql: beginning, values: beginningRow(action, id, revision) };
    if (isEnd(before, action)) return { sql: end, values: endRow(action, id, revision) };
  }
  const row = changingRow(action, revision);
  const isSteady = before.createdAtMs === action.createdAtMs && before.endedAtMs === action.endedAtMs;
  const values = isSteady ? row.filter((_, at) => !steadyPlaces.has(at)) : row;
  values.push(id);
  return { sql: isSteady ? steady : whole, values };
}

const updateOf = (columns: readonly string[]): string =>
  `update action set ${columns.map((column) => `${column} = ?`).join(", ")} where id = ?`;

const whole = updateOf(changingColumns);

// Columns of indexes that an action stays in as long as these do not change.
const steadyColumns = ["created_at_ms", "ended_at_ms"];
const steadyPlaces = new Set(steadyColumns.map((column) => changingColumns.indexOf(column)));
const steady = updateOf(changingColumns.filter((column) => !steadyColumns.includes(column)));

/** Neither an attempt's beginning nor its end touches these. */
const keepsMost = (before: Action, action: Action): boolean =>
  before.userFailures === action.userFailures &&
  before.systemFailures === action.systemFailures &&
  before.interruptions === action.interruptions &&
  before.oomFailures === action.oomFailures &&
  before.priority === action.priority &&
  before.lane === action.lane &&
  before.readyAtMs === action.readyAtMs &&
  before.dueAtMs === action.dueAtMs &&
  before.createdAtMs === action.createdAtMs &&
  isSame(before.inputs, action.inputs) &&
  before.cacheKey === action.cacheKey &&
  before.reusedFrom === action.reusedFrom;

const isSame = (one: Payload, other: Payload): boolean => one === other || payloadText(one) === payloadText(other);

const beginning = updateOf([
  "phase",
  "attempt",
  "owner",
  "started_at_ms",
  "attempt_started_at_ms",
  "cache_status",
  "revision",
]);

const isBeginning = (before: Action, action: Action): boolean =>
  before.endedAtMs === action.endedAtMs && before.outputs === action.outputs && before.error === action.error;

const beginningRow = (action: Action, id: number, revision: number): SqlValue[] => [
  phaseCodes[action.phase],
  action.attempt,
  action.owner,
  action.startedAtMs,
  action.attemptStartedAtMs,
  action.cacheStatus === null ? null : cacheStatusCodes[action.cacheStatus],
  revision,
  id,
];

const end = updateOf(["phase", "owner", "ended_at_ms", "outputs", "error", "revision"]);

const isEnd = (before: Action, action: Action): boolean =>
  before.attempt === action.attempt &&
  before.startedAtMs === action.startedAtMs &&
  before.attemptStartedAtMs === action.attemptStartedAtMs &&
  before.cacheStatus === action.cacheStatus;

const endRow = (action: Action, id: number, revision: number): SqlValue[] => [
  phaseCodes[action.phase],
  action.owner,
  action.endedAtMs,
  action.outputs === null ? null : payloadText(action.outputs),
  jsonColumn(action.error),
  revision,
  id,
];
