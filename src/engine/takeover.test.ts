// Runs that nobody serves are served, whoever created them, and none is forgotten.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { GodwitError } from "../core/error.ts";
import { sampleRun, startRun } from "../store/sample-rows.suite.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { until } from "../testing/until.ts";
import { Takeover } from "./takeover.ts";

type Scene = {
  readonly store: Store;
  readonly served: number[];
  readonly errors: unknown[];
  answer(run: number): Promise<void>;
};

async function scene(t: TestContext): Promise<Scene> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  await store.register({ id: "me", pid: 1, host: "here", startedAtMs: 1 });
  return { store, served: [], errors: [], answer: () => new Promise(() => {}) };
}

/** Takes a run over as an engine does: its row says who owns it. */
function takeover(t: TestContext, scene: Scene): Takeover {
  const { store, served, errors } = scene;
  const serve = async (id: number): Promise<void> => {
    served.push(id);
    const [run] = await store.runsById([id]);
    if (run !== undefined) await store.commit([{ type: "updateRun", run: { ...run, owner: "me" } }]);
    await scene.answer(id);
  };
  const all = new Takeover({ store, serve, onError: (error) => errors.push(error) });
  t.after(() => all.stop());
  all.start();
  return all;
}

test("runs that are there, and runs to come, are served once each", async (t) => {
  const at = await scene(t);
  for (let id = 1; id <= 1_200; id++) await startRun(at.store, sampleRun({ id, owner: "gone" }));
  takeover(t, at);
  await until("all are served", () => at.served.length === 1_200);
  await startRun(at.store, sampleRun({ id: 5_000 }));
  await until("the new one is served", () => at.served.length === 1_201);
  assert.equal(new Set(at.served).size, 1_201);
});

test("a run that another process serves is left to it, and one that failed is tried again", async (t) => {
  const at = await scene(t);
  let failures = 0;
  at.answer = async (run) => {
    if (run === 1) throw new GodwitError("already_exists", "Another process was quicker.");
    if (run === 2 && failures++ === 0) throw new GodwitError("resource_exhausted", "The disk is full.");
    return new Promise(() => {});
  };
  await startRun(at.store, sampleRun({ id: 1 }));
  await startRun(at.store, sampleRun({ id: 2 }));
  takeover(t, at);
  await until("it is tried again", () => at.served.filter((run) => run === 2).length === 2);
  assert.deepEqual(
    at.served.filter((run) => run === 1),
    [1],
  );
  assert.match(String(at.errors), /The disk is full/);
});

test("once it is stopped, nothing more is taken", async (t) => {
  const at = await scene(t);
  const all = takeover(t, at);
  await startRun(at.store, sampleRun({ id: 1 }));
  await until("the first is served", () => at.served.length === 1);
  all.stop();
  await startRun(at.store, sampleRun({ id: 2 }));
  await at.store.unservedRuns(1);
  assert.deepEqual(at.served, [1]);
});
