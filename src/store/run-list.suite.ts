// Listings of runs by what no index knows, and in both orders: each page is bounded.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase } from "../core/action.ts";
import { plainOrigin, type Run } from "../core/run.ts";
import { child, insertRun, type OpenStore, sampleRun, startRun } from "./sample-rows.suite.ts";
import { maxRowsSearched, type RunFilter, type RunPlace, type Store, type StorePage } from "./store.ts";

type Case = readonly [filter: Partial<RunFilter>, isWanted: (run: Run) => boolean];

const cases: readonly Case[] = [
  [{ caller: "bob" }, ({ caller }) => caller === "bob"],
  [{ trigger: "nightly" }, ({ origin }) => origin.trigger?.name === "nightly"],
  [{ taskVersion: "v2" }, ({ origin }) => (origin.taskVersion ?? origin.codeVersion) === "v2"],
  [{ nameContains: "UN-11" }, ({ name }) => name.includes("un-11")],
  [{ nameContains: "%" }, () => false],
  [
    { createdAtMs: { fromMs: 1_003, beforeMs: 1_006 } },
    ({ createdAtMs }) => createdAtMs >= 1_003 && createdAtMs < 1_006,
  ],
  [
    { createdAtMs: { fromMs: 1_006 }, phases: ["failed"] },
    ({ createdAtMs, phase }) => createdAtMs >= 1_006 && phase === "failed",
  ],
  [
    { createdAtMs: { beforeMs: 1_003 }, task: "etl.main" },
    ({ createdAtMs, task }) => createdAtMs < 1_003 && task === "etl.main",
  ],
  [
    { updatedAtMs: { fromMs: 2_020, beforeMs: 2_030 } },
    ({ updatedAtMs }) => updatedAtMs >= 2_020 && updatedAtMs < 2_030,
  ],
  [{ labels: [{ key: "team", value: "birds" }] }, ({ labels }) => labels.team === "birds"],
  [{ labels: [{ key: 'a"b', value: null }] }, ({ labels }) => 'a"b' in labels],
  [
    {
      labels: [
        { key: "team", value: "fish" },
        { key: 'a"b', value: "" },
      ],
      caller: "ada",
    },
    ({ labels, caller }) => labels.team === "fish" && labels['a"b'] === "" && caller === "ada",
  ],
  [{ labels: [] }, () => true],
];

export function runListSuite(database: string, open: OpenStore): void {
  test(`${database}: runs are found by what no index knows, in both orders, a page at a time`, async (t) => {
    const store = await open(t);
    const phases: readonly Phase[] = ["queued", "running", "succeeded", "failed"];
    const all = Array.from({ length: 60 }, (_, index) =>
      sampleRun({
        id: 100 + ((index * 7) % 60),
        createdAtMs: 1_000 + Math.floor(index / 7),
        updatedAtMs: 2_000 + index,
        phase: phases[index % 4] as Phase,
        endedAtMs: index % 4 > 1 ? 5 : null,
        task: index % 3 === 0 ? "etl.main" : "penguins.main",
        caller: index % 5 === 0 ? "bob" : "ada",
        labels: {
          ...(index % 2 === 0 ? { team: "birds" } : { team: "fish" }),
          ...(index % 3 === 0 ? { 'a"b': "" } : {}),
        },
        origin: {
          ...plainOrigin(1_000),
          taskVersion: [null, "v1", "v2"][index % 3] ?? null,
          ...(index % 2 === 0 ? { codeVersion: "v2" } : {}),
          trigger: index % 4 === 0 ? { name: "nightly", revision: 1 } : null,
        },
      }),
    );
    await store.commit(all.map(insertRun));
    for (const [filter, isWanted] of cases) {
      for (const order of ["newest", "oldest"] as const) {
        const sign = order === "oldest" ? 1 : -1;
        const expected = all
          .filter(isWanted)
          .sort((a, b) => sign * (a.createdAtMs - b.createdAtMs || a.id - b.id))
          .map(({ id }) => id);
        const found = await allRuns(store, { ...filter, order }, 3);
        assert.deepEqual(found, expected, JSON.stringify({ filter, order }));
      }
    }
  });

  test(`${database}: runs in which something is paused are found while it is`, async (t) => {
    const store = await open(t);
    const paused = child("c1", { type: "condition", phase: "paused" });
    await startRun(store, sampleRun({ phase: "running" }), [paused, child("a1")]);
    await startRun(store, sampleRun({ id: 8, phase: "running" }), [child("a1", { run: 8 })]);
    assert.deepEqual(await allRuns(store, { hasPaused: true }, 9), [7]);
    const [now] = await store.actions([{ run: 7, name: "c1" }]);
    assert.ok(now);
    await store.commit([{ type: "updateAction", action: { ...now, phase: "queued" } }]);
    assert.deepEqual(await allRuns(store, { hasPaused: true }, 9), []);
  });

  test(`${database}: a page looks through a bounded number of runs, and the next goes on from there`, async (t) => {
    const store = await open(t);
    const total = maxRowsSearched + 200;
    await store.commit(
      Array.from({ length: total }, (_, index) =>
        insertRun(sampleRun({ id: index + 1, createdAtMs: 1_000 + index, caller: index === 0 ? "eve" : "ada" })),
      ),
    );
    const first = await store.runs({ project: "default", domain: "development", caller: "eve" }, 5);
    assert.deepEqual([first.items, first.next], [[], { createdAtMs: 1_200, id: 201 }]);
    assert.deepEqual(await allRuns(store, { caller: "eve" }, 5), [1]);
  });
}

/** Their ids. */
async function allRuns(store: Store, filter: Partial<RunFilter>, pageSize: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let after: RunPlace | null = null; ; ) {
    const page: StorePage<Run, RunPlace> = await store.runs(
      { project: "default", domain: "development", ...filter, ...(after === null ? {} : { after }) },
      pageSize,
    );
    found.push(...page.items.map(({ id }) => id));
    if (page.next === null) return found;
    after = page.next;
  }
}
