// Runs in order of creation, by any filter: lists that indexes keep in this order, one per phase, merged;
// what no index tells apart is looked through, so many at a time (store.ts R5, StorePage).
import { phases as allPhases, isTerminal } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { Connection } from "./connection.ts";
import { keysOf, merged, type OrderKey } from "./merge.ts";
import { phaseCodes, type SqlValue } from "./sql.ts";
import { maxRowsSearched, type RunFilter, type RunPlace, type StorePage } from "./store.ts";
import { runOf, selectRuns } from "./tables.ts";

export function listRuns(connection: Connection, filter: RunFilter, limit: number): StorePage<Run, RunPlace> {
  const { sql, values } = wanted(filter);
  const sign = filter.order === "oldest" ? 1 : -1;
  return connection.reading(() => {
    const items: Run[] = [];
    let next: RunPlace | null = filter.after ?? null;
    let searched = 0;
    for (const [createdAtMs, id] of merged(listsOf(connection, filter)) as Iterable<[number, number]>) {
      if (items.length === limit || searched === maxRowsSearched) return { items, next };
      const row = connection.first(sql, sign * id, ...values);
      if (row !== null) items.push(runOf(row));
      next = { createdAtMs: sign * createdAtMs, id: sign * id };
      searched++;
    }
    return { items, next: null };
  });
}

/** Newest first, keys are negated. */
function listsOf(connection: Connection, filter: RunFilter): readonly Generator<OrderKey>[] {
  const { project, domain, task, phases = allPhases, hasPaused } = filter;
  const place = `project = ? and domain = ?${task === undefined ? "" : " and task = ?"} and phase = ?`;
  const scope = [project, domain, ...(task === undefined ? [] : [task])];
  const { sql, start, end } = filter.order === "oldest" ? oldestFirst(place, filter) : newestFirst(place, filter);
  // Who has ended waits for nothing.
  const possible = [...new Set(phases)].filter((phase) => hasPaused === undefined || !isTerminal(phase));
  return possible.map((phase) =>
    keysOf((after, count) => {
      const from = (after ?? start).map(Math.abs);
      return connection.all(sql, ...scope, phaseCodes[phase], ...from, end, count) as readonly OrderKey[];
    }),
  );
}

type Order = { readonly sql: string; readonly start: OrderKey; readonly end: number };

function newestFirst(place: string, { createdAtMs: { fromMs = 0, beforeMs } = {}, after }: RunFilter): Order {
  const latest = { createdAtMs: beforeMs ?? Number.MAX_SAFE_INTEGER, id: 0 };
  const start = after === undefined || after.createdAtMs >= latest.createdAtMs ? latest : after;
  return {
    sql: `select -created_at_ms, -id from run where ${place} and (created_at_ms, id) < (?, ?) and created_at_ms >= ?
      order by created_at_ms desc, id desc limit ?`,
    start: [start.createdAtMs, start.id],
    end: fromMs,
  };
}

function oldestFirst(place: string, { createdAtMs: { fromMs = 0, beforeMs } = {}, after }: RunFilter): Order {
  const start = after === undefined || after.createdAtMs < fromMs ? { createdAtMs: fromMs, id: 0 } : after;
  return {
    sql: `select created_at_ms, id from run where ${place} and (created_at_ms, id) > (?, ?) and created_at_ms < ?
      order by created_at_ms, id limit ?`,
    start: [start.createdAtMs, start.id],
    end: beforeMs ?? Number.MAX_SAFE_INTEGER,
  };
}

// Labels come as one value, so that one statement does for any number of them.
const hasLabels = `not exists (select 1 from json_each(?) wanted where not exists (
  select 1 from json_each(details, '$.labels') where json_each.key = json_extract(wanted.value, '$.key')
    and json_each.value = coalesce(json_extract(wanted.value, '$.value'), json_each.value)))`;

// Whoever asks for a version does not ask whether it was deployed.
const versionOfRun =
  "coalesce(json_extract(details, '$.origin.taskVersion'), json_extract(details, '$.origin.codeVersion'))";

const hasPausedNow = `exists (select 1 from phase_count c where c.run = run.id and c.parent = 0
  and c.phase = ${phaseCodes.paused} and c.n > 0)`;

/** One run, if it is as the filter wants it. */
function wanted(filter: RunFilter): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const { taskVersion, trigger, caller, nameContains, updatedAtMs = {}, labels, hasPaused } = filter;
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const add = (condition: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add(`${versionOfRun} = ?`, taskVersion);
  add("json_extract(details, '$.origin.trigger.name') = ?", trigger);
  add("caller = ?", caller);
  add("instr(lower(name), ?) > 0", nameContains?.toLowerCase());
  add("updated_at_ms >= ?", updatedAtMs.fromMs);
  add("updated_at_ms < ?", updatedAtMs.beforeMs);
  add(hasLabels, labels === undefined || labels.length === 0 ? undefined : JSON.stringify(labels));
  if (hasPaused === true) conditions.push(hasPausedNow);
  return { sql: [`${selectRuns} where id = ?`, ...conditions].join(" and "), values };
}
