// What "godwit/testing" promises to those who test with it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { z } from "zod";
import { condition } from "../sdk/condition.ts";
import { environment } from "../sdk/environment.ts";
import { File, file } from "../sdk/file.ts";
import { map } from "../sdk/map.ts";
import { trace } from "../sdk/trace.ts";
import { testGodwit } from "./environment.ts";

const env = environment({ name: "promises" });

const flaky = env.task({ name: "flaky", retries: 1 }, (_input, { attempt, log }) => {
  log.info(`attempt ${attempt}`);
  if (attempt === 1) throw new Error("again");
});

const lines = env.shell({
  name: "lines",
  output: z.object({ count: z.int() }),
  command: "echo seven; echo 7 > $count",
});

const approved = env.task({ name: "approved", output: z.boolean() }, async () => {
  await flaky();
  return condition({ name: "approve", type: "boolean" });
});

const godwit = await testGodwit();
after(() => godwit.close());

test("time jumps on the way to a condition, so that a retry before it takes none", { timeout: 10_000 }, async () => {
  const run = await godwit.run(approved);
  await run.waitsFor("approve");
  await run.signal("approve", true);
  assert.equal(await run.outputs(), true);
});

test("time stands still while calls are on their way, whatever timeouts there are", async () => {
  const input = z.object({ x: z.int(), content: file().optional() });
  const leaf = env.task({ name: "leaf", timeout: "5m", input, output: z.int() }, ({ x }) => x);
  const tree = env.task({ name: "tree", timeout: "10m", output: z.int() }, async () => {
    let sum = 0;
    for (let round = 0; round < 10; round++) {
      const content = File.fromPath(import.meta.filename);
      for (const x of await Promise.all([leaf({ x: 1 }), leaf({ x: 2, content })])) sum += x;
      await trace("round", () => round);
    }
    return sum;
  });
  const startMs = godwit.clock.nowMs();
  assert.equal(await (await godwit.run(tree)).outputs(), 30);
  assert.equal(godwit.clock.nowMs(), startMs);
});

test("a condition is seen while something else is at work", { timeout: 10_000 }, async () => {
  const busy = env.task(
    { name: "busy" },
    (_input, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      }),
  );
  const both = env.task({ name: "both" }, async () => {
    await Promise.all([busy(), condition({ name: "approve", type: "boolean" })]);
  });
  const run = await godwit.run(both);
  await run.waitsFor("approve");
  await run.abort();
});

test("who waits for a condition that cannot come is told", { timeout: 10_000 }, async () => {
  const run = await godwit.run(approved);
  await assert.rejects(run.waitsFor("aprove"), /waits for another signal without that/);
  await assert.rejects((await godwit.run(flaky)).waitsFor("approve"), /ended as succeeded without that/);
  await run.abort();
});

test("a log is found by the task's name, of all attempts, and of shell tasks too", async () => {
  const run = await godwit.run(approved);
  await run.waitsFor("approve");
  assert.deepEqual(await run.log("flaky"), ["attempt 1", "attempt 2"]);
  await run.abort();
  const counted = await godwit.run(lines);
  await counted.outputs();
  assert.deepEqual(await counted.log("lines"), ["seven"]);
});

test("a run's actions are all there, however many", async () => {
  const one = env.task({ name: "one", input: z.object({ x: z.int() }) }, () => undefined);
  const many = env.task({ name: "many" }, async () => {
    await map(
      one,
      Array.from({ length: 1_100 }, (_, x) => ({ x })),
    );
  });
  const run = await godwit.run(many);
  await run.outputs();
  assert.equal((await run.actions()).length, 1_101);
});

test("what a shell task asks for is there: tokens, GPUs of any model, more than any machine has", {
  timeout: 20_000,
}, async () => {
  const demanding = env.shell({
    name: "demanding",
    output: z.object({ devices: z.string() }),
    command: 'printf "%s" "$CUDA_VISIBLE_DEVICES" > $devices',
    resources: {
      cpu: 5_000,
      disk: "4000000Gi",
      gpu: "H100:2",
      tokens: { licence: 3, connections: 1_000 },
    },
  });
  assert.deepEqual(await (await godwit.run(demanding)).outputs(), { devices: "0,1" });
});

test("a mock stands in for a shell task", async () => {
  godwit.mock(lines, () => ({ count: 9 }));
  assert.deepEqual(await (await godwit.run(lines)).outputs(), { count: 9 });
});
