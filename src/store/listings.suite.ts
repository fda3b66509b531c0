// Listings of runs and actions, and the changes of a run: order, pages and filters.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action, Phase } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import {
  child,
  committed,
  insertAction,
  insertRun,
  namesOf,
  type OpenStore,
  read,
  running,
  sampleRun,
  startRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import type { ActionFilter, RunFilter, RunPlace, Store, StorePage } from "./store.ts";

export function listingSuite(database: string, open: OpenStore): void {
  test(`${database}: runs are listed newest first, a page at a time, by every filter`, async (t) => {
    const store = await open(t);
    const phases: readonly Phase[] = ["queued", "running", "succeeded", "failed"];
    const all = Array.from({ length: 40 }, (_, index) => {
      const phase = phases[index % 4] as Phase;
      return sampleRun({
        id: 100 + ((index * 7) % 40),
        // Several at one time, so that pages end between equals.
        createdAtMs: 1_000 + Math.floor(index / 5),
        phase,
        endedAtMs: index % 4 > 1 ? 5 : null,
        task: index % 3 === 0 ? "etl.main" : "penguins.main",
        domain: index % 10 === 9 ? "production" : "development",
      });
    });
    await store.commit(all.map(insertRun));
    const filters: readonly Partial<RunFilter>[] = [
      {},
      { phases: ["failed", "queued"] },
      { phases: [] },
      { task: "etl.main" },
      { task: "etl.main", phases: ["succeeded"] },
      { domain: "production" },
      { project: "none" },
    ];
    for (const filter of filters) {
      const asked = { project: "default", domain: "development", ...filter };
      const expected = all
        .filter((run) => run.project === asked.project && run.domain === asked.domain)
        .filter((run) => (asked.phases?.includes(run.phase) ?? true) && (asked.task ?? run.task) === run.task)
        .sort((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id);
      assert.deepEqual(
        (await allRuns(store, asked, 3)).map(({ id }) => id),
        expected.map(({ id }) => id),
      );
    }
  });

  test(`${database}: actions are listed in both orders of creation, a page at a time, by every filter`, async (t) => {
    const store = await open(t);
    const queued = Array.from({ length: 60 }, (_, index) =>
      child(`a${(index * 7) % 60}-x`, {
        createdAtMs: 1_000 + Math.floor(index / 9),
        readyAtMs: 1_000,
        type: index % 6 === 5 ? "trace" : "task",
        ...(index % 4 === 3 ? { parent: `a${0}-x`, depth: 2 } : {}),
      }),
    );
    // Leased by several, or by nobody; ended well or not; and phases that few have.
    const owners = ["e1", "e2", null];
    const all = queued.map((action, index): Action => {
      const turn = Math.floor(index / 5);
      if (index % 5 === 4) return turn % 2 === 0 ? succeeded(action) : { ...succeeded(action), phase: "recovered" };
      if (index % 5 === 3) return { ...running(action), owner: owners[turn % 3] ?? null };
      if (index % 5 === 2) return { ...action, phase: turn % 2 === 0 ? "paused" : "waiting_for_resources" };
      return action;
    });
    await startRun(store, sampleRun(), all);
    await startRun(store, sampleRun({ id: 8 }));
    const filters: readonly Omit<ActionFilter, "run">[] = [
      {},
      { parent: "a0" },
      { parent: "a0-x", phases: ["running", "queued"] },
      { phases: ["succeeded"] },
      { phases: ["running"] },
      { phases: ["initializing"] },
      { phases: ["paused", "recovered"] },
      { parent: "a0-x", phases: ["running"] },
      { parent: "a0", phases: ["waiting_for_resources", "running"], type: "task" },
      { phases: [] },
      { type: "trace" },
      { type: "trace", phases: ["running"], parent: "a0-x" },
      { parent: "nobody" },
    ];
    const root = await read(store, "a0");
    for (const filter of filters) {
      const expected = [root, ...all]
        .filter((action) => filter.parent === undefined || action.parent === filter.parent)
        .filter(
          (action) => (filter.phases?.includes(action.phase) ?? true) && (filter.type ?? action.type) === action.type,
        )
        .sort((a, b) => a.createdAtMs - b.createdAtMs);
      const listed = async (more: Partial<ActionFilter>) =>
        namesOf(await allActions(store, { run: 7, ...filter, ...more }, 4));
      assert.deepEqual(await listed({}), namesOf(expected), JSON.stringify(filter));
      assert.deepEqual(await listed({ order: "newest" }), namesOf(expected).toReversed(), JSON.stringify(filter));
    }
  });

  test(`${database}: changes come in order of revision, once each, as the rows are now`, async (t) => {
    const store = await open(t);
    await startRun(
      store,
      sampleRun(),
      ["a1", "a2", "a3"].map((name) => child(name)),
    );
    const start = (await store.changedActions({ run: 7, afterRevision: 0, limit: 100 })).at(-1)?.revision ?? 0;
    await store.commit([updateAction(running(await read(store, "a3")))]);
    await store.commit([
      insertAction(child("deep", { parent: "a1", depth: 2 })),
      updateAction(running(await read(store, "a1"))),
    ]);
    await store.commit([updateAction(succeeded(await read(store, "a3")))]);
    const changes = await store.changedActions({ run: 7, afterRevision: start, limit: 100 });
    assert.deepEqual(
      changes.map(({ name, phase }) => [name, phase]),
      [
        ["deep", "queued"],
        ["a1", "running"],
        ["a3", "succeeded"],
      ],
    );
    assert.deepEqual(namesOf(await store.changedActions({ run: 7, afterRevision: start, limit: 2 })), ["deep", "a1"]);
    assert.deepEqual(await store.changedActions({ run: 9, afterRevision: 0, limit: 9 }), []);
  });

  test(`${database}: who pages through changes while others write misses no last state`, async (t) => {
    const store = await open(t);
    const names = Array.from({ length: 60 }, (_, index) => `a${index + 1}`);
    await startRun(store, sampleRun());
    let isWriting = true;
    const write = async (name: string): Promise<void> => {
      assert.partialDeepStrictEqual(await store.commit([insertAction(child(name))]), committed);
      assert.partialDeepStrictEqual(await store.commit([updateAction(running(await read(store, name)))]), committed);
      assert.partialDeepStrictEqual(await store.commit([updateAction(succeeded(await read(store, name)))]), committed);
    };
    const writing = Promise.all(names.map(write)).finally(() => {
      isWriting = false;
    });
    const seen = new Map<string, Action>();
    let afterRevision = 0;
    for (let isLast = false; !isLast; ) {
      isLast = !isWriting;
      for (;;) {
        const page = await store.changedActions({ run: 7, afterRevision, limit: 7 });
        for (const action of page) seen.set(action.name, action);
        afterRevision = page.at(-1)?.revision ?? afterRevision;
        if (page.length < 7) break;
      }
      await new Promise(setImmediate);
    }
    await writing;
    seen.delete("a0");
    assert.deepEqual([...seen.keys()].sort(), [...names].sort());
    for (const action of seen.values()) assert.equal(action.phase, "succeeded");
  });

  test(`${database}: a read of too many rows is refused`, async (t) => {
    const store = await open(t);
    await assert.rejects(store.listActions({ run: 7 }, 10_001), { code: "invalid_argument" });
    await assert.rejects(store.runsById(Array.from({ length: 10_001 }, (_, id) => id)), { code: "invalid_argument" });
    assert.deepEqual(await store.listActions({ run: 7 }, 10_000), []);
    assert.deepEqual(await store.listActions({ run: 7 }, 0), []);
  });
}

async function allRuns(store: Store, filter: RunFilter, pageSize: number): Promise<readonly Run[]> {
  const found: Run[] = [];
  for (let after: RunPlace | null = null; ; ) {
    const { items, next }: StorePage<Run, RunPlace> = await store.runs(
      after === null ? filter : { ...filter, after },
      pageSize,
    );
    found.push(...items);
    if (next === null) return found;
    after = next;
  }
}

async function allActions(store: Store, filter: ActionFilter, pageSize: number): Promise<readonly Action[]> {
  const found: Action[] = [];
  for (;;) {
    const last = found.at(-1);
    const page = await store.listActions(last === undefined ? filter : { ...filter, after: last }, pageSize);
    found.push(...page);
    if (page.length < pageSize) return found;
  }
}
