// Commits: all or nothing, compare-and-set, revisions, and isolation inside a batch.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../core/action.ts";
import {
  child,
  committed,
  insertAction,
  insertRun,
  namesOf,
  type OpenStore,
  read,
  running,
  sampleAction,
  sampleRun,
  startRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import type { Change } from "./store.ts";

export function commitSuite(database: string, open: OpenStore): void {
  test(`${database}: every column of a run and of an action is read back as it was written`, async (t) => {
    const store = await open(t);
    const run = sampleRun({
      phase: "failed",
      endedAtMs: 9,
      owner: "e",
      abortReason: "why",
      overwriteCache: true,
      priority: 6,
      maxConcurrency: 7,
      recovers: { run: 3, name: "old" },
      updatedAtMs: 9,
      labels: { team: "birds", 'quote"d': "é" },
      origin: {
        source: "schedule",
        trigger: { name: "nightly", revision: 3 },
        taskVersion: "v1",
        env: { LOG_LEVEL: "10" },
        runStartAtMs: 5,
        related: { run: "old", type: "rerun" },
        rerunActions: ["x"],
        context: { k: "v" },
        rawDataPrefix: "s3://raw",
        message: "AA==",
      },
    });
    const full: Action = {
      ...running(child("full")),
      depth: 4,
      group: "map",
      type: "condition",
      userFailures: 1,
      systemFailures: 2,
      interruptions: 3,
      oomFailures: 4,
      priority: -5,
      lane: 0xfff_ffff_ffff,
      dueAtMs: 1_500,
      error: {
        code: "TypeError",
        message: "é \u0000 \n",
        kind: "user",
        recoverable: true,
        stack: "at x",
        location: { file: "f", line: 1, column: 2 },
        origin: { action: "a9", attempt: 1, task: "t" },
      },
      cacheKey: "a key that is no digest",
      cacheStatus: "overwritten",
      inputs: { type: "blob", digest: "ab".repeat(32) },
    };
    const ended: Action = { ...succeeded(child("ended")), spec: null, cacheStatus: "hit", reusedFrom: "r/a1" };
    await startRun(store, run, [full, ended]);
    assert.deepEqual(await store.run("default", "development", "run-7"), { ...run, revision: 1 });
    assert.deepEqual(await store.runsById([7, 8]), [{ ...run, revision: 1 }]);
    assert.deepEqual(await read(store, "full"), { ...full, revision: 3 });
    assert.deepEqual(await read(store, "ended"), { ...ended, revision: 4 });
    assert.equal(await store.run("default", "production", "run-7"), null);
  });

  test(`${database}: a commit that is refused leaves nothing of itself`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const late: Change[] = [
      insertAction(child("a2")),
      { type: "putDocument", digest: "d", text: "{}" },
      insertAction(child("a1")),
    ];
    assert.deepEqual(await store.commit(late), { type: "exists", at: 2 });
    assert.deepEqual(await store.actions([{ run: 7, name: "a2" }]), []);
    assert.equal((await store.documents(["d"])).size, 0);
    assert.deepEqual(await store.counts(7), { queued: 2 });
  });

  test(`${database}: an update decided on an older row is a conflict`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const before = await read(store, "a1");
    assert.partialDeepStrictEqual(await store.commit([updateAction(running(before))]), committed);
    assert.deepEqual(await store.commit([updateAction(succeeded(before))]), { type: "conflict", at: 0 });
    assert.equal((await read(store, "a1")).phase, "running");
    const missing = await store.commit([updateAction(child("a9"))]);
    assert.deepEqual(missing, { type: "conflict", at: 0 });
  });

  test(`${database}: commits of actions do not refuse an update of their run`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const run = await store.run("default", "development", "run-7");
    assert.ok(run);
    await store.commit([insertAction(child("a1"))]);
    assert.partialDeepStrictEqual(await store.commit([{ type: "updateRun", run: { ...run, owner: "e1" } }]), committed);
    assert.deepEqual(await store.commit([{ type: "updateRun", run: { ...run, owner: "e2" } }]), {
      type: "conflict",
      at: 0,
    });
    const [now] = await store.runsById([7]);
    assert.equal(now?.owner, "e1");
    // Run, root, a1, run: the counter is shared (R3).
    assert.equal(now?.revision, 4);
    assert.deepEqual(await store.commit([{ type: "updateRun", run: sampleRun({ id: 8 }) }]), {
      type: "conflict",
      at: 0,
    });
  });

  test(`${database}: a run's name is taken once per project and domain, its id once`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    assert.deepEqual(await store.commit([insertRun(sampleRun({ id: 8, name: "run-7" }))]), { type: "exists", at: 0 });
    assert.deepEqual(await store.commit([insertRun(sampleRun({ name: "other" }))]), { type: "exists", at: 0 });
    const elsewhere = sampleRun({ id: 8, name: "run-7", domain: "production" });
    assert.deepEqual(await store.commit([insertRun(elsewhere), insertRun(elsewhere)]), { type: "exists", at: 1 });
    assert.partialDeepStrictEqual(await store.commit([insertRun(elsewhere)]), committed);
  });

  test(`${database}: a parent may add only in the phase and attempt that it expects`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const expect = (attempt: number, name = "a0"): Change => ({
      type: "expectAction",
      key: { run: 7, name },
      phase: "running",
      attempt,
    });
    assert.deepEqual(await store.commit([expect(1), insertAction(child("a1"))]), { type: "conflict", at: 0 });
    await store.commit([updateAction(running(await read(store, "a0")))]);
    assert.partialDeepStrictEqual(await store.commit([expect(1), insertAction(child("a1"))]), committed);
    assert.deepEqual(await store.commit([expect(2)]), { type: "conflict", at: 0 });
    assert.deepEqual(await store.commit([expect(1, "a9")]), { type: "conflict", at: 0 });
    // In order: what the set itself has changed counts.
    const ended = succeeded(await read(store, "a0"));
    assert.deepEqual(await store.commit([updateAction(ended), expect(1)]), { type: "conflict", at: 1 });
  });

  test(`${database}: the changes of one commit see those before them`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const deep = [child("a1"), child("a2", { parent: "a1", depth: 2 }), child("a3", { parent: "a2", depth: 3 })];
    assert.partialDeepStrictEqual(await store.commit(deep.map(insertAction)), committed);
    assert.equal((await read(store, "a3")).parent, "a2");
    assert.deepEqual(await store.commit([insertAction(child("b")), insertAction(child("b"))]), {
      type: "exists",
      at: 1,
    });
    const twice = running(await read(store, "a1"));
    assert.deepEqual(await store.commit([updateAction(twice), updateAction(twice)]), { type: "conflict", at: 1 });
    const held = { key: "k", run: 7, action: "a1" };
    const next = { key: "k", run: 7, action: "a2" };
    assert.deepEqual(
      await store.commit([
        { type: "reserve", reservation: held },
        { type: "reserve", reservation: next },
      ]),
      { type: "exists", at: 1 },
    );
    assert.partialDeepStrictEqual(
      await store.commit([
        { type: "reserve", reservation: held },
        { type: "release", reservation: held },
        { type: "reserve", reservation: next },
      ]),
      committed,
    );
    assert.deepEqual(await store.reservations(["k"]), [next]);
  });

  test(`${database}: commits made at one time do not disturb each other, and see each other in order`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const before = await read(store, "a1");
    const orphan = insertAction(child("x", { parent: "nobody" }));
    const results = await Promise.allSettled([
      store.commit([insertAction(child("b1"))]),
      store.commit([insertAction(child("b2")), insertAction(child("a1"))]),
      store.commit([updateAction(running(before))]),
      store.commit([updateAction(succeeded(before))]),
      store.commit([insertAction(child("b3")), orphan]),
      store.commit([insertAction(child("b1"))]),
      store.commit([insertAction(child("b4", { parent: "b1", depth: 2 }))]),
    ]);
    const outcomes = results.map((result) => (result.status === "fulfilled" ? result.value.type : result.reason.code));
    assert.deepEqual(outcomes, [
      "committed",
      "exists",
      "committed",
      "conflict",
      "failed_precondition",
      "exists",
      "committed",
    ]);
    assert.deepEqual(namesOf(await store.listActions({ run: 7 }, 100)), ["a0", "a1", "b1", "b4"]);
    assert.deepEqual(await store.counts(7, "a0"), { queued: 1, running: 1 });
    assert.deepEqual(await store.verify(), []);
  });

  test(`${database}: a row that core cannot make fails alone, though others wait with it`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const impossible: Action = { ...child("bad"), phase: "succeeded", outputs: null };
    const results = await Promise.allSettled([
      store.commit([insertAction(child("a1"))]),
      store.commit([insertAction(child("a2")), insertAction(impossible)]),
      store.commit([insertAction(child("a3"))]),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(namesOf(await store.listActions({ run: 7 }, 100)), ["a0", "a1", "a3"]);
    assert.deepEqual(await store.counts(7), { queued: 3 });
    assert.deepEqual(namesOf(await store.changedActions({ run: 7, afterRevision: 0, limit: 9 })), ["a0", "a1", "a3"]);
    assert.deepEqual(await store.verify(), []);
  });

  test(`${database}: impossible rows are refused by the database itself`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const impossible: readonly Action[] = [
      { ...child("x"), phase: "failed" },
      { ...child("x"), owner: "engine" },
      { ...succeeded(child("x")), outputs: null },
      { ...succeeded(child("x")), dueAtMs: 5 },
      child("x", { depth: 0 }),
      sampleAction({ name: "second-root" }),
      child("x", { attempt: -1 }),
      child("x", { createdAtMs: 1.5 }),
    ];
    for (const action of impossible) await assert.rejects(store.commit([insertAction(action)]), { code: "internal" });
    await assert.rejects(store.commit([insertAction(child("x", { run: 8, parent: null, depth: 0 }))]), {
      code: "failed_precondition",
    });
    assert.deepEqual(await store.counts(7), { queued: 1 });
  });

  test(`${database}: a commit of too many changes is refused, and so is one too many that wait`, async (t) => {
    const store = await open(t);
    const puts = (count: number): Change[] =>
      Array.from({ length: count }, () => ({ type: "putDocument", digest: "d", text: "{}" }));
    await assert.rejects(store.commit(puts(50_001)), { code: "invalid_argument" });
    const filling = [1, 2, 3, 4].map(() => store.commit(puts(50_000)));
    await assert.rejects(store.commit(puts(1)), { code: "resource_exhausted" });
    assert.partialDeepStrictEqual(await Promise.all(filling), [committed, committed, committed, committed]);
    assert.partialDeepStrictEqual(await store.commit(puts(1)), committed);
  });

  test(`${database}: an empty commit is a commit`, async (t) => {
    assert.partialDeepStrictEqual(await (await open(t)).commit([]), committed);
  });

  test(`${database}: what is asked of a closed store is refused, what waited was committed`, async (t) => {
    const store = await open(t);
    const waiting = store.commit([{ type: "putDocument", digest: "d", text: "{}" }]);
    await store.close();
    assert.partialDeepStrictEqual(await waiting, committed);
    await assert.rejects(store.commit([]), { code: "failed_precondition" });
    await assert.rejects(store.counts(7), { code: "failed_precondition" });
    await store.close();
  });
}
