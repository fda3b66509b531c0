// The crash sweep of triggers and backfills: the process dies before or after each commit that it ever
// makes, and another goes on. Every tick has its run, and none has two.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Overlap } from "../core/automation.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { type Crash, crashingStore } from "../testing/crashing-store.ts";
import { at, every, type Ground, newTrigger, scope, spec, triggerGround } from "../testing/trigger-ground.fixture.ts";

const name = { task: spec.name, name: "nightly" };

/** Deploys if that has not been done, and goes through the first minutes, ending runs as it goes. */
async function course(ground: Ground, overlap: Overlap): Promise<void> {
  await ground.control.triggers.deploy(scope, newTrigger({ automation: every(1, "all", overlap) }));
  for (const minute of [1, 2, 3, 4]) await ground.lookAt(at(minute));
  if (overlap !== "queue") return;
  for (let looks = 1; looks <= 8; looks++) {
    for (const run of await ground.runs()) if (run.endedAtMs === null) await ground.end(run.name);
    await ground.lookAt(at(4) + looks * 3_000);
  }
}

async function fillsBack(ground: Ground): Promise<void> {
  await ground.control.triggers.deploy(scope, newTrigger({ isActive: false }));
  const plan = { fromMs: at(1), beforeMs: at(6), parallelism: 2, repeats: false };
  await ground.control.backfills.create(scope, name, { ...plan, id: "january" });
  for (let looks = 1; looks <= 12; looks++) {
    await ground.lookAt(at(10) + looks * 5_000);
    for (const run of await ground.runs()) if (run.endedAtMs === null) await ground.end(run.name);
  }
}

/** The moment of the last crash, over all crashes: how many commits there were. */
async function sweep(
  when: Crash["when"],
  work: (ground: Ground) => Promise<void>,
  check: (ground: Ground) => Promise<void>,
) {
  for (let crashAt = 0; ; crashAt++) {
    const store: Store = await openSqliteStore({ path: ":memory:" });
    const crashing = crashingStore(store, { at: crashAt, when });
    const dying = triggerGround({ store: crashing.store });
    await work(dying).catch((error: unknown) => assert.ok(crashing.hasCrashed(), String(error)));
    const next = triggerGround({ store, clock: dying.clock });
    if (crashing.hasCrashed()) await work(next);
    await check(next);
    await store.close();
    if (!crashing.hasCrashed()) return crashAt;
  }
}

for (const when of ["before", "after"] as const) {
  for (const overlap of ["allow", "queue"] as const) {
    test(`killed ${when} any commit, a trigger with overlap ${overlap} starts each tick once`, async () => {
      const commits = await sweep(
        when,
        (ground) => course(ground, overlap),
        async (ground) => assert.deepEqual(await ground.ticks(), [1, 2, 3, 4].map(at)),
      );
      assert.ok(commits >= 5, `only ${commits} commits`);
    });
  }

  test(`killed ${when} any commit, a trigger that replaces leaves one run that goes on, the last`, async () => {
    await sweep(
      when,
      (ground) => course(ground, "replace"),
      async (ground) => {
        const runs = await ground.runs();
        const going = runs.filter(({ endedAtMs }) => endedAtMs === null);
        assert.deepEqual(
          going.map(({ origin }) => origin.runStartAtMs),
          [at(4)],
        );
        assert.equal(new Set(runs.map(({ origin }) => origin.runStartAtMs)).size, runs.length);
      },
    );
  });

  test(`killed ${when} any commit, a backfill goes on where it was and counts each run once`, async () => {
    const commits = await sweep(when, fillsBack, async (ground) => {
      assert.deepEqual(await ground.ticks(), [1, 2, 3, 4, 5].map(at));
      const { phase, counts } = await ground.control.backfills.get(scope, "january");
      assert.deepEqual([phase, counts.succeeded, counts.started + counts.existing], ["done", 5, 5]);
    });
    assert.ok(commits >= 10, `only ${commits} commits`);
  });
}
