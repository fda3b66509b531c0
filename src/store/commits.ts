// Applies sets of changes inside one database transaction.
//
// R1  A set is checked as a whole before any of it is written, so a refused set leaves nothing to undo
//     and the sets before and after it are not disturbed.
// R2  A set sees what sets before it in the transaction wrote, and its own changes in their order.
// R3  Revisions and counts are gathered in memory and written once, when all sets have been applied.
// R4  That an action which is not known is new is presumed at first, and left to the index of names. If that
//     refuses one, all sets are applied once more, and everything is looked up. So is each set that is refused.
import type { Action, ActionKey, Phase } from "../core/action.ts";
import type { Reservation } from "../core/cache.ts";
import { assert, GodwitError, isGodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import { actionUpdate } from "./action-updates.ts";
import type { Connection } from "./connection.ts";
import type { KnownAction, KnownActions } from "./known-actions.ts";
import { type Newness, Overlay } from "./overlay.ts";
import { RecordChanges } from "./record-changes.ts";
import { digestColumn, phaseCodes, phaseOf, type SqlValue } from "./sql.ts";
import type { Change, CommitResult, Committed } from "./store.ts";
import * as tables from "./tables.ts";
import { RunTotals } from "./totals.ts";

/** What checking a change gives: the write it stands for, or why the set is refused. */
type Checked = Write | "conflict" | "exists";

/** Gives the action as it is now, if it was one that was written. */
type Write = () => Action | undefined;

/** If any of the writes throws, the transaction has to be rolled back. */
export type CheckedSet =
  | { readonly type: "refused"; readonly result: CommitResult }
  | { readonly type: "accepted"; readonly changes: readonly Change[]; readonly writes: readonly Write[] };

export class Transaction {
  readonly #connection: Connection;
  readonly #known: KnownActions;
  readonly #newness: Newness;
  readonly #totals: RunTotals;
  readonly #records: RecordChanges;
  readonly #sweeps = new Set<number>();
  // Bounded by the changes of one transaction.
  readonly #runs = new Set<number>();
  #lastRun: number | null = null;
  readonly #actions: Action[] = [];

  constructor(connection: Connection, known: KnownActions, newness: Newness) {
    this.#connection = connection;
    this.#known = known;
    this.#newness = newness;
    this.#totals = new RunTotals(connection);
    this.#records = new RecordChanges(connection);
    known.begin();
  }

  /** R1. Throws a GodwitError for a set that no caller may send. */
  check(changes: readonly Change[]): CheckedSet {
    if (this.#newness === "looked up") return this.#checkAll(changes, "looked up");
    try {
      const checked = this.#checkAll(changes, "presumed");
      if (checked.type === "accepted") return checked;
    } catch (error) {
      if (!isGodwitError(error)) throw error;
    }
    // An earlier change may be to blame, of which too much was presumed.
    return this.#checkAll(changes, "looked up");
  }

  #checkAll(changes: readonly Change[], newness: Newness): CheckedSet {
    const overlay = new Overlay(newness, this.#known.newMark());
    const writes: Write[] = [];
    for (let at = 0; at < changes.length; at++) {
      const checked = this.#check(changes[at] as Change, overlay);
      if (typeof checked === "string") return { type: "refused", result: { type: checked, at } };
      writes.push(checked);
    }
    return { type: "accepted", changes, writes };
  }

  write({ changes, writes }: Extract<CheckedSet, { type: "accepted" }>): CommitResult {
    const actions: Action[] = [];
    for (const write of writes) {
      const action = write();
      if (action !== undefined) actions.push(action);
    }
    for (const change of changes) {
      const run = runOf(change);
      if (run !== null && run !== this.#lastRun) this.#runs.add(run);
      this.#lastRun = run ?? this.#lastRun;
    }
    for (const action of actions) this.#actions.push(action);
    return { type: "committed", actions };
  }

  /** R3. Gives what all sets together have changed. */
  finish(): Committed {
    this.#totals.write();
    this.#known.trim();
    const runs = this.#totals.ranges(this.#runs);
    return { runs, actions: this.#actions, sweeps: this.#sweeps, records: this.#records.kinds };
  }

  #check(change: Change, overlay: Overlay): Checked {
    switch (change.type) {
      case "insertRun":
        return this.#checkInsertRun(change.run, overlay);
      case "updateRun":
        return this.#checkUpdateRun(change.run, overlay);
      case "insertAction":
        return this.#checkInsertAction(change.action, overlay);
      case "updateAction":
        return this.#checkUpdateAction(change, overlay);
      case "expectAction": {
        const current = this.#planned(change.key, overlay);
        const isExpected = current?.phase === change.phase && current.attempt === change.attempt;
        return isExpected ? nothing : "conflict";
      }
      case "reserve":
      case "release":
        return this.#checkReservation(change, overlay);
      case "insertAttempt":
        this.#expectKnown(change.attempt, overlay);
        return this.#writing(() => [
          tables.attemptInsert,
          ...tables.attemptRow(change.attempt, this.#get(change.attempt).id),
        ]);
      case "putAttachment": {
        const { attachment } = change;
        this.#expectKnown(attachment, overlay);
        return this.#writing(() => [
          tables.attachmentPut,
          ...tables.attachmentRow(attachment, this.#get(attachment).id),
        ]);
      }
      case "putRecord":
      case "deleteRecord":
        return this.#records.check(change, overlay.records);
      default:
        return () => {
          this.#put(change);
          return undefined;
        };
    }
  }

  #checkInsertRun(run: Run, overlay: Overlay): Checked {
    const name = JSON.stringify([run.project, run.domain, run.name]);
    if (overlay.runs.has(run.id) || overlay.runs.has(name)) return "exists";
    if (this.#connection.first("select 1 from run where id = ?", run.id) !== null) return "exists";
    const byName = "select 1 from run where project = ? and domain = ? and name = ?";
    if (this.#connection.first(byName, run.project, run.domain, run.name) !== null) return "exists";
    overlay.runs.add(run.id).add(name);
    return () => {
      const revision = this.#totals.firstRevision(run.id);
      this.#run(tables.runInsert, ...tables.runRow(run, revision), revision);
      return undefined;
    };
  }

  #checkUpdateRun(run: Run, overlay: Overlay): Checked {
    // A row that this set has changed already has a revision that its caller cannot know.
    if (overlay.runs.has(run.id)) return "conflict";
    const revision = this.#connection.number("select revision from run where id = ?", run.id);
    if (revision !== run.revision) return "conflict";
    overlay.runs.add(run.id);
    return () => {
      const next = this.#totals.nextRevision(run.id);
      this.#run(tables.runUpdate, ...tables.runRow(run, next).slice(1), next, run.id);
      return undefined;
    };
  }

  #checkInsertAction(action: Action, overlay: Overlay): Checked {
    const key = keyText(action);
    if (overlay.inserted.has(key)) return "exists";
    const known = overlay.newness === "presumed" ? this.#known.get(action) : this.#find(action);
    if (known !== undefined && known !== null) return "exists";
    if (!this.#totals.isKnown(action.run) && !overlay.runs.has(action.run)) {
      throw new GodwitError(
        "failed_precondition",
        `There is no run with id ${action.run} to add action ${action.name} to.`,
      );
    }
    if (action.parent !== null) this.#expectKnown({ run: action.run, name: action.parent }, overlay);
    overlay.inserted.set(key, action);
    return () => this.#insert(action);
  }

  #insert(action: Action): Action {
    const { run, name, phase, attempt, createdAtMs, endedAtMs } = action;
    const parent = action.parent === null ? null : this.#get({ run, name: action.parent });
    if (parent !== null) parent.mayHaveChildren = true;
    const parentId = parent === null ? null : parent.id;
    const revision = this.#totals.nextRevision(run);
    const id = this.#connection.put(tables.actionInsert, tables.actionRow(action, parentId, revision));
    const key = { run, name };
    const known = { key, id, parentId, phase, attempt, createdAtMs, endedAtMs, revision, change: null };
    this.#known.add({ ...known, mayHaveChildren: false });
    this.#totals.count(run, parentId, phaseCodes[phase], 1);
    return { ...action, revision };
  }

  #checkUpdateAction({ action, from }: Change & { type: "updateAction" }, overlay: Overlay): Checked {
    const known = this.#find(action);
    // What this set has changed already has a revision that its caller cannot know.
    if (known === null || known.revision !== action.revision || known.change?.by === overlay.mark) return "conflict";
    known.change = { by: overlay.mark, to: action };
    return () => this.#update(known, action, from?.revision === action.revision ? from : known);
  }

  #update(known: KnownAction, action: Action, before: Action | KnownAction): Action {
    const revision = this.#totals.nextRevision(action.run);
    const { sql, values } = actionUpdate(before, action, known.id, revision);
    this.#connection.put(sql, values);
    if (known.phase !== action.phase) {
      this.#totals.count(action.run, known.parentId, phaseCodes[known.phase], -1);
      this.#totals.count(action.run, known.parentId, phaseCodes[action.phase], 1);
    }
    known.phase = action.phase;
    known.attempt = action.attempt;
    known.createdAtMs = action.createdAtMs;
    known.endedAtMs = action.endedAtMs;
    known.revision = revision;
    known.change = null;
    if (action.endedAtMs !== null) this.#known.ended(known);
    return { ...action, revision };
  }

  #checkReservation({ type, reservation }: Change & { type: "reserve" | "release" }, overlay: Overlay): Checked {
    const { key, run, action } = reservation;
    const planned = overlay.reservations.get(key);
    const held = planned === undefined ? this.#reservation(key) : planned;
    const isOwn = held?.run === run && held.action === action;
    if (type === "release") {
      if (!isOwn) return nothing;
      overlay.reservations.set(key, null);
      return this.#writing(() => ["delete from reservation where cache_key = ?", digestColumn(key)]);
    }
    if (held !== null && !isOwn) return "exists";
    overlay.reservations.set(key, reservation);
    const insert =
      "insert into reservation (cache_key, run, action) values (?, ?, ?) on conflict (cache_key) do nothing";
    return this.#writing(() => [insert, digestColumn(key), run, action]);
  }

  /** Changes that nothing can refuse. */
  #put(change: Change): void {
    switch (change.type) {
      case "putDocument": {
        const insert = "insert into document (digest, text) values (?, ?) on conflict (digest) do nothing";
        this.#run(insert, digestColumn(change.digest), change.text);
        return;
      }
      case "putCacheEntry":
        this.#run(tables.cacheEntryPut, ...tables.cacheEntryRow(change.entry));
        return;
      case "deleteCacheEntries":
        for (const key of change.keys) this.#run("delete from cache_entry where cache_key = ?", digestColumn(key));
        return;
      case "insertSweep":
        this.#putSweep(change.sweep);
        return;
      case "deleteSweep":
        this.#run("delete from sweep where run = ? and name = ?", change.sweep.run, change.sweep.name);
        return;
      default:
        assert(false, `a change of type ${change.type} is checked before it is written`);
    }
  }

  /** Decided here, where it is known of all calls that were committed before whether they had ended. */
  #putSweep(sweep: ActionKey): void {
    const known = this.#find(sweep);
    if (known === null || !known.mayHaveChildren || !this.#totals.hasActive(sweep.run, known.id)) return;
    this.#run("insert into sweep (run, name) values (?, ?) on conflict do nothing", sweep.run, sweep.name);
    this.#sweeps.add(sweep.run);
  }

  #writing(statement: () => readonly [sql: string, ...values: SqlValue[]]): Write {
    return () => {
      this.#run(...statement());
      return undefined;
    };
  }

  #run(sql: string, ...values: readonly SqlValue[]): number {
    return this.#connection.run(sql, ...values);
  }

  /** As the set's changes so far leave it. */
  #planned(key: ActionKey, overlay: Overlay): { readonly phase: Phase; readonly attempt: number } | null {
    const known = this.#known.get(key);
    if (known !== undefined) return known.change?.by === overlay.mark ? known.change.to : known;
    return overlay.inserted.get(keyText(key)) ?? this.#read(key);
  }

  #find(key: ActionKey): KnownAction | null {
    return this.#known.get(key) ?? this.#read(key);
  }

  #read({ run, name }: ActionKey): KnownAction | null {
    const row = this.#connection.first(
      "select id, revision, phase, attempt, parent, created_at_ms, ended_at_ms from action where run = ? and name = ?",
      run,
      name,
    );
    if (row === null) return null;
    const known: KnownAction = {
      key: { run, name },
      id: row[0] as number,
      revision: row[1] as number,
      phase: phaseOf(row[2]),
      attempt: row[3] as number,
      parentId: row[4] as number | null,
      createdAtMs: row[5] as number,
      endedAtMs: row[6] as number | null,
      // What has not run has called nothing.
      mayHaveChildren: (row[3] as number) > 0,
      change: null,
    };
    this.#known.add(known);
    return known;
  }

  #reservation(key: string): Reservation | null {
    const row = this.#connection.first(tables.selectReservation, digestColumn(key));
    return row === null ? null : tables.reservationOf(row);
  }

  #expectKnown({ run, name }: ActionKey, overlay: Overlay): void {
    if (this.#planned({ run, name }, overlay) !== null) return;
    throw new GodwitError("failed_precondition", `The run with id ${run} has no action ${name} to add anything to.`);
  }

  /** Of an action that was found when the set was checked, or inserted by it. */
  #get(key: ActionKey): KnownAction {
    const known = this.#find(key);
    assert(known !== null, `action ${key.name} was found when the set was checked`);
    return known;
  }
}

const nothing: Write = () => undefined;

const keyText = ({ run, name }: ActionKey): string => `${run}/${name}`;

/** The run that the change belongs to. */
function runOf(change: Change): number | null {
  switch (change.type) {
    case "insertRun":
    case "updateRun":
      return change.run.id;
    case "insertAction":
    case "updateAction":
      return change.action.run;
    case "insertAttempt":
      return change.attempt.run;
    case "putAttachment":
      return change.attachment.run;
    case "reserve":
    case "release":
      return change.reservation.run;
    case "insertSweep":
    case "deleteSweep":
      return change.sweep.run;
    case "expectAction":
    case "putDocument":
    case "putCacheEntry":
    case "deleteCacheEntries":
    case "putRecord":
    case "deleteRecord":
      return null;
  }
}
