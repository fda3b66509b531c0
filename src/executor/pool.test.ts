// What the pool does with attempts while its workers are well. How they end: worker-loss.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Launch } from "../core/messages.ts";
import { bench, pidOf, textOf } from "./pool-bench.fixture.ts";

test("an attempt's outcome is what its task returned or threw", async (t) => {
  const { pool, launch, ends } = bench(t);
  const good = launch("echo", "hello");
  const bad = launch("throws", "no");
  pool.ensureLaunched([good, bad]);
  assert.deepEqual(await ends(good, bad), ["hello", "user TypeError: no"]);
  assert.deepEqual(pool.running(), []);
});

test("what is launched twice runs once, also while its outcome has not been taken", async (t) => {
  const { pool, launch, until, outcomes, marks } = bench(t);
  const one = launch("hang");
  pool.ensureLaunched([one, one]);
  pool.ensureLaunched([one]);
  await until(() => marks().length > 0);
  pool.ensureLaunched([one]);
  assert.deepEqual(pool.running(), [{ run: 1, action: one.action, attempt: 1 }]);
  pool.stop([one], "enough");
  await until(() => pool.running().length === 0);
  assert.deepEqual(outcomes, []);
  assert.deepEqual(marks(), ["hang"]);
});

test("1,000 trivial attempts run once each, many ahead in each worker", async (t) => {
  const { launch, outcomes, until, admit } = bench(t, { workers: 2 });
  const waiting = Array.from({ length: 1_000 }, (_, index) => launch("echo", `${index}`));
  const wanted = new Map(
    waiting.map((one) => [one.action, textOf({ ...one, result: { type: "succeeded", outputs: one.inputs } })]),
  );
  let mostAtOnce = 0;
  while (outcomes.length < 1_000) {
    mostAtOnce = Math.max(mostAtOnce, admit(waiting));
    const before = outcomes.length;
    await until(() => outcomes.length > before);
  }
  assert.equal(new Set(outcomes.map(({ action }) => action)).size, 1_000);
  for (const outcome of outcomes) assert.equal(textOf(outcome), wanted.get(outcome.action));
  assert.ok(mostAtOnce > 2, `at most ${mostAtOnce} were taken at once`);
});

test("places follow the pace: one each until tasks have proved quick, then many, then one again", async (t) => {
  const { pool, launch, ends, until, free } = bench(t);
  assert.equal(free(), 1);
  for (let round = 0; round < 8; round++) {
    const one = launch("moody");
    pool.ensureLaunched([one]);
    await ends(one);
  }
  await until(() => free("moody") >= 10);
  const slow = launch("moody", "slow");
  pool.ensureLaunched([slow]);
  await ends(slow);
  assert.equal(free(), 1);
});

test("a slow attempt does not hold up those queued behind it while another worker idles", async (t) => {
  const { pool, launch, ends, outcomes } = bench(t, { workers: 2 });
  for (let round = 0; round < 10; round++) {
    const both = [launch("moody"), launch("moody")];
    pool.ensureLaunched(both);
    await ends(...both);
  }
  const slow = launch("moody", "slow");
  const others = Array.from({ length: 40 }, () => launch("moody"));
  pool.ensureLaunched([slow, ...others]);
  await ends(slow, ...others);
  assert.equal(outcomes.at(-1)?.action, slow.action);
});

test("a task that is not known to be quick goes behind no other", async (t) => {
  const { pool, launch, until, ends, marks, free } = bench(t);
  const hanging = launch("hang");
  const next = launch("echo", "next");
  pool.ensureLaunched([hanging, next]);
  await until(() => marks().length === 1);
  assert.equal(free(), 0);
  pool.stop([hanging], "go on");
  assert.deepEqual(await ends(next), ["next"]);
});

test("attempts that wait for their calls hold no place, ten deep in one worker", async (t) => {
  const { pool, control, launch, ends } = bench(t);
  const children = new Map<string, Launch>();
  control.onCall = (name) => {
    const depth = Number(name.slice(1));
    const child = depth === 10 ? launch("echo", "bottom", name) : launch("parent", `d${depth + 1}`, name);
    children.set(name, child);
    pool.ensureLaunched([child]);
    void ends(child).then(([text]) => control.end(name, `${text}<`));
  };
  const root = launch("parent", "d1");
  pool.ensureLaunched([root]);
  assert.deepEqual(await ends(root), [`bottom${"<".repeat(10)}`]);
  assert.equal(control.order[0], "follow");
  assert.equal(control.order.filter((word) => word === "unfollow").length, 10);
});

test("1,200 attempts that wait in the only worker do not keep it from what they wait for", async (t) => {
  const { pool, control, launch, ends, until, free, admit } = bench(t);
  const parents = Array.from({ length: 1_200 }, (_, index) => launch("parent", `c${index}`));
  const queue = [...parents];
  while (control.pending.size < 1_200) {
    admit(queue);
    const before = control.pending.size;
    await until(() => control.pending.size > before);
  }
  assert.equal(free(), 1, "beyond the bound one at a time");
  const child = launch("echo", "child");
  pool.ensureLaunched([child]);
  assert.deepEqual(await ends(child), ["child"]);
  for (const name of [...control.pending]) control.end(name, name);
  assert.equal((await ends(...parents)).length, 1_200);
});

test("calls known at once and calls refused come back to the caller", async (t) => {
  const { pool, launch, ends } = bench(t);
  const known = launch("parent", "known1 known2");
  const refused = launch("parent", "refuse");
  pool.ensureLaunched([known, refused]);
  const [first, second] = await ends(known, refused);
  assert.equal(first, "known1,known2");
  assert.match(second as string, /too many calls/);
});

test("a stopped attempt is told, and has no outcome", async (t) => {
  const { pool, launch, outcomes, until, marks } = bench(t);
  const pid = await pidOf(pool);
  const hanging = launch("hang");
  const behind = launch("echo");
  pool.ensureLaunched([hanging, behind]);
  await until(() => marks().length === 1);
  pool.stop([behind, hanging], "aborted by the user");
  await until(() => pool.running().length === 0);
  assert.deepEqual(outcomes, []);
  assert.equal(await pidOf(pool), pid, "the worker lives on");
});

test("what is printed is kept with the attempt that printed it, line by line", async (t) => {
  const { pool, printed, texts, launch, ends } = bench(t);
  const both = [launch("prints", "a"), launch("prints", "b"), launch("child prints", "of a child")];
  pool.ensureLaunched(both);
  await ends(...both);
  const lines = (name: string) => [
    `stdout out ${name}`,
    `stderr err ${name}`,
    `stdout log ${name}`,
    "stdout no end of line",
  ];
  assert.deepEqual(printed.get("n1"), lines("a"));
  assert.deepEqual(printed.get("n2"), lines("b"));
  assert.deepEqual(printed.get("n3"), ["stdout of a child"]);
  await pool.describe("b", "/");
  assert.deepEqual(texts, ["loading b"]);
});

test("20 MB printed in one turn all arrive before the outcome", async (t) => {
  const { pool, printed, launch, ends } = bench(t);
  const flood = launch("floods", "20000");
  pool.ensureLaunched([flood]);
  await ends(flood);
  assert.equal(printed.get("n1")?.length, 20_000);
});

test("code is described and inputs are checked in a worker; what is wrong with them is an error", async (t) => {
  const { pool } = bench(t);
  assert.equal((await pool.describe("b", "/")).bundle, "b");
  assert.deepEqual(await pool.check("b", "/", "train", { depth: { type: "none" } }), ["train: depth"]);
  await assert.rejects(pool.describe("bad", "/"), { code: "invalid_argument", message: "The file does not parse." });
  await assert.rejects(pool.describe("exits", "/"), { code: "failed_precondition", message: /process\.exit\(4\)/ });
  assert.equal((await pool.describe("b", "/")).bundle, "b", "after its worker was replaced");
});

test("a question that no worker comes to in time ends no attempt that computes there", async (t) => {
  const { pool, launch, ends, until, marks } = bench(t, { askTimeoutMs: 1_000 });
  const spins = launch("spins for", "4000");
  pool.ensureLaunched([spins]);
  await until(() => marks().length > 0);
  await assert.rejects(pool.describe("b", "/"), { code: "unavailable", message: /All workers compute, and none/ });
  assert.deepEqual(await ends(spins), ["4000"]);
});
