// Which parents wait, by the rows of their calls.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AttemptRef } from "../core/messages.ts";
import { child, read, running, sampleRun, startRun, succeeded, updateAction } from "../store/sample-rows.suite.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { until } from "../testing/until.ts";
import { WaitingParents } from "./waiting-parents.ts";

const parent: AttemptRef = { run: 7, action: "a0", attempt: 1 };

async function open(t: TestContext, children: readonly string[] = []) {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  await startRun(
    store,
    sampleRun(),
    children.map((name) => child(name)),
  );
  await change(store, "a0", running);
  const told: string[] = [];
  const parents = new WaitingParents({
    store,
    setWaiting: ({ action, attempt }, isWaiting) =>
      told.push(`${action}/${attempt} ${isWaiting ? "waits" : "goes on"}`),
    onError: (error) => assert.fail(error as Error),
  });
  t.after(
    store.onChange((committed) => {
      for (const action of committed?.actions ?? []) parents.note(action);
    }),
  );
  return { store, parents, told };
}

const change = async (store: Store, name: string, how: typeof running): Promise<void> => {
  await store.commit([updateAction(how(await read(store, name)))]);
};

test("a parent waits from its first open call to the end of its last", async (t) => {
  const { store, parents, told } = await open(t);
  parents.follow(parent);
  await store.commit([{ type: "insertAction", action: child("a1") }]);
  await store.commit([{ type: "insertAction", action: child("a2") }]);
  assert.deepEqual(told, ["a0/1 waits"]);
  await change(store, "a2", succeeded);
  await change(store, "a1", succeeded);
  await until("it goes on", () => told.length === 2);
  assert.deepEqual(told, ["a0/1 waits", "a0/1 goes on"]);
  await store.commit([{ type: "insertAction", action: child("a3") }]);
  assert.equal(told.at(-1), "a0/1 waits");
});

test("a parent that was started anew waits for the calls that are there from before", async (t) => {
  const { store, parents, told } = await open(t, ["a1"]);
  await change(store, "a0", running);
  parents.follow({ ...parent, attempt: 2 });
  await until("it waits", () => told.length === 1);
  await change(store, "a1", succeeded);
  await until("it goes on", () => told.length === 2);
  assert.deepEqual(told, ["a0/2 waits", "a0/2 goes on"]);
});

test("one that has ended, or that nobody follows, is not told of", async (t) => {
  const { store, parents, told } = await open(t);
  await store.commit([{ type: "insertAction", action: child("a1") }]);
  parents.follow(parent);
  await change(store, "a0", succeeded);
  await store.commit([{ type: "insertAction", action: child("a2") }]);
  assert.deepEqual(told, []);
});
