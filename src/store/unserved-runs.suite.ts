// Which runs a server would take over.
import assert from "node:assert/strict";
import { test } from "node:test";
import { child, type OpenStore, sampleRun, startRun } from "./sample-rows.suite.ts";

export function unservedRunSuite(database: string, open: OpenStore): void {
  test(`${database}: runs are unserved while nobody who lives owns them, and have not ended`, async (t) => {
    const store = await open(t);
    await store.register({ id: "live", pid: 1, host: "here", startedAtMs: 1 });
    await startRun(store, sampleRun({ id: 1, owner: null, createdAtMs: 30 }));
    await startRun(store, sampleRun({ id: 2, owner: "live" }));
    await startRun(store, sampleRun({ id: 3, owner: "gone", createdAtMs: 20 }));
    await startRun(store, sampleRun({ id: 4, owner: "gone", createdAtMs: 10 }));
    await startRun(store, sampleRun({ id: 5, owner: "other" }));
    await startRun(store, sampleRun({ id: 6, owner: null, createdAtMs: 5 }));
    assert.deepEqual(await store.unservedRuns(10), [6, 1, 4, 3, 5]);
    assert.deepEqual(await store.unservedRuns(3), [6, 1, 4]);
    assert.deepEqual(await store.unservedRuns(0), []);
    await store.forget(["live"]);
    assert.deepEqual(await store.unservedRuns(10), [6, 1, 4, 3, 2, 5]);
  });

  test(`${database}: an ended run with something to sweep is unserved until it is swept`, async (t) => {
    const store = await open(t);
    await store.register({ id: "live", pid: 1, host: "here", startedAtMs: 1 });
    await startRun(store, sampleRun({ id: 1, owner: "gone", phase: "aborted", endedAtMs: 9 }), [
      child("a1", { run: 1 }),
    ]);
    await startRun(store, sampleRun({ id: 2, owner: "live", phase: "aborted", endedAtMs: 9 }), [
      child("a1", { run: 2 }),
    ]);
    assert.deepEqual(await store.unservedRuns(10), []);
    const sweeps = [1, 2].map((run) => ({ type: "insertSweep", sweep: { run, name: "a0" } }) as const);
    for (const sweep of sweeps) await store.commit([sweep]);
    assert.deepEqual(await store.unservedRuns(10), [1]);
    await store.commit([{ type: "deleteSweep", sweep: { run: 1, name: "a0" } }]);
    assert.deepEqual(await store.unservedRuns(10), []);
  });
}
