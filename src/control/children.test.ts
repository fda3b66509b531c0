// What parents of other SDKs call, one call at a time, and what whoever follows their children is told.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { GodwitError } from "../core/error.ts";
import { running, succeeded } from "../store/sample-rows.suite.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { ChildrenUpdate, Enqueued } from "./answers.ts";
import type { Control } from "./control.ts";
import { controlOver, sampleSpec, scope } from "./records.fixture.ts";

const spec = sampleSpec({ target: { type: "typescript" } });

async function opened(t: TestContext) {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  const control = controlOver(store, () => 1_000);
  const { run } = await control.createRun(scope, {
    name: "r",
    manifest: { bundle: "b".repeat(64), entry: "", tasks: [spec] },
    task: spec.name,
    inputs: {},
    source: { file: "", projectDir: "" },
    overwriteCache: false,
    recovers: null,
  });
  const [root] = await store.actions([{ run: run.id, name: "a0" }]);
  assert.ok(root !== undefined);
  await store.commit([{ type: "updateAction", action: { ...running(root), revision: root.revision } }]);
  return { store, control, run };
}

const called = (name: string, x = 1): Enqueued => ({
  type: "task",
  name,
  spec,
  inputs: { x: { type: "integer", value: String(x) } },
  group: null,
});

async function next(updates: AsyncIterator<ChildrenUpdate>): Promise<ChildrenUpdate> {
  const { value, done } = await updates.next();
  assert.ok(done !== true);
  return value;
}

const told = (update: ChildrenUpdate): unknown =>
  update.type === "listed" ? "listed" : update.actions.map(({ name, phase }) => `${name} ${phase}`);

function watching(t: TestContext, control: Control, parent: string) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  return control.watchChildren(scope, "r", parent, stop.signal)[Symbol.asyncIterator]();
}

test("the same call twice is one action, and with other inputs it is refused", async (t) => {
  const { control } = await opened(t);
  const first = await control.enqueue(scope, "r", "a0", called("child"));
  assert.deepEqual(await control.enqueue(scope, "r", "a0", called("child")), first);
  assert.equal(first.phase, "queued");
  await assert.rejects(control.enqueue(scope, "r", "a0", called("child", 2)), { code: "invalid_argument" });
});

test("nothing is called on behalf of who has ended, or is not there", async (t) => {
  const { control } = await opened(t);
  await assert.rejects(control.enqueue(scope, "r", "nobody", called("child")), { code: "not_found" });
  await control.abortRun(scope, "r", "enough");
  await assert.rejects(
    control.enqueue(scope, "r", "a0", called("child")),
    (error) => error instanceof GodwitError && error.code === "aborted",
  );
});

test("who follows an action's children is told those that are there, then that these were all, then what changes", async (t) => {
  const { control, store } = await opened(t);
  await control.enqueue(scope, "r", "a0", called("one"));
  const updates = watching(t, control, "a0");
  assert.deepEqual(told(await next(updates)), ["one queued"]);
  assert.equal(told(await next(updates)), "listed");
  await control.enqueue(scope, "r", "a0", called("two"));
  assert.deepEqual(told(await next(updates)), ["two queued"]);
  const two = await control.enqueue(scope, "r", "a0", called("two"));
  await store.commit([{ type: "updateAction", action: { ...running(two), revision: two.revision } }]);
  assert.deepEqual(told(await next(updates)), ["two running"]);
});

test("a trace is there when it has ended, and one that failed may be recorded anew under its name", async (t) => {
  const { control } = await opened(t);
  const error = {
    code: "ValueError",
    message: "no",
    kind: "user",
    recoverable: true,
    stack: null,
    location: null,
    origin: null,
  } as const;
  const trace = (failure: typeof error | null): Enqueued => ({
    type: "trace",
    name: "t",
    label: "step",
    startedAtMs: 1,
    endedAtMs: 2,
    outputs: failure === null ? { o0: { type: "integer", value: "1" } } : null,
    error: failure,
  });
  assert.equal((await control.enqueue(scope, "r", "a0", trace(error))).phase, "failed");
  assert.equal((await control.enqueue(scope, "r", "a0", trace(null))).phase, "succeeded");
});

test("a condition waits as paused until it is signalled, and whoever watches it is told", async (t) => {
  const { control } = await opened(t);
  const condition = { name: "approve", valueType: "boolean", prompt: null, timeoutMs: null } as const;
  await control.enqueue(scope, "r", "a0", { type: "condition", name: "c", condition });
  const phases: string[] = [];
  for await (const { action } of control.watchAction(scope, "r", "c", t.signal)) {
    phases.push(action.phase);
    if (action.phase === "paused") await control.signal(scope, "r", "c", true);
  }
  assert.deepEqual(phases, ["paused", "succeeded"]);
});

test("a follower that does not keep up is given the list anew, and misses nobody's end", async (t) => {
  const { control, store, run } = await opened(t);
  const updates = watching(t, control, "a0");
  assert.equal(told(await next(updates)), "listed");
  const count = 10_500;
  const sample = await control.enqueue(scope, "r", "a0", called("sample"));
  for (let from = 0; from < count; from += 500)
    await store.commit(
      Array.from({ length: 500 }, (_, at) => ({
        type: "insertAction" as const,
        action: { ...succeeded(running(sample)), run: run.id, name: `n${from + at}`, revision: 0 },
      })),
    );
  const seen = new Set<string>();
  while (seen.size < count + 1) {
    const update = await next(updates);
    if (update.type === "actions") for (const { name } of update.actions) seen.add(name);
  }
});
