// What waits to be claimed, through the index on queued actions: it is walked from group to group (of
// one lane, priority and depth), so that neither those of other groups nor those that are not ready
// yet are looked at (store.ts R5).
import type { Action } from "../core/action.ts";
import type { Connection } from "./connection.ts";
import type { Lane } from "./store.ts";
import { actionOf, selectActions } from "./tables.ts";

const queued = "from action where run = ? and phase = 0";

const lanesOfRun = `with recursive found (lane) as (
    select min(lane) ${queued}
    union all
    select (select min(lane) ${queued} and lane > found.lane) from found where lane is not null
  )
  select lane from found where lane is not null limit ?`;

export const lanes = (connection: Connection, run: number, limit: number): readonly Lane[] =>
  connection.all(lanesOfRun, run, run, limit).map(([lane]) => ({ run, lane: lane as number }));

const nextPriority = `select max(priority) ${queued} and lane = ? and priority < ?`;
const nextDepth = `select max(depth) ${queued} and lane = ? and priority = ? and depth < ?`;
const readyOfGroup = `${selectActions} where a.run = ? and a.phase = 0 and a.lane = ? and a.priority = ? and a.depth = ?
  and a.ready_at_ms <= ? order by a.ready_at_ms, a.id limit ?`;

export function claimable(
  connection: Connection,
  { run, lane }: Lane,
  nowMs: number,
  limit: number,
): readonly Action[] {
  return connection.reading(() => {
    const actions: Action[] = [];
    const next = (sql: string, ...before: readonly number[]) => connection.number(sql, run, lane, ...before);
    let priority = next(nextPriority, Number.MAX_SAFE_INTEGER);
    while (priority !== null && actions.length < limit) {
      let depth = next(nextDepth, priority, Number.MAX_SAFE_INTEGER);
      while (depth !== null && actions.length < limit) {
        const left = limit - actions.length;
        for (const row of connection.all(readyOfGroup, run, lane, priority, depth, nowMs, left)) {
          actions.push(actionOf(row));
        }
        depth = next(nextDepth, priority, depth);
      }
      priority = next(nextPriority, priority);
    }
    return actions;
  });
}

// One statement for all runs: most of ten thousand have nothing queued.
const ofRun = (table: string): string => `from action where run = ${table}.run and phase = 0`;
const ofLane = (table: string): string => `${ofRun(table)} and lane = ${table}.lane`;
const ofPriority = (table: string): string => `${ofLane(table)} and priority = ${table}.priority`;
const nextReady = `with recursive wanted (run) as materialized (select value from json_each(?)),
  walked (run, lane) as (
    select run, (select min(lane) ${ofRun("wanted")}) from wanted
    union all
    select run, (select min(lane) ${ofRun("walked")} and lane > walked.lane) from walked where lane is not null
  ),
  urgency (run, lane, priority) as (
    select run, lane, (select max(priority) ${ofLane("walked")}) from walked where lane is not null
    union all
    select run, lane, (select max(priority) ${ofLane("urgency")} and priority < urgency.priority)
      from urgency where priority is not null
  ),
  level (run, lane, priority, depth) as (
    select run, lane, priority, (select max(depth) ${ofPriority("urgency")}) from urgency where priority is not null
    union all
    select run, lane, priority, (select max(depth) ${ofPriority("level")} and depth < level.depth)
      from level where depth is not null
  )
  select min((select min(ready_at_ms) ${ofPriority("level")} and depth = level.depth and ready_at_ms > ?))
    from level where depth is not null`;

const nextDue = `select min((select min(due_at_ms) from action where run = wanted.value and due_at_ms > ?))
  from json_each(?) wanted`;

export function nextMomentMs(connection: Connection, runs: readonly number[], nowMs: number): number | null {
  return connection.reading(() => {
    const wanted = JSON.stringify(runs);
    const readyAtMs = connection.number(nextReady, wanted, nowMs);
    const dueAtMs = connection.number(nextDue, nowMs, wanted);
    return readyAtMs === null || dueAtMs === null ? (readyAtMs ?? dueAtMs) : Math.min(readyAtMs, dueAtMs);
  });
}
