// Reads of actions, each through an index (store.ts R5).
import type { Action, ActionKey } from "../core/action.ts";
import type { PhaseCounts } from "../core/run.ts";
import type { Connection } from "./connection.ts";
import { beforeAll, keysOf, mergeKeys, type OrderKey } from "./merge.ts";
import { digestColumn, phaseOf, type SqlValue, typeCodes } from "./sql.ts";
import type { ChangesQuery } from "./store.ts";
import { actionOf, selectActions, selectActionsFrom } from "./tables.ts";

const actionById = `${selectActions} where a.id = ?`;
const actionByName = `${selectActions} where a.run = ? and a.name = ?`;
const idByName = "select id from action where run = ? and name = ?";

export const actionId = (connection: Connection, run: number, name: string): number | null =>
  connection.number(idByName, run, name);

export function actions(connection: Connection, keys: readonly ActionKey[]): readonly Action[] {
  return connection.reading(() => keys.flatMap(({ run, name }) => found(connection, actionByName, run, name)));
}

const found = (connection: Connection, sql: string, ...values: readonly SqlValue[]): readonly Action[] =>
  connection.all(sql, ...values).map(actionOf);

/** Rows by the id that ends each key, in the order of the keys. */
export const byKeys = (connection: Connection, keys: readonly OrderKey[]): readonly Action[] =>
  keys.flatMap((key) => found(connection, actionById, key[key.length - 1] as number));

export function counts(connection: Connection, run: number, parent: string | undefined): PhaseCounts {
  return connection.reading(() => {
    const parentId = parent === undefined ? 0 : actionId(connection, run, parent);
    if (parentId === null) return {};
    const rows = connection.all(
      "select phase, n from phase_count where run = ? and parent = ? and n > 0",
      run,
      parentId,
    );
    return Object.fromEntries(rows.map(([phase, n]) => [phaseOf(phase), n as number]));
  });
}

const changesOfRun = `${selectActions} where a.run = ? and a.revision > ? order by a.revision limit ?`;

export const changedActions = (connection: Connection, query: ChangesQuery): readonly Action[] =>
  found(connection, changesOfRun, query.run, query.afterRevision, query.limit);

// `cross join` keeps the order of the loops: from the few runs to their rows.
const ofRuns = (condition: string): string =>
  `${selectActionsFrom("json_each(?) wanted cross join action a")} where a.run = wanted.value and ${condition} limit ?`;
const dueOfRuns = ofRuns("a.due_at_ms <= ?");
const leasedOfRuns = ofRuns("a.owner = ?");

export const due = (connection: Connection, runs: readonly number[], nowMs: number, limit: number): readonly Action[] =>
  found(connection, dueOfRuns, JSON.stringify(runs), nowMs, limit);

export const leased = (
  connection: Connection,
  runs: readonly number[],
  owner: string,
  limit: number,
): readonly Action[] => found(connection, leasedOfRuns, JSON.stringify(runs), owner, limit);

const waitingForKey = `select created_at_ms, id from action where cache_key = ? and phase = 1
  and (created_at_ms, id) > (?, ?) order by created_at_ms, id limit ?`;

export function waiting(connection: Connection, cacheKeys: readonly string[], limit: number): readonly Action[] {
  return connection.reading(() => {
    const lists = [...new Set(cacheKeys)].map((key) =>
      keysOf((after, count) => {
        const [createdAtMs, id] = (after ?? beforeAll) as [number, number];
        return connection.all(waitingForKey, digestColumn(key), createdAtMs, id, count) as readonly OrderKey[];
      }),
    );
    return byKeys(connection, mergeKeys(lists, limit));
  });
}

const activeOfParent = `${selectActions} where a.parent = ?
  and a.type in (${Object.values(typeCodes).join(", ")}) and a.ended_at_ms is null limit ?`;

export function activeChildren(connection: Connection, parent: ActionKey, limit: number): readonly Action[] {
  const parentId = actionId(connection, parent.run, parent.name);
  return parentId === null ? [] : found(connection, activeOfParent, parentId, limit);
}
