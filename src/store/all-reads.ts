// What can be read, and how each read is answered: with or without waiting for the disk (store.ts R6).
import { GodwitError } from "../core/error.ts";
import { listActions } from "./action-list.ts";
import * as actionReads from "./action-reads.ts";
import * as cacheReads from "./cache-reads.ts";
import * as claimReads from "./claim-reads.ts";
import type { Connection } from "./connection.ts";
import type { DurableReads } from "./durable-reads.ts";
import * as recordReads from "./record-reads.ts";
import { listRuns } from "./run-list.ts";
import * as runReads from "./run-reads.ts";
import { maxRowsPerRead, type Store } from "./store.ts";

type Read = <T>(query: () => T) => Promise<T>;
type ReadRows = <T>(rows: number, query: () => T) => Promise<T>;

export type WaysToRead = {
  /** For what nobody is told from: only later commits follow, and are durable only together with it. */
  readonly read: Read;
  readonly readRows: ReadRows;
  /** R6. */
  readonly told: Read;
  readonly toldRows: ReadRows;
};

export function waysToRead(durability: DurableReads, checkOpen: () => void): WaysToRead {
  const read: Read = async (query) => {
    checkOpen();
    return query();
  };
  const told: Read = async (query) => {
    const answer = await read(query);
    await durability.reached();
    return answer;
  };
  const limited =
    (way: Read): ReadRows =>
    (rows, query) =>
      way(() => {
        checkLimit(rows);
        return query();
      });
  return { read, told, readRows: limited(read), toldRows: limited(told) };
}

type Reads = Omit<
  Store,
  | "commit"
  | "allocate"
  | "publish"
  | "register"
  | "engines"
  | "forget"
  | "unservedRuns"
  | "onChange"
  | "verify"
  | "close"
>;

export function allReads(connection: Connection, { read, readRows, told, toldRows }: WaysToRead): Reads {
  return {
    run: (project, domain, name) => told(() => runReads.run(connection, project, domain, name)),
    runsById: (ids) => toldRows(ids.length, () => runReads.runsById(connection, ids)),
    runs: (filter, limit) => toldRows(limit, () => listRuns(connection, filter, limit)),
    counts: (run, parent) => told(() => actionReads.counts(connection, run, parent)),
    actions: (keys) => readRows(keys.length, () => actionReads.actions(connection, keys)),
    listActions: (filter, limit) => toldRows(limit, () => listActions(connection, filter, limit)),
    lastRevision: (run) => read(() => runReads.lastRevision(connection, run)),
    changedActions: (query) => toldRows(query.limit, () => actionReads.changedActions(connection, query)),
    attempts: (key) => told(() => runReads.attempts(connection, key)),
    lanes: (run, limit) => readRows(limit, () => claimReads.lanes(connection, run, limit)),
    claimable: (lane, nowMs, limit) => readRows(limit, () => claimReads.claimable(connection, lane, nowMs, limit)),
    due: (runs, nowMs, limit) => readRows(limit, () => actionReads.due(connection, runs, nowMs, limit)),
    nextMomentMs: (runs, nowMs) => read(() => claimReads.nextMomentMs(connection, runs, nowMs)),
    leased: (runs, owner, limit) => readRows(limit, () => actionReads.leased(connection, runs, owner, limit)),
    waiting: (cacheKeys, limit) => readRows(limit, () => actionReads.waiting(connection, cacheKeys, limit)),
    activeChildren: (parent, limit) => readRows(limit, () => actionReads.activeChildren(connection, parent, limit)),
    sweeps: (runs, limit) => toldRows(limit, () => runReads.sweeps(connection, runs, limit)),
    documents: (digests) => readRows(digests.length, () => runReads.documents(connection, digests)),
    attachments: (keys, kind) => toldRows(keys.length, () => runReads.attachments(connection, keys, kind)),
    cacheEntries: (keys) => readRows(keys.length, () => cacheReads.cacheEntries(connection, keys)),
    reservations: (keys) => readRows(keys.length, () => cacheReads.reservations(connection, keys)),
    listCacheEntries: (filter, limit) => toldRows(limit, () => cacheReads.listCacheEntries(connection, filter, limit)),
    cachedTasks: (filter, limit) => toldRows(limit, () => cacheReads.cachedTasks(connection, filter, limit)),
    records: (keys) => toldRows(keys.length, () => recordReads.records(connection, keys)),
    listRecords: (filter, limit) => toldRows(limit, () => recordReads.listRecords(connection, filter, limit)),
    dueRecords: (kind, nowMs, limit) => readRows(limit, () => recordReads.dueRecords(connection, kind, nowMs, limit)),
    nextDueRecordMs: (kind) => read(() => recordReads.nextDueRecordMs(connection, kind)),
  };
}

function checkLimit(rows: number): void {
  if (Number.isInteger(rows) && rows >= 0 && rows <= maxRowsPerRead) return;
  throw new GodwitError(
    "invalid_argument",
    `A read of ${rows} rows is not possible: ask for at most ${maxRowsPerRead} at a time.`,
  );
}
