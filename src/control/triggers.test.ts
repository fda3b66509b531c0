// Triggers as people deal with them: what is refused, what is a revision, and what lists find.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openSqliteStore } from "../store/sqlite.ts";
import {
  at,
  every,
  type Ground,
  manifest,
  newTrigger,
  scope,
  spec,
  triggerGround,
} from "../testing/trigger-ground.fixture.ts";
import type { NewTrigger } from "./control.ts";

const name = { task: spec.name, name: "nightly" };
const all = { limit: 100, token: null };

async function opened(t: TestContext): Promise<Ground> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  return triggerGround({ store });
}

const cron = (expression: string, timeZone = "UTC") =>
  ({ ...every(1), schedule: { type: "cron", expression, timeZone } }) as const;

test("deploying the same again is no revision, deploying another is, and each is kept as it was", async (t) => {
  const { control } = await opened(t);
  const first = await control.triggers.deploy(scope, newTrigger());
  const same = await control.triggers.deploy(scope, newTrigger());
  const other = await control.triggers.deploy(scope, newTrigger({ description: "changed" }));
  assert.deepEqual([first.isChanged, same.isChanged, other.isChanged], [true, false, true]);
  assert.equal(other.trigger.revision, 2);
  assert.equal((await control.triggers.revision(scope, name, 1)).content.description, "");
  assert.equal((await control.triggers.revision(scope, name, 2)).content.description, "changed");
  await assert.rejects(control.triggers.revision(scope, name, 3), { code: "not_found" });
});

test("a change of an older revision than the last is refused", async (t) => {
  const { control } = await opened(t);
  await control.triggers.deploy(scope, newTrigger());
  await control.triggers.deploy(scope, newTrigger({ description: "mine", expectedRevision: 1 }));
  await assert.rejects(control.triggers.deploy(scope, newTrigger({ description: "yours", expectedRevision: 1 })), {
    code: "failed_precondition",
  });
});

test("people who deploy at the same time get revisions one after the other, and none is lost", async (t) => {
  const { control } = await opened(t);
  const deployed = await Promise.all(
    Array.from({ length: 5 }, (_, n) => control.triggers.deploy(scope, newTrigger({ description: `${n}` }))),
  );
  assert.deepEqual(deployed.map(({ trigger }) => trigger.revision).sort(), [1, 2, 3, 4, 5]);
  const { items } = await control.triggers.history(scope, name, all);
  assert.equal(items.length, 5);
});

test("what cannot work is refused when it is deployed, and says what is wrong", async (t) => {
  const { control } = await opened(t);
  const refused = (more: Partial<NewTrigger>, message: RegExp, code = "invalid_argument") =>
    assert.rejects(control.triggers.deploy(scope, newTrigger(more)), (error: unknown) => {
      assert.equal((error as { code?: string }).code, code);
      assert.match((error as Error).message, message);
      return true;
    });
  await refused({ name: "a/b" }, /trigger name "a\/b" is not allowed/);
  await refused({ name: "" }, /is not allowed/);
  await refused({ task: "env.none" }, /no task "env.none"/, "not_found");
  await refused({ automation: cron("61 * * * *") }, /not one that cron knows/);
  await refused({ automation: cron("0 0 31 2 *") }, /never comes/);
  await refused({ automation: cron("0 0 * * *", "Mars/Base") }, /no time zone/);
  await refused({ automation: { ...every(1), timeInput: "whem" } }, /no input "whem".*Did you mean "when"/);
  await refused({ automation: { ...every(1), timeInput: "n" }, inputs: {} }, /cannot take the scheduled time/);
  await refused({ inputs: {} }, /gives no "n"/);
  await refused({ inputs: { n: { type: "integer", value: "1" }, m: { type: "none" } } }, /no input "m"/);
  await refused(
    { notify: [{ phases: [], target: { url: "x", method: "POST", headers: {}, body: null } }] },
    /one phase/,
  );
  await refused({ automation: { ...every(1), catchUp: "some" as "all" } }, /all, latest, none/);
  assert.deepEqual((await control.triggers.list(scope, all)).items, []);
});

test("lists find the triggers of a task, of a version, and those that are active, a page at a time", async (t) => {
  const { control } = await opened(t);
  const other = { ...manifest, tasks: [...manifest.tasks, { ...spec, name: "env.other" }] };
  for (const trigger of ["c", "a", "b"]) await control.triggers.deploy(scope, newTrigger({ name: trigger }));
  await control.triggers.deploy(scope, newTrigger({ name: "d", isActive: false, taskVersion: "v2" }));
  await control.triggers.deploy(scope, newTrigger({ name: "a", task: "env.other", manifest: other }));
  await control.triggers.deploy({ ...scope, domain: "elsewhere" }, newTrigger({ name: "x" }));
  const found = async (more: object): Promise<readonly string[]> => {
    const names: string[] = [];
    let token: string | null = null;
    do {
      const page = await control.triggers.list(scope, { limit: 2, token, ...more });
      assert.ok(page.items.length <= 2);
      names.push(...page.items.map((each) => `${each.task}/${each.name}`));
      token = page.token;
    } while (token !== null);
    return names;
  };
  const own = ["a", "b", "c", "d"].map((each) => `${spec.name}/${each}`);
  assert.deepEqual(await found({}), ["env.other/a", ...own]);
  assert.deepEqual(await found({ task: spec.name }), own);
  assert.deepEqual(await found({ isActive: false }), [`${spec.name}/d`]);
  assert.deepEqual(await found({ task: spec.name, taskVersion: "v2" }), [`${spec.name}/d`]);
  await assert.rejects(control.triggers.list(scope, { limit: 2, token: "nonsense" }), { code: "invalid_argument" });
});

test("many are switched or removed together, or none of them", async (t) => {
  const { control } = await opened(t);
  const names = ["a", "b"].map((each) => ({ task: spec.name, name: each }));
  for (const each of names) await control.triggers.deploy(scope, newTrigger(each));
  const missing = { task: spec.name, name: "missing" };
  await assert.rejects(control.triggers.setActive(scope, [...names, missing], false), { code: "not_found" });
  await assert.rejects(control.triggers.remove(scope, [...names, missing]), { code: "not_found" });
  assert.deepEqual(
    (await control.triggers.list(scope, all)).items.map(({ isActive }) => isActive),
    [true, true],
  );
  await control.triggers.setActive(scope, [...names, ...names], false);
  await control.triggers.setActive(scope, names, false);
  assert.deepEqual(
    (await control.triggers.list(scope, all)).items.map(({ isActive, revision }) => [isActive, revision]),
    [
      [false, 2],
      [false, 2],
    ],
  );
  await control.triggers.remove(scope, names);
  assert.deepEqual((await control.triggers.list(scope, all)).items, []);
});

test("a removed trigger is gone and its history is not, and one of its name goes on counting", async (t) => {
  const ground = await opened(t);
  const { triggers } = ground.control;
  await triggers.deploy(scope, newTrigger());
  await triggers.remove(scope, [name]);
  await assert.rejects(triggers.get(scope, name), { code: "not_found" });
  await ground.lookAt(at(5));
  assert.deepEqual(await ground.runs(), []);
  const { items } = await triggers.history(scope, name, all);
  assert.deepEqual(
    items.map(({ action, revision, by }) => [action, revision, by]),
    [
      ["delete", 2, "ada"],
      ["deploy", 1, "ada"],
    ],
  );
  assert.equal((await triggers.deploy(scope, newTrigger())).trigger.revision, 3);
});

test("what is not there is named, with what is like it", async (t) => {
  const { control } = await opened(t);
  await control.triggers.deploy(scope, newTrigger());
  await assert.rejects(
    control.triggers.get(scope, { ...name, name: "nightli" }),
    /has no trigger "nightli" in p\/d\. Did you mean "nightly"\?/,
  );
  await assert.rejects(control.triggers.history(scope, { ...name, name: "none" }, all), { code: "not_found" });
});

test("a preview shows the next ticks in the schedule's own time, with the names of their runs", async (t) => {
  const ground = await opened(t);
  const berlin = cron("30 2 * * *", "Europe/Berlin");
  await ground.control.triggers.deploy(scope, newTrigger({ automation: berlin, isActive: false }));
  const ticks = await ground.control.triggers.preview(scope, name, { count: 3, afterMs: Date.UTC(2026, 2, 28, 12) });
  assert.deepEqual(
    ticks.map(({ atMs }) => new Date(atMs).toISOString().slice(0, 16)),
    ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"],
  );
  await ground.control.triggers.setActive(scope, [name], true);
  const [first] = await ground.control.triggers.preview(scope, name, { count: 1 });
  await ground.lookAt(first?.atMs ?? 0);
  assert.deepEqual(
    (await ground.runs()).map((run) => run.name),
    [first?.runName],
  );
});
