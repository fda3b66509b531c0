// What hangs on a task that has ended, while its run goes on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { condition, environment } from "../index.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { FakeClock } from "../testing/clock.ts";
import { testGodwitOn } from "../testing/environment.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";

const env = environment({ name: "sweeps" });
const begun = Promise.withResolvers<void>();
const stopped = Promise.withResolvers<void>();

const endless = env.task({ name: "endless" }, (_, { signal }) => {
  begun.resolve();
  signal.addEventListener("abort", () => stopped.resolve(), { once: true });
  return new Promise<void>(() => undefined);
});
const between = env.task({ name: "between" }, () => endless());
const careless = env.task({ name: "careless" }, async () => {
  void between().catch(() => undefined);
  // So that there is something to leave behind.
  await condition({ name: "enough", type: "boolean" });
});
const main = env.task({ name: "main" }, async () => {
  await careless();
  await stopped.promise;
});

test("calls that a task left behind are ended with it, and theirs, before the run ends", async (t) => {
  const store = await openSqliteStore({ path: ":memory:" });
  const godwit = await testGodwitOn({ clock: new FakeClock(), store, blobs: memoryBlobs() });
  t.after(() => godwit.close());
  const run = await godwit.run(main);
  await Promise.all([run.waitsFor("enough"), begun.promise]);
  await run.signal("enough", true);
  await run.outputs();
  const actions = await run.actions();
  assert.deepEqual(actions.map(({ label, phase }) => `${label} ${phase}`).toSorted(), [
    "between aborted",
    "careless succeeded",
    "endless aborted",
    "enough succeeded",
    "main succeeded",
  ]);
});
