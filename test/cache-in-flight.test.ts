// Identical work in flight is done once: by one call of many, by one process of two; and by the other
// when the one that did it is killed.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type CachedProject, makeCachedProject } from "./cached-project.ts";
import { until } from "./project.ts";

let project: CachedProject;
let journal: string;
let gate: string;
before(() => {
  project = makeCachedProject();
  // Each body notes that it has begun, and ends once the gate is open.
  project.write(
    "pipeline.ts",
    `import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit" });
export const slow = env.task({ name: "slow", input: z.object({ x: z.int() }), output: z.int(), cache: { version: "1" } }, async ({ x }) => {
  appendFileSync(process.env.JOURNAL!, process.env.WHO + "\\n");
  while (!existsSync(process.env.GATE!)) await setTimeout(5);
  return x * x;
});
export const many = env.task({ name: "many", input: z.object({ x: z.int(), calls: z.int() }), output: z.array(z.int()) }, async ({ x, calls }) =>
  Promise.all(Array.from({ length: calls }, () => slow({ x }))));
export const fails = env.task({ name: "fails", output: z.int(), cache: { version: "1" } }, async () => {
  appendFileSync(process.env.JOURNAL!, process.env.WHO + "\\n");
  while (!existsSync(process.env.GATE!)) await setTimeout(5);
  throw new Error("no luck for " + process.env.WHO);
});
`,
  );
});
after(() => project.remove());

let round = 0;
beforeEach(() => {
  round += 1;
  journal = join(project.dir, `journal-${round}`);
  gate = join(project.dir, `gate-${round}`);
  writeFileSync(journal, "");
});

const begun = (): readonly string[] => readFileSync(journal, "utf8").split("\n").filter(Boolean);
const start = (who: string, ...args: string[]) =>
  project.start(["run", "pipeline.ts", ...args, "--json"], { JOURNAL: journal, GATE: gate, WHO: who });
const open = (): void => writeFileSync(gate, "");
/** It does not work, but waits for who does. */
const waits = (run: string): Promise<void> =>
  until(async () => {
    const { code, stdout } = await project.start(["get", "actions", run, "--json"]).ended;
    return (
      code === 0 && (JSON.parse(stdout) as { phase: string }[]).some(({ phase }) => phase === "waiting_for_resources")
    );
  }, `${run} waits`);

test("of many equal calls one is computed, and the others get its result", async () => {
  const run = start("one", "many", "--x", "7", "--calls", "20");
  await until(() => begun().length > 0, "the first has begun");
  open();
  const { code, stdout, stderr } = await run.ended;
  assert.equal(code, 0, stderr);
  const { outputs, actions } = JSON.parse(stdout);
  assert.deepEqual(outputs.o0, new Array(20).fill(49));
  assert.deepEqual([actions.cached, begun().length], [19, 1]);
});

test("two processes compute the same once", async () => {
  const first = start("first", "slow", "--x", "3");
  await until(() => begun().length > 0, "the first has begun");
  const second = start("second", "slow", "--x", "3", "--name", "waiting");
  await waits("waiting");
  open();
  const [one, two] = await Promise.all([first.ended, second.ended]);
  assert.deepEqual([one.code, two.code], [0, 0], one.stderr + two.stderr);
  assert.deepEqual([JSON.parse(one.stdout).outputs, JSON.parse(two.stdout).outputs], [{ o0: 9 }, { o0: 9 }]);
  assert.equal(JSON.parse(two.stdout).actions.cached, 1);
  assert.deepEqual(begun(), ["first"]);
});

test("when the process that computes is killed, the one that waits takes the work over", async () => {
  const first = start("first", "slow", "--x", "4");
  await until(() => begun().length > 0, "the first has begun");
  const second = start("second", "slow", "--x", "4", "--name", "heir");
  await waits("heir");
  first.process.kill("SIGKILL");
  await until(() => begun().length > 1, "the second has begun");
  open();
  const { code, stdout, stderr } = await second.ended;
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).outputs, { o0: 16 });
  assert.deepEqual(begun(), ["first", "second"]);
});

test("a failure is nobody else's: who waited computes for itself", async () => {
  const first = start("first", "fails");
  await until(() => begun().length > 0, "the first has begun");
  const second = start("second", "fails", "--name", "own-luck");
  await waits("own-luck");
  open();
  const [one, two] = await Promise.all([first.ended, second.ended]);
  assert.deepEqual([one.code, two.code], [1, 1]);
  assert.equal(JSON.parse(one.stdout).error.message, "no luck for first");
  assert.equal(JSON.parse(two.stdout).error.message, "no luck for second");
});
