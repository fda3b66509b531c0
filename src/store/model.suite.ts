// Any commands in any order leave the store as they leave a few maps in memory; above all, counts are
// those of the rows, and revisions never go back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Action, type Phase, phases } from "../core/action.ts";
import { type OpenStore, sampleAction, sampleRun, startRun } from "./sample-rows.suite.ts";
import type { Change, CommitResult, Store } from "./store.ts";

type Command = {
  readonly type: "insertAction" | "updateAction" | "expectAction";
  readonly name: string;
  readonly parent: string;
  readonly phase: Phase;
  /** How many revisions the caller is behind. */
  readonly staleness: number;
};

const names = ["a0", "a1", "a2", "a3", "a4", "a5"];

const command: fc.Arbitrary<Command> = fc.record({
  type: fc.constantFrom("insertAction", "insertAction", "updateAction", "updateAction", "expectAction"),
  name: fc.constantFrom(...names),
  parent: fc.constantFrom(...names.slice(0, 3)),
  phase: fc.constantFrom(...phases),
  staleness: fc.constantFrom(0, 0, 0, 1),
});

// Commits of one turn, several turns.
const history = fc.array(fc.array(fc.array(command, { maxLength: 4 }), { maxLength: 4 }), { maxLength: 6 });

export function modelSuite(database: string, open: OpenStore): void {
  test(`${database}: any commits leave the rows, counts and revisions of the model`, async (t) => {
    const store = await open(t);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(history, async (turns) => {
        run++;
        await startRun(store, sampleRun({ id: run }));
        const model = new Model(run);
        for (const turn of turns) {
          const sets = turn.map((commands) => commands.map((one) => model.change(one)));
          const expected = sets.map((changes) => model.commit(changes));
          const settled = await Promise.allSettled(
            sets.map((changes, index) => store.commit(changes, index % 2 === 0 ? "synced" : "written")),
          );
          const answers = settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason.code));
          assert.deepEqual(answers, expected);
          await model.check(store);
        }
      }),
      { numRuns: 120 },
    );
    assert.deepEqual(await store.verify(), []);
  });
}

class Model {
  readonly #run: number;
  #rows: Map<string, Action>;
  #revision = 2;

  constructor(run: number) {
    this.#run = run;
    this.#rows = new Map([["a0", { ...sampleAction({ name: "a0", run }), revision: 2 }]]);
  }

  /** As a caller would ask for it who has read the rows before this turn. */
  change({ type, name, parent, phase, staleness }: Command): Change {
    const known = this.#rows.get(name);
    if (type === "expectAction") return { type, key: { run: this.#run, name }, phase, attempt: 0 };
    const isRoot = name === "a0";
    const fresh = sampleAction({ name, run: this.#run, parent: isRoot ? null : parent, depth: isRoot ? 0 : 1 });
    const action = inPhase(known ?? fresh, phase);
    return {
      type,
      action: type === "insertAction" ? inPhase(fresh, phase) : { ...action, revision: action.revision - staleness },
    };
  }

  commit(changes: readonly Change[]): CommitResult | "failed_precondition" {
    const rows = new Map(this.#rows);
    const updated = new Set<string>();
    const actions: Action[] = [];
    let revision = this.#revision;
    for (const [at, change] of changes.entries()) {
      if (change.type === "expectAction") {
        if (rows.get(change.key.name)?.phase !== change.phase) return { type: "conflict", at };
      } else if (change.type === "insertAction") {
        if (rows.has(change.action.name)) return { type: "exists", at };
        if (change.action.parent !== null && !rows.has(change.action.parent)) return "failed_precondition";
        rows.set(change.action.name, { ...change.action, revision: ++revision });
        actions.push({ ...change.action, revision });
        updated.add(change.action.name);
      } else if (change.type === "updateAction") {
        const { name } = change.action;
        if (updated.has(name) || rows.get(name)?.revision !== change.action.revision) return { type: "conflict", at };
        // The parent is settled at insertion.
        rows.set(name, { ...change.action, parent: rows.get(name)?.parent ?? null, revision: ++revision });
        actions.push({ ...change.action, revision });
        updated.add(name);
      }
    }
    this.#rows = rows;
    this.#revision = revision;
    return { type: "committed", actions };
  }

  async check(store: Store): Promise<void> {
    const run = this.#run;
    const expected = [...this.#rows.values()].sort((a, b) => a.revision - b.revision);
    assert.deepEqual(await store.changedActions({ run, afterRevision: 0, limit: 100 }), expected);
    assert.deepEqual(await store.counts(run), countOf(expected));
    for (const parent of names) {
      const children = expected.filter((action) => action.parent === parent);
      assert.deepEqual(await store.counts(run, parent), countOf(children));
    }
  }
}

function inPhase(action: Action, phase: Phase): Action {
  const isLast = phases.indexOf(phase) >= phases.indexOf("succeeded");
  const isSuccess = phase === "succeeded" || phase === "recovered";
  return {
    ...action,
    phase,
    endedAtMs: isLast ? 5 : null,
    outputs: isSuccess ? { type: "inline", text: "{}" } : null,
    owner: phase === "running" ? "engine" : null,
  };
}

function countOf(rows: readonly Action[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { phase } of rows) counts[phase] = (counts[phase] ?? 0) + 1;
  return counts;
}
