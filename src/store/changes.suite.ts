// What listeners and committers are told: every row that changed, once, in the order of commits.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../core/action.ts";
import {
  child,
  committed,
  insertAction,
  namesOf,
  type OpenStore,
  read,
  running,
  sampleRun,
  startRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import type { Committed, Durability } from "./store.ts";

/** Runs with the first and last revision of each. */
const ranges = ({ runs }: Committed) => [...runs].map(([run, { first, last }]) => [run, first, last]);

export function changeSuite(database: string, open: OpenStore): void {
  test(`${database}: a commit answers with the rows it wrote, as they are read from then on`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const before = await read(store, "a1");
    const answer = await store.commit([
      insertAction(child("a2", { parent: "a1", depth: 2 })),
      { type: "putDocument", digest: "d", text: "" },
      updateAction(running(before)),
    ]);
    assert.deepEqual(answer, { type: "committed", actions: [await read(store, "a2"), await read(store, "a1")] });
    assert.ok(answer.type === "committed");
    // What was answered can be updated without being read.
    const [, updated] = answer.actions;
    assert.partialDeepStrictEqual(await store.commit([updateAction(succeeded(updated as Action))]), committed);
  });

  test(`${database}: listeners hear what each commit changed, and nothing of a refused one`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const heard: (Committed | null)[] = [];
    const stop = store.onChange((change) => heard.push(change));
    await store.commit([insertAction(child("a1"))]);
    await store.commit([insertAction(child("a1"))]);
    await store.commit([{ type: "putDocument", digest: "d", text: "" }]);
    const a1 = await read(store, "a1");
    stop();
    await store.commit([insertAction(child("a2"))]);
    assert.deepEqual(heard, [
      { runs: new Map([[7, { first: 3, last: 3 }]]), actions: [a1], sweeps: new Set(), records: new Set() },
    ]);
  });

  test(`${database}: a change beside the rows of a run is told with no revision`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const heard: unknown[] = [];
    store.onChange((change) => heard.push(change));
    await store.commit([{ type: "deleteSweep", sweep: { run: 7, name: "a0" } }]);
    await store.commit([{ type: "deleteSweep", sweep: { run: 8, name: "a0" } }]);
    assert.deepEqual(heard, [
      { runs: new Map([[7, { first: 3, last: 2 }]]), actions: [], sweeps: new Set(), records: new Set() },
    ]);
  });

  test(`${database}: pushed changes have no gaps and come in order, however the commits were asked for`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    await startRun(store, sampleRun({ id: 8 }));
    const next = new Map([
      [7, 3],
      [8, 3],
    ]);
    const pushed: Action[] = [];
    store.onChange((change) => {
      assert.ok(change !== null);
      for (const [run, first, last] of ranges(change)) {
        assert.equal(first, next.get(run as number));
        next.set(run as number, (last as number) + 1);
      }
      pushed.push(...change.actions);
    });
    const act = async (run: number, name: string, kinds: readonly Durability[]): Promise<void> => {
      let [action]: readonly Action[] = [child(name, { run })];
      for (const [at, kind] of kinds.entries()) {
        const answer = await store.commit(
          [
            at === 0
              ? insertAction(action as Action)
              : updateAction(at === 1 ? running(action as Action) : succeeded(action as Action)),
          ],
          kind,
        );
        assert.ok(answer.type === "committed");
        // Whoever learns of its own commit has been pushed the rows by then, or will be later, but in order.
        [action] = answer.actions;
      }
    };
    const kinds: readonly (readonly Durability[])[] = [
      ["written", "written", "synced"],
      ["synced", "written", "synced"],
      ["written", "synced", "synced"],
    ];
    await Promise.all(
      Array.from({ length: 60 }, (_, at) => act(7 + (at % 2), `c${at}`, kinds[at % 3] as readonly Durability[])),
    );
    for (const run of [7, 8]) {
      const revisions = pushed.filter((action) => action.run === run).map(({ revision }) => revision);
      assert.deepEqual(
        revisions,
        Array.from({ length: 90 }, (_, at) => at + 3),
      );
      const last = new Map(pushed.filter((action) => action.run === run).map((action) => [action.name, action]));
      const stored = await store.changedActions({ run, afterRevision: 2, limit: 100 });
      assert.deepEqual(
        [...last.values()].sort((a, b) => a.revision - b.revision),
        stored,
      );
      assert.deepEqual(namesOf(stored).length, 30);
    }
  });
}
