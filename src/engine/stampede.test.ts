// What equal calls that wait for one another cost: as much as there are of them, also when each of them
// has to try by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { environment } from "../index.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Change, Store } from "../store/store.ts";
import { FakeClock } from "../testing/clock.ts";
import { testGodwitOn } from "../testing/environment.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";

const env = environment({ name: "stampede" });
const unlucky = env.task({ name: "unlucky", output: z.int(), cache: { version: "1" } }, () => {
  throw new Error("no luck");
});
const crowd = env.task({ name: "crowd", input: z.object({ calls: z.int() }), output: z.int() }, async ({ calls }) => {
  const everyone = Array.from({ length: calls }, () => unlucky().catch(() => 0));
  return (await Promise.all(everyone)).length;
});

/** Changes that a run of so many calls makes. */
async function changesOf(calls: number): Promise<number> {
  let changes = 0;
  const store = new Proxy(await openSqliteStore({ path: ":memory:" }), {
    get(target, property: keyof Store) {
      const method = target[property].bind(target) as (...values: unknown[]) => unknown;
      return (...values: unknown[]) => {
        if (property === "commit") changes += (values[0] as readonly Change[]).length;
        return method(...values);
      };
    },
  });
  const godwit = await testGodwitOn({ clock: new FakeClock(), store, blobs: memoryBlobs() });
  try {
    assert.equal(await (await godwit.run(crowd, { calls })).outputs(), calls);
    return changes;
  } finally {
    await godwit.close();
  }
}

test("of many that wait for one that fails, one is woken at a time", async () => {
  const [few, many] = [await changesOf(50), await changesOf(200)];
  assert.ok(many < 5 * few, `${few} changes for 50 calls, ${many} for 200`);
});
