// What grows with a run grows no faster than the run: work is counted, not timed, at two sizes. And a few
// thousand calls through the real command, killed in the middle.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { environment, map, trace } from "../../src/index.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Change, Store } from "../../src/store/store.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { type TestGodwit, testGodwitOn } from "../../src/testing/environment.ts";
import { memoryBlobs } from "../../src/testing/memory-blob.ts";
import { makeProject, until } from "../project.ts";

const env = environment({ name: "scale" });
const leaf = env.task({ name: "leaf", input: z.object({ x: z.int() }), output: z.int() }, ({ x }) => x);
const failing = env.task({ name: "failing", input: z.object({ x: z.int() }), output: z.int() }, ({ x }) => {
  throw new Error(`no ${x}`);
});
const sized = z.object({ size: z.int() });
const upTo = (size: number): { x: number }[] => Array.from({ length: size }, (_, x) => ({ x }));
const fan = env.task({ name: "fan", input: sized, output: z.int() }, async ({ size }) => {
  return (await Promise.all(upTo(size).map(leaf))).length;
});
const window = env.task({ name: "window", input: sized, output: z.int() }, async ({ size }) => {
  return (await map(leaf, upTo(size), { concurrency: 20 })).length;
});
const failures = env.task({ name: "failures", input: sized, output: z.int() }, async ({ size }) => {
  return (await map(failing, upTo(size), { returnErrors: true })).length;
});
const middle = env.task({ name: "middle", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => {
  return (await map(leaf, [{ x }, { x: x + 1 }, { x: x + 2 }, { x: x + 3 }])).length;
});
const nested = env.task({ name: "nested", input: sized, output: z.int() }, async ({ size }) => {
  return (await map(middle, upTo(size / 5))).length * 5;
});
const chain: ReturnType<typeof makeChain> = makeChain();
function makeChain() {
  return env.task({ name: "chain", input: sized, output: z.int() }, async ({ size }): Promise<number> => {
    return size <= 1 ? 1 : 1 + (await chain({ size: size - 1 }));
  });
}
const steps = env.task({ name: "steps", input: sized, output: z.int() }, async ({ size }) => {
  return (await Promise.all(upTo(size).map(({ x }) => trace("step", () => x)))).length;
});

/** What a store was asked: rows that it gave, keys that it looked for, changes that it made. */
type Work = { calls: number; keys: number; rows: number; changes: number };

function countingStore(store: Store): { readonly store: Store; readonly work: Work } {
  const work: Work = { calls: 0, keys: 0, rows: 0, changes: 0 };
  const counted = new Proxy(store, {
    get(target, property: keyof Store) {
      const method = target[property];
      if (property === "onChange" || property === "close") return method.bind(target);
      const call = method.bind(target) as (...values: unknown[]) => Promise<unknown>;
      return async (...values: unknown[]) => {
        work.calls++;
        if (property === "commit") work.changes += (values[0] as readonly Change[]).length;
        else if (Array.isArray(values[0])) work.keys += values[0].length;
        const result = await call(...values);
        if (Array.isArray(result)) work.rows += result.length;
        return result;
      };
    },
  });
  return { store: counted, work };
}

async function counting(t: TestContext): Promise<{ readonly godwit: TestGodwit; readonly work: Work }> {
  const { store, work } = countingStore(await openSqliteStore({ path: ":memory:" }));
  const godwit = await testGodwitOn({ clock: new FakeClock(), store, blobs: memoryBlobs() });
  t.after(() => godwit.close());
  return { godwit, work };
}

const small = 200;
const growth = 4;
// What does not depend on the size makes it less, the size of the last batch a little more. Twice the
// work for each call would be 8, a search of all for each 16.
const maxGrowth = growth * 1.3;

for (const [what, task] of Object.entries({ fan, window, failures, nested, chain, steps })) {
  test(`${what}: ${growth} times the calls are no more than ${growth} times the work for the store`, async (t) => {
    const workFor = async (size: number): Promise<Work> => {
      const { godwit, work } = await counting(t);
      const run = await godwit.run(task, { size });
      assert.equal(await run.outputs(), size);
      return work;
    };
    const [less, more] = [await workFor(small), await workFor(small * growth)];
    for (const kind of ["calls", "keys", "rows", "changes"] as const)
      assert.ok(more[kind] <= less[kind] * maxGrowth, `${kind}: ${less[kind]}, then ${more[kind]}`);
  });
}

test("what a first attempt traces is not looked for", async (t) => {
  const { godwit, work } = await counting(t);
  const run = await godwit.run(steps, { size: small });
  await run.outputs();
  // One for each is of the parent, and none of the trace.
  assert.ok(work.keys < small * 1.2, `${work.keys} keys`);
});

test("a parent that is tried again asks for what it has in batches, and makes nothing of it again", async (t) => {
  const size = 2_000;
  let attempts = 0;
  const again = env.task({ name: "again", output: z.int(), retries: 1 }, async () => {
    const results = await Promise.all(upTo(size).map(leaf));
    if (++attempts === 1) throw new Error("once");
    return results.length;
  });
  const { godwit, work } = await counting(t);
  const first = await godwit.run(fan, { size });
  await first.outputs();
  const once = { ...work };
  const retried = await godwit.run(again);
  assert.equal(await retried.outputs(), size);
  assert.equal(attempts, 2);
  const extraChanges = work.changes - 2 * once.changes;
  assert.ok(extraChanges < 20, `${extraChanges} changes more than without the retry`);
  assert.ok(work.calls - 2 * once.calls < size / 10, `${work.calls - 2 * once.calls} calls more`);
});

const pipeline = `
import { appendFileSync } from "node:fs";
import { environment, map } from "godwit";
import { z } from "zod";
const env = environment({ name: "wide" });
export const leaf = env.task({ name: "leaf", input: z.object({ x: z.int() }), output: z.int() }, ({ x }) => {
  appendFileSync(process.env.JOURNAL ?? "", x + "\\n");
  return x;
});
export const main = env.task({ name: "main", input: z.object({ size: z.int() }), output: z.int() }, async ({ size }) => {
  const results = await map(leaf, Array.from({ length: size }, (_, x) => ({ x })));
  return results.reduce((sum, x) => sum + x, 0);
});
`;

test("3,000 calls, killed in the middle and resumed: what had ended is not done again", async (t) => {
  const project = makeProject();
  t.after(() => project.remove());
  project.write("wide.ts", pipeline);
  const journal = join(project.dir, "journal");
  project.write("journal", "");
  const done = (): string[] => readFileSync(journal, "utf8").split("\n").slice(0, -1);
  const size = 3_000;
  const { process, ended } = project.start(
    ["run", "wide.ts", "main", "--size", String(size), "--name", "wide", "--json"],
    { JOURNAL: journal },
  );
  await until(() => done().length > size / 3, "a third has run");
  process.kill("SIGKILL");
  await ended;
  const listed = await project.run(["get", "run", "wide", "--json"]);
  const { actions: acknowledged } = JSON.parse(listed.stdout);
  const before = done();
  const resumed = await project.run(["resume", "wide", "--json"], { JOURNAL: journal });
  assert.equal(resumed.code, 0, resumed.stderr);
  const result = JSON.parse(resumed.stdout);
  assert.equal(result.outputs.o0, (size * (size - 1)) / 2);
  assert.equal(result.actions.total, size + 1);
  assert.equal(new Set(done()).size, size);
  // Only what had run, but had not been acknowledged when the process died, runs twice.
  assert.ok(
    done().length - size <= before.length - acknowledged.succeeded,
    `${done().length} bodies for ${size} calls`,
  );
});
