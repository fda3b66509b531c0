// What a database must do for Godwit. It keeps rows: it knows keys, order and compare-and-set, and
// nothing of retries or of what a phase means. SQLite and Postgres both pass store.suite.ts.
//
// R1  A commit is all or nothing, and durable (fsynced) before its promise resolves. Commits that wait
//     at the same time share one transaction and one sync; one that is refused does not disturb others.
//     One that is asked for as "written" does not wait for the sync: it outlives the process, and a
//     power failure may take it back together with all that came after it, never without. It is for
//     what is only the record that something begins (a call was made, an attempt starts): whatever is
//     reported about it comes in a later commit, and with that it is durable too.
// R2  An update names the revision it was decided on. If the row has moved on, the whole commit is
//     refused with "conflict", and the caller reads again and decides again. One commit updates a
//     row at most once: nobody can know the revision of what it has just written.
// R3  Revisions count up per run, in the order of commits. Each row carries that of its last change, so
//     "rows after revision N" misses nothing. What changed twice is seen once. The counter is the
//     run's, but a run's own row has the revision of its own last change: a commit that only changes
//     actions does not refuse an update of the run.
// R4  Counts per run and per parent are kept in the commit that changes them, never counted.
// R5  Every read has a limit, and an index behind it: no operation scans a run.
// R6  Reads answer with what is committed. Those that people and tasks are told from do so only when all
//     that was to be synced, and was committed before, is durable: all but those that only a later
//     commit follows from (`actions`, `lanes`, `claimable`, `due`, `nextMomentMs`, `leased`, `waiting`,
//     `activeChildren`, `reservations`, `cacheEntries`, `documents`, `dueRecords`, `nextDueRecordMs`).
// R7  An engine that is registered is live until it closes or its process ends, however it ends.
import type { Action, ActionKey, ActionType, Phase } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import type { CacheEntry, Reservation } from "../core/cache.ts";
import type { PhaseCounts, Run } from "../core/run.ts";
import type { Payload } from "../core/value.ts";

/** What one commit does, in order. */
export type Change =
  /** Refused with "exists" if the project and domain have a run of that name, or the id is taken. */
  | { readonly type: "insertRun"; readonly run: Run }
  /** Compares `run.revision` (R2). */
  | { readonly type: "updateRun"; readonly run: Run }
  /** Refused with "exists". The run and the parent must be there or come earlier; else the commit rejects. */
  | { readonly type: "insertAction"; readonly action: Action }
  /**
   * Compares `action.revision` (R2). `from`: the row that it was decided on, as it was read under that
   * revision; only what differs is written then.
   */
  | { readonly type: "updateAction"; readonly action: Action; readonly from?: Action }
  /** Refused with "conflict" unless the action is in that phase and attempt: guards what a parent may add. */
  | { readonly type: "expectAction"; readonly key: ActionKey; readonly phase: Phase; readonly attempt: number }
  | { readonly type: "insertAttempt"; readonly attempt: AttemptRecord }
  /** Kept once under its digest; putting it again is nothing. */
  | { readonly type: "putDocument"; readonly digest: string; readonly text: string }
  | { readonly type: "putAttachment"; readonly attachment: Attachment }
  | { readonly type: "putCacheEntry"; readonly entry: CacheEntry }
  | { readonly type: "deleteCacheEntries"; readonly keys: readonly string[] }
  /** Refused with "exists" if another action holds the key. */
  | { readonly type: "reserve"; readonly reservation: Reservation }
  /** Nothing if that action does not hold it. */
  | { readonly type: "release"; readonly reservation: Reservation }
  /**
   * Remembers that the children of an action that has ended have to be aborted. Nothing if it has none
   * that has not ended: said with every end, it costs a look at the counts (R4).
   */
  | { readonly type: "insertSweep"; readonly sweep: ActionKey }
  | { readonly type: "deleteSweep"; readonly sweep: ActionKey }
  /**
   * With revision 0 it is inserted, and refused with "exists" if its key is taken; else the revision is
   * compared (R2), and the record keeps when it was created. It is stored with the next revision.
   */
  | { readonly type: "putRecord"; readonly record: StoreRecord }
  /** Compares the revision (R2). */
  | { readonly type: "deleteRecord"; readonly record: RecordKey & { readonly revision: number } };

export type RecordKind =
  | "project"
  | "task"
  | "taskVersion"
  | "trigger"
  | "triggerRevision"
  | "backfill"
  | "secret"
  | "setting"
  | "notification"
  | "image"
  | "cachedOutput"
  | "heldKey";

/** What means nothing for a kind is "". */
export type RecordKey = {
  readonly kind: RecordKind;
  readonly project: string;
  readonly domain: string;
  readonly name: string;
  readonly version: string;
};

/** Something small that the control plane keeps. Its revisions are its own, from 1. */
export type StoreRecord = RecordKey & {
  /** JSON. */
  readonly text: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** When something is to be done about it; null: never. */
  readonly dueAtMs: number | null;
  readonly revision: number;
};

export type RecordFilter = {
  readonly kind: RecordKind;
  readonly project?: string;
  readonly domain?: string;
  readonly name?: string;
  /** In any case of letters. */
  readonly nameContains?: string;
  /** By project, domain, name and version; or as they were inserted, the last or the first one first. */
  readonly order: "name" | "newest" | "oldest";
  /** Where the page before ended. */
  readonly after?: RecordPlace;
};

/** Of a listing in one order; only the listing knows what it means. */
export type RecordPlace = readonly (string | number)[];

/**
 * `next` is null when there is no more. A page may have fewer items than were asked for, or none, and yet
 * go on: for what no index finds, `maxRowsSearched` rows are looked through at a time.
 */
export type StorePage<Item, Place> = { readonly items: readonly Item[]; readonly next: Place | null };

export type CommitResult =
  /** `actions`: the rows it inserted and updated, in its order, with their new revisions. */
  | { readonly type: "committed"; readonly actions: readonly Action[] }
  /** `at` is the index of the change that was refused. */
  | { readonly type: "conflict" | "exists"; readonly at: number };

/** R1. "synced" unless said otherwise. */
export type Durability = "synced" | "written";

/** Something small that an action keeps beside its row; a later one of the same kind replaces it. */
export type Attachment = ActionKey & {
  readonly kind: "checkpoint" | "report" | "progress";
  readonly attempt: number;
  /** JSON: what `control` knows how to read. */
  readonly text: string;
  readonly atMs: number;
};

/** `fromMs` is in it, `beforeMs` is not. Left out: open. */
export type TimeRange = { readonly fromMs?: number; readonly beforeMs?: number };

export type RunFilter = {
  readonly project: string;
  readonly domain: string;
  readonly phases?: readonly Phase[];
  /** Full task name. */
  readonly task?: string;
  readonly createdAtMs?: TimeRange;
  /** By creation; "newest" unless said otherwise. */
  readonly order?: "newest" | "oldest";
  /** Where the page before ended. */
  readonly after?: RunPlace;
  // No index knows these (StorePage).
  readonly taskVersion?: string;
  /** Name of the trigger that started it. */
  readonly trigger?: string;
  readonly caller?: string;
  /** In any case of letters. */
  readonly nameContains?: string;
  readonly updatedAtMs?: TimeRange;
  /** All of these; a value of null is any. */
  readonly labels?: readonly { readonly key: string; readonly value: string | null }[];
  /** Only those in which something is paused now. */
  readonly hasPaused?: true;
};

export type RunPlace = { readonly createdAtMs: number; readonly id: number };

export type ActionFilter = {
  readonly run: number;
  /** Direct children of this action only. */
  readonly parent?: string;
  readonly phases?: readonly Phase[];
  readonly type?: ActionType;
  /** Of creation within the run (of insertion if created at one time). The oldest first, if left out. */
  readonly order?: "oldest" | "newest";
  /** Actions after this one, in that order. */
  readonly after?: { readonly createdAtMs: number; readonly name: string };
};

export type ChangesQuery = {
  readonly run: number;
  readonly afterRevision: number;
  readonly limit: number;
};

export type CacheFilter = {
  readonly project: string;
  readonly domain: string;
  readonly task?: string;
  /** Beginning of the key, in hexadecimal digits. */
  readonly keyPrefix?: string;
};

export type EngineRecord = {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly startedAtMs: number;
};

/** Of resources by name, see `Capacity.held`. */
export type Amounts = { readonly [resource: string]: number };

/** `others`: what all other live engines hold together. */
export type Allocation = { readonly granted: boolean; readonly others: Amounts };

/** Where actions wait: queued, of one run, and alike (core/resources.ts `laneOf`). */
export type Lane = { readonly run: number; readonly lane: number };

/** What was committed together, in order of revision. */
export type Committed = {
  /**
   * Run → the revisions that its rows got. Between two of these there is none of this process. If `first`
   * is after `last`, only something beside rows has changed: attachments, reservations or sweeps.
   */
  readonly runs: ReadonlyMap<number, { readonly first: number; readonly last: number }>;
  /** As they are now; what changed twice is here twice. */
  readonly actions: readonly Action[];
  /** Runs in which something was left to be swept. */
  readonly sweeps: ReadonlySet<number>;
  /** Of which kinds there are records that were put or deleted. */
  readonly records: ReadonlySet<RecordKind>;
};

export interface Store {
  /**
   * R1, R2. Rejects when the database itself fails, and with `resource_exhausted` when the disk is full
   * or too much waits to be committed.
   */
  commit(changes: readonly Change[], durability?: Durability): Promise<CommitResult>;

  run(project: string, domain: string, name: string): Promise<Run | null>;
  runsById(ids: readonly number[]): Promise<readonly Run[]>;
  runs(filter: RunFilter, limit: number): Promise<StorePage<Run, RunPlace>>;
  /** Of a whole run, or of the direct children of one action. */
  counts(run: number, parent?: string): Promise<PhaseCounts>;

  /** In any order; keys without a row are left out. */
  actions(keys: readonly ActionKey[]): Promise<readonly Action[]>;
  /** In order of creation. */
  listActions(filter: ActionFilter, limit: number): Promise<readonly Action[]>;
  /** The last that any row of the run got; 0 if there is no such run. Whoever reads rows after this can follow from it. */
  lastRevision(run: number): Promise<number>;
  /** R3. In order of revision. */
  changedActions(query: ChangesQuery): Promise<readonly Action[]>;
  attempts(key: ActionKey): Promise<readonly AttemptRecord[]>;

  /** Lanes of the run in which something is queued. */
  lanes(run: number, limit: number): Promise<readonly Lane[]>;
  /** Queued in the lane and ready by now: by priority, deepest first, then those that have been ready longest. */
  claimable(lane: Lane, nowMs: number, limit: number): Promise<readonly Action[]>;
  /** Actions of these runs whose `dueAtMs` has come. */
  due(runs: readonly number[], nowMs: number, limit: number): Promise<readonly Action[]>;
  /** The next moment at which `claimable` or `due` may grow by time alone, or null. */
  nextMomentMs(runs: readonly number[], nowMs: number): Promise<number | null>;
  /** Actions of these runs that are leased to that engine. */
  leased(runs: readonly number[], owner: string, limit: number): Promise<readonly Action[]>;
  /** Actions that wait for this cache key, in any run: oldest first. */
  waiting(cacheKeys: readonly string[], limit: number): Promise<readonly Action[]>;
  /** Children of this action that have not ended. */
  activeChildren(parent: ActionKey, limit: number): Promise<readonly Action[]>;
  sweeps(runs: readonly number[], limit: number): Promise<readonly ActionKey[]>;

  documents(digests: readonly string[]): Promise<ReadonlyMap<string, string>>;
  attachments(keys: readonly ActionKey[], kind: Attachment["kind"]): Promise<readonly Attachment[]>;

  cacheEntries(keys: readonly string[]): Promise<readonly CacheEntry[]>;
  reservations(keys: readonly string[]): Promise<readonly Reservation[]>;
  /** Newest first. */
  listCacheEntries(filter: CacheFilter, limit: number): Promise<readonly CacheEntry[]>;
  /** Names of the tasks that have entries, in their order. */
  cachedTasks(filter: Pick<CacheFilter, "project" | "domain">, limit: number): Promise<readonly string[]>;

  /** In any order; keys without a record are left out. */
  records(keys: readonly RecordKey[]): Promise<readonly StoreRecord[]>;
  listRecords(filter: RecordFilter, limit: number): Promise<StorePage<StoreRecord, RecordPlace>>;
  /** Those whose `dueAtMs` has come, the longest due first. */
  dueRecords(kind: RecordKind, nowMs: number, limit: number): Promise<readonly StoreRecord[]>;
  nextDueRecordMs(kind: RecordKind): Promise<number | null>;

  /**
   * Declares all that the engine now holds of what several processes share (memory, disk, GPUs by index,
   * tokens), in one transaction with a look at what other live engines hold: granted only if together it
   * is not more than `totals`, and there is none of what these do not name. What is only given back is
   * always granted. If refused, what was declared before still stands.
   */
  allocate(engineId: string, held: Amounts, totals: Amounts): Promise<Allocation>;
  /** What the engine says of itself, JSON: replaces what it said before. */
  publish(engineId: string, status: string): Promise<void>;
  /** Makes an engine known, with the first that it says of itself, and holds its mark of life (R7). */
  register(engine: EngineRecord & { readonly status?: string }): Promise<void>;
  engines(): Promise<readonly (EngineRecord & { readonly isLive: boolean; readonly status: string | null })[]>;
  forget(engineIds: readonly string[]): Promise<void>;
  /** Ids of runs that have not ended, or in which something is to be swept, and that no live engine owns. */
  unservedRuns(limit: number): Promise<readonly number[]>;

  /**
   * Calls back after commits, in their order: of this process with all that changed, each once and as
   * durable as it was asked for; of other processes soon, with null, which is only a hint to look.
   * Returns how to stop.
   */
  onChange(listener: (committed: Committed | null) => void): () => void;

  /** Empty if the database is sound, else what is wrong with it, a line each. */
  verify(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What one read may ask for, in rows or keys; more is refused with `invalid_argument` (R5). */
export const maxRowsPerRead = 10_000;

/** Rows that a page of a listing looks through, at most (StorePage): some 30 ms. */
export const maxRowsSearched = 5_000;

/** How a payload is kept in one column: JSON text begins with "{", a blob's digest with "#". */
export const payloadText = (payload: Payload): string =>
  payload.type === "inline" ? payload.text : `#${payload.digest}`;

export const payloadOf = (text: string): Payload =>
  text.startsWith("#") ? { type: "blob", digest: text.slice(1) } : { type: "inline", text };
