// A stampede: a hundred equal calls at once are computed once, in one run, in two of one process and in
// two processes, whoever of those that compute is killed or aborted meanwhile.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openGodwit } from "../src/godwit.ts";
import { bundleFile, storeBundle } from "../src/sdk/bundle.ts";
import { makeProject, type Project, type Started, until } from "./project.ts";

const calls = 100;
let project: Project;
let place: string;
before(() => {
  project = makeProject();
  // Each body notes its run, its attempt and its process, and ends once the gate is open.
  project.write(
    "pipeline.ts",
    `import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { context, environment, map, TaskError } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit" });
const input = z.object({ place: z.string() });
const cached = { cache: { version: "1" }, input, output: z.string(), retries: { system: 3, backoff: { base: "10ms" } } } as const;
const body = async (place: string): Promise<void> => {
  const { run, attempt } = context();
  appendFileSync(join(place, "journal"), run.name + " " + attempt + " " + process.pid + "\\n");
  while (!existsSync(join(place, "gate"))) await setTimeout(5);
};
export const slow = env.task({ name: "slow", ...cached }, async ({ place }) => {
  await body(place);
  return context().run.name;
});
export const unlucky = env.task({ name: "unlucky", ...cached }, async ({ place }) => {
  await body(place);
  throw new Error("no luck for " + context().run.name + "/" + context().action);
});
const crowd = z.object({ place: z.string(), calls: z.int() });
const everyone = ({ place, calls }: z.infer<typeof crowd>) => Array.from({ length: calls }, () => ({ place }));
export const many = env.task({ name: "many", input: crowd, output: z.array(z.string()) }, (crowd) => map(slow, everyone(crowd)));
export const failing = env.task({ name: "failing", input: crowd, output: z.array(z.string()) }, async (crowd) =>
  (await map(unlucky, everyone(crowd), { returnErrors: true })).map((result) => result instanceof TaskError ? result.error.message : "fine"));
`,
  );
});
after(() => project.remove());

let round = 0;
beforeEach(() => {
  round += 1;
  project.write(`place-${round}/journal`, "");
  place = join(project.dir, `place-${round}`);
});

/** What was computed: `run attempt pid`. */
const bodies = (): readonly string[] => readFileSync(join(place, "journal"), "utf8").split("\n").filter(Boolean);
const runsOfBodies = (): readonly string[] => bodies().map((line) => line.split(" ")[0] as string);
const begun = (count: number): Promise<void> => until(() => bodies().length >= count, `${count} have begun`);
const open = (): void => writeFileSync(join(place, "gate"), "");
const nameOf = (who: string): string => `${who}-${round}`;
const started: Started[] = [];
const start = (who: string, task = "many", count = calls): Started => {
  const begins = project.start([
    ...["run", "pipeline.ts", task, "--place", place, "--calls", String(count)],
    ...["--name", nameOf(who), "--json", "--quiet"],
  ]);
  started.push(begins);
  return begins;
};
// A failed test's would keep this process waiting.
afterEach(() => {
  for (const { process } of started.splice(0)) process.kill("SIGKILL");
});

type Row = { readonly label: string; readonly phase: string };
/** All of its calls but those under way wait for the one that is computed. */
const waits = (who: string, waiting: number): Promise<void> =>
  until(async () => {
    const { code, stdout } = await project.run(["get", "actions", nameOf(who), "--json", "--limit", "1000"]);
    const rows: readonly Row[] = code === 0 ? JSON.parse(stdout) : [];
    return rows.filter(({ phase }) => phase === "waiting_for_resources").length === waiting;
  }, `${who} waits`);

type Result = { readonly outputs: { readonly o0: readonly string[] }; readonly actions: { readonly cached: number } };
async function resultOf({ ended }: Started): Promise<Result> {
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test("a hundred calls of two runs each, in two processes, are computed once", async () => {
  const both = [start("one"), start("other")];
  await begun(1);
  const [first = ""] = runsOfBodies();
  await Promise.all(["one", "other"].map((who) => waits(who, nameOf(who) === first ? calls - 1 : calls)));
  open();
  const results = await Promise.all(both.map(resultOf));
  for (const { outputs } of results) assert.deepEqual(outputs.o0, Array(calls).fill(first));
  assert.deepEqual(results.map(({ actions }) => actions.cached).sort(), [calls, calls - 1].sort());
  assert.equal(bodies().length, 1);
});

test("a hundred calls of two runs each, that one process serves, are computed once", async () => {
  const file = join(project.dir, "pipeline.ts");
  const source = { file, projectDir: project.dir };
  const scope = { project: "default", domain: "development", caller: "test" };
  const godwit = await openGodwit({ dataDir: join(project.dir, ".godwit"), workers: 2 });
  try {
    const digest = await storeBundle(await bundleFile(file, project.dir, {}), godwit.blobs);
    const manifest = await godwit.describe(digest, project.dir);
    const inputs = {
      place: { type: "string", value: place },
      calls: { type: "integer", value: String(calls) },
    } as const;
    const served = ["one", "other"].map(async (who) => {
      const { control } = godwit;
      const wanted = { name: nameOf(who), manifest, task: "kit.many", inputs, source, overwriteCache: false };
      const { run } = await control.createRun(scope, { ...wanted, recovers: null });
      return godwit.serve(run.id);
    });
    await begun(1);
    open();
    for (const { phase } of await Promise.all(served)) assert.equal(phase, "succeeded");
    assert.equal(bodies().length, 1);
  } finally {
    await godwit.close();
  }
});

test("when the worker that computes is killed it is computed once more, and all hundred get that", async () => {
  const run = start("mended");
  await begun(1);
  await waits("mended", calls - 1);
  process.kill(Number(bodies()[0]?.split(" ")[2]), "SIGKILL");
  await begun(2);
  open();
  const { outputs, actions } = await resultOf(run);
  assert.deepEqual(outputs.o0, Array(calls).fill(nameOf("mended")));
  assert.equal(actions.cached, calls - 1);
  assert.deepEqual(
    bodies().map((line) => line.split(" ").slice(0, 2).join(" ")),
    [`${nameOf("mended")} 1`, `${nameOf("mended")} 2`],
    "the one that was lost is tried again, and no other",
  );
});

test("when the process that computes is killed, one of those that wait in another takes over", async () => {
  const owner = start("owner");
  await begun(1);
  const heir = start("heir");
  await waits("heir", calls);
  owner.process.kill("SIGKILL");
  await begun(2);
  open();
  const { outputs, actions } = await resultOf(heir);
  assert.deepEqual(outputs.o0, Array(calls).fill(nameOf("heir")));
  assert.equal(actions.cached, calls - 1);
  assert.deepEqual(runsOfBodies(), ["owner", "heir"].map(nameOf));
  const resumed = await resultOf(project.start(["resume", nameOf("owner"), "--json", "--quiet"]));
  assert.deepEqual(resumed.outputs.o0, Array(calls).fill(nameOf("heir")));
  assert.equal(bodies().length, 2, "who goes on takes what the other has computed");
});

test("when the run that computes is aborted, one of those that wait in another takes over", async () => {
  const owner = start("owner");
  await begun(1);
  const heir = start("heir");
  await waits("heir", calls);
  assert.equal((await project.run(["abort", nameOf("owner")])).code, 0);
  await begun(2);
  assert.equal((await owner.ended).code, 1);
  open();
  assert.deepEqual((await resultOf(heir)).outputs.o0, Array(calls).fill(nameOf("heir")));
  assert.deepEqual(runsOfBodies(), ["owner", "heir"].map(nameOf));
});

test("a failure is nobody else's: each of a hundred calls tries by itself, in one run and in another", async () => {
  const both = [start("one", "failing", calls / 2), start("other", "failing", calls / 2)];
  await begun(1);
  const [first] = runsOfBodies();
  await Promise.all(["one", "other"].map((who) => waits(who, nameOf(who) === first ? calls / 2 - 1 : calls / 2)));
  open();
  const results = await Promise.all(both.map(resultOf));
  const errors = new Set(results.flatMap(({ outputs }) => outputs.o0));
  assert.equal(errors.size, calls, "every call has an error of its own");
  assert.equal(bodies().length, calls);
});
