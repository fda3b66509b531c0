// The crash sweep: the process dies before or after each commit that a run ever makes, and another
// takes over. The end is the same, and no attempt's body runs twice.
//
// GODWIT_CRASHES=all tries every commit; the sample takes every few.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { context, environment, map, trace } from "../../src/index.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { type Crash, crashingStore } from "../../src/testing/crashing-store.ts";
import { type TestGodwit, testGodwitOn } from "../../src/testing/environment.ts";
import { memoryBlobs } from "../../src/testing/memory-blob.ts";

/** Of the sample: every how many commits the process dies. */
const stride = process.env.GODWIT_CRASHES === "all" ? 1 : 2;

const env = environment({ name: "sweep" });
let bodies: string[] = [];
const note = (): void => {
  const { action, attempt, task } = context();
  bodies.push(`${task} ${action} ${attempt}`);
};

const leaf = env.task(
  { name: "leaf", input: z.object({ n: z.int() }), output: z.int(), cache: { version: "1" } },
  ({ n }) => {
    note();
    return n * n;
  },
);
const flaky = env.task({ name: "flaky", output: z.int(), retries: 3 }, () => {
  note();
  if (context().attempt === 1) throw new Error("the first attempt always fails");
  return 5;
});
const loop = env.task({ name: "loop", output: z.array(z.int()) }, async () => {
  note();
  const { checkpoint } = context();
  const trail = (await checkpoint.load<number[]>()) ?? [];
  while (trail.length < 3) {
    trail.push(trail.length);
    await checkpoint.save(trail);
  }
  return trail;
});
const branch = env.task({ name: "branch", input: z.object({ from: z.int() }), output: z.int() }, async ({ from }) => {
  note();
  const squares = await map(leaf, [{ n: from }, { n: from + 1 }, { n: from }]);
  const offset = await trace("offset", () => from);
  return squares.reduce((sum, square) => sum + square, offset);
});
const main = env.task({ name: "main", output: z.object({ all: z.array(z.unknown()) }) }, async () => {
  note();
  return { all: await Promise.all([branch({ from: 1 }), branch({ from: 2 }), loop(), flaky()]) };
});

const expected = { all: [1 + 4 + 1 + 1, 4 + 9 + 4 + 2, [0, 1, 2], 5] };

for (const when of ["before", "after"] as const) {
  test(`a crash ${when} any commit loses nothing and repeats no attempt`, async (t) => {
    let at = 0;
    while (await crashesAt({ at, when })) at += stride;
    assert.ok(at > 20, `only ${at} commits`);
    t.diagnostic(`${Math.ceil(at / stride)} points of about ${at} tried`);
  });
}

/** False if the run made fewer commits than that. */
async function crashesAt(crash: Crash): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "godwit-sweep-"));
  const blobs = memoryBlobs();
  const clock = new FakeClock();
  const open = () => openSqliteStore({ path: join(dir, "godwit.db") });
  bodies = [];
  try {
    const crashing = crashingStore(await open(), crash);
    const dying = testGodwitOn({ clock, store: crashing.store, blobs }).then(outputsOf);
    const first = await Promise.race([dying, crashing.crashed]).catch((error: unknown) => error);
    if (!crashing.hasCrashed()) {
      assert.deepEqual(first, expected);
      await crashing.store.close();
      return false;
    }
    dying.catch(() => undefined);
    await crashing.store.close();
    const next = await testGodwitOn({ clock, store: await open(), blobs });
    assert.deepEqual(await outputsOf(next), expected, `after a crash ${crash.when} commit ${crash.at}`);
    assert.equal(new Set(bodies).size, bodies.length, "a body of one attempt ran twice");
    await next.close();
    return true;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const outputsOf = async (godwit: TestGodwit): Promise<unknown> =>
  (await godwit.run(main, undefined, { name: "swept" })).outputs();
