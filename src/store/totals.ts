// Revisions and counts of the runs that one transaction changes: gathered in memory, written once, so
// that a thousand new actions cost one update of each (store.ts R3, R4).
import { GodwitError } from "../core/error.ts";
import type { Connection } from "./connection.ts";
import { activeCodes } from "./sql.ts";
import type { Committed } from "./store.ts";

const phaseTotal = 10;

// Where counts of a whole run are kept; no action has this id.
const wholeRun = 0;

type Counted = { readonly run: number; readonly parent: number; readonly deltas: Int32Array };

export class RunTotals {
  readonly #connection: Connection;
  /** Of each run, the last revision before this transaction and the last now. */
  readonly #revisions = new Map<number, { readonly before: number; last: number }>();
  readonly #ofRuns = new Map<number, Counted>();
  readonly #ofParents = new Map<number, Counted>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  isKnown(run: number): boolean {
    return this.#known(run) !== null;
  }

  firstRevision(run: number): number {
    this.#revisions.set(run, { before: 0, last: 1 });
    return 1;
  }

  nextRevision(run: number): number {
    const known = this.#known(run);
    if (known === null) throw new GodwitError("failed_precondition", `There is no run with id ${run}.`);
    known.last++;
    return known.last;
  }

  /** The revisions that rows of these runs got; runs that are not there are left out. */
  ranges(runs: Iterable<number>): Committed["runs"] {
    const ranges = new Map<number, { readonly first: number; readonly last: number }>();
    for (const run of runs) {
      const known = this.#known(run);
      if (known !== null) ranges.set(run, { first: known.before + 1, last: known.last });
    }
    return ranges;
  }

  count(run: number, parentId: number | null, phase: number, delta: number): void {
    add(this.#ofRuns, run, { run, parent: wholeRun }, phase, delta);
    if (parentId !== null) add(this.#ofParents, parentId, { run, parent: parentId }, phase, delta);
  }

  /** Whether an action has children that have not ended, after the changes so far. */
  hasActive(run: number, parentId: number): boolean {
    const stored = this.#connection.number(storedActive, run, parentId) ?? 0;
    const deltas = this.#ofParents.get(parentId)?.deltas;
    return activeCodes.reduce((sum, code) => sum + (deltas?.[code] ?? 0), stored) > 0;
  }

  write(): void {
    for (const [run, { last }] of this.#revisions) {
      this.#connection.run("update run set last_revision = ? where id = ? and last_revision < ?", last, run, last);
    }
    for (const counted of this.#ofRuns.values()) this.#writeCounts(counted);
    for (const counted of this.#ofParents.values()) this.#writeCounts(counted);
  }

  #writeCounts({ run, parent, deltas }: Counted): void {
    for (const [phase, delta] of deltas.entries()) {
      if (delta > 0) this.#connection.run(increase, run, parent, phase, delta);
      if (delta < 0) this.#connection.run(decrease, -delta, run, parent, phase);
    }
  }

  #known(run: number): { readonly before: number; last: number } | null {
    const known = this.#revisions.get(run);
    if (known !== undefined) return known;
    const stored = this.#connection.number("select last_revision from run where id = ?", run);
    if (stored === null) return null;
    const read = { before: stored, last: stored };
    this.#revisions.set(run, read);
    return read;
  }
}

const storedActive = `select sum(n) from phase_count where run = ? and parent = ? and phase in (${activeCodes.join(", ")})`;

// An insertion of a negative number would be refused by the constraint before the conflict is seen.
const increase = `insert into phase_count (run, parent, phase, n) values (?, ?, ?, ?)
  on conflict (run, parent, phase) do update set n = n + excluded.n`;
const decrease = "update phase_count set n = n - ? where run = ? and parent = ? and phase = ?";

function add(
  totals: Map<number, Counted>,
  key: number,
  of: { readonly run: number; readonly parent: number },
  phase: number,
  delta: number,
): void {
  let counted = totals.get(key);
  if (counted === undefined) {
    counted = { ...of, deltas: new Int32Array(phaseTotal) };
    totals.set(key, counted);
  }
  counted.deltas[phase] = (counted.deltas[phase] as number) + delta;
}
