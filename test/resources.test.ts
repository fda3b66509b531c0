// What operators and users say of resources, and what people see when something waits: by real commands.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeProject, makeTrial, type Project, until } from "./project.ts";

const pipeline = `import { existsSync } from "node:fs";
import { condition, environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit", resources: { cpu: 0.1 } });
const gate = async () => { while (!existsSync("gate")) await new Promise((resolve) => setTimeout(resolve, 20)); };
export const big = env.task({ name: "big", resources: { gpu: "A100:4" } }, () => undefined);
export const held = env.task({ name: "held", input: z.object({ n: z.int() }), concurrency: 1, resources: { tokens: { licence: 1 } } }, gate);
export const licensed = env.task({ name: "licensed", priority: -3, resources: { tokens: { licence: 1 } } }, gate);
export const main = env.task({ name: "main" }, async () => {
  const first = held({ n: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  await Promise.all([first, held({ n: 2 }), licensed(), big(), condition({ name: "approve", type: "boolean" })]);
});
export const quick = env.task({ name: "quick", output: z.string() }, () => "done");
`;

function projectOf(context: TestContext): Project {
  const project = makeProject();
  const trial = makeTrial(project);
  context.after(() => {
    trial.end();
    project.remove();
  });
  project.write("pipeline.ts", pipeline);
  return { ...project, start: (args, env, stdin) => project.start(args, { ...trial.env, ...env }, stdin) };
}

type Listed = {
  readonly label: string;
  readonly phase: string;
  readonly priority: number;
  readonly waitsFor: { readonly type: string; readonly text: string } | null;
};

async function json<T>(project: Project, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await project.run([...args, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

const operated = ["--gpus", "1xA100", "--token", "licence=1", "--cpu", "2"] as const;

test("what waits says why, to every process, and goes on when there is room", async (context) => {
  const project = projectOf(context);
  const run = project.start(["run", "pipeline.ts", "main", "--name", "held", "--priority", "7", ...operated]);
  const waits = new Map<string, string>();
  await until(
    async () => {
      const listed = await project.run(["get", "actions", "held", "--json"]);
      if (listed.code !== 0) return false; // Nothing has run here yet.
      waits.clear();
      for (const { label, waitsFor } of JSON.parse(listed.stdout) as readonly Listed[])
        if (waitsFor !== null) waits.set(label, waitsFor.text);
      return waits.size === 4 && ![...waits.values()].includes("waits for its turn");
    },
    "four actions wait for what they lack",
    60_000,
  );
  assert.deepEqual(Object.fromEntries(waits), {
    held: "waits for task limit: 1 of kit.held run",
    licensed: 'waits for 1 of the token "licence" (0 of 1 free)',
    big: "waits for 4 A100 GPUs: this machine has 1 (set GODWIT_GPUS, or ask for fewer)",
    approve: "waits for a signal: godwit signal held approve true",
  });
  const shown = await project.run(["get", "actions", "held"]);
  assert.match(shown.stdout, /^ {2}LABEL .* WAITS FOR .*$/m);
  assert.match(shown.stdout, /^. +licensed .* 1 of the token "licence" \(0 of 1 free\)$/m);
  assert.match((await project.run(["get", "action", "held", "big"])).stdout, /^why: +waits for 4 A100 GPUs/m);
  assert.match((await project.run(["get", "run", "held"])).stdout, /licensed .* {2}waits for 1 of the token "licence"/);
  const listed = await json<readonly Listed[]>(project, "get", "actions", "held");
  const tasks = listed.filter(({ label }) => label !== "approve");
  assert.deepEqual(tasks.map(({ label, priority }) => `${label} ${priority}`).sort(), [
    "big 7",
    "held 7",
    "held 7",
    "licensed -3",
    "main 7",
  ]);

  const [engine] = await json<
    readonly { isLive: boolean; runs: string[]; machine: { gpus: unknown[] }; used: object }[]
  >(project, ...["get", "engines"]);
  assert.deepEqual(
    [engine?.isLive, engine?.runs, engine?.machine.gpus],
    [true, ["held"], [{ index: 0, model: "A100", memoryBytes: null }]],
  );
  assert.match(
    (await project.run(["get", "engines"])).stdout,
    /^● .* live .* held .*0\.1\/2 CPUs, .* 0\/1 A100 GPUs, 1\/1 licence$/m,
  );

  writeFileSync(join(project.dir, "gate"), "");
  await project.run(["signal", "held", "approve", "true"]);
  const label = async () =>
    (await json<readonly Listed[]>(project, "get", "actions", "held", "--phase", "succeeded"))
      .map((one) => one.label)
      .sort();
  await until(async () => (await label()).join() === "approve,held,held,licensed", "all but the one without GPUs");
  await project.run(["abort", "held"]);
  const { stdout } = await run.ended;
  assert.match(stdout, /· licensed \w+ waits for 1 of the token "licence" \(0 of 1 free\)/);
});

test("an engine says what its machine is from the beginning, also when nothing waits", async (context) => {
  const project = projectOf(context);
  const run = project.start(["run", "pipeline.ts", "held", "--n", "1", "--name", "free", ...operated]);
  const engines = async () => (await project.run(["get", "engines"])).stdout;
  await until(async () => (await engines()).includes("live"), "an engine serves it");
  assert.match(await engines(), / live .*\/2 CPUs, .*\/1 licence$/m);
  await until(async () => (await engines()).includes("0/1 A100 GPUs, 1/1 licence"), "it says what is used");
  writeFileSync(join(project.dir, "gate"), "");
  assert.equal((await run.ended).code, 0);
});

test("what nobody serves says who would", async (context) => {
  const project = projectOf(context);
  const run = project.start(["run", "pipeline.ts", "main", "--name", "left", ...operated]);
  const count = async () => (await project.run(["get", "actions", "left"])).stdout.split("\n").length;
  await until(async () => (await count()) > 6, "its calls are made");
  run.process.kill("SIGKILL");
  await run.ended;
  const actions = await json<readonly Listed[]>(project, "get", "actions", "left");
  for (const { label, waitsFor } of actions.filter((action) => action.label !== "approve"))
    assert.equal(waitsFor?.text, "nobody serves this run: godwit resume left", label);
  assert.match((await project.run(["get", "engines"])).stdout, /^○ .* gone /m);
});

test("a mistake in the settings is told before anything is started", async (context) => {
  const project = projectOf(context);
  project.write("godwit.config.json", '{ "machine": { "memroy": "4Gi" } }');
  const refused = await project.run(["run", "pipeline.ts", "quick"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /godwit\.config\.json: machine has no setting "memroy"\. Did you mean "memory"\?/);
  assert.doesNotMatch((await project.run(["get", "runs"])).stdout, /quick/);
  project.write("godwit.config.json", '{ "limits": { "run": 2 } }');
  assert.equal((await project.run(["run", "pipeline.ts", "quick"])).code, 0);
  for (const args of [
    ["--priority", "101"],
    ["--max-concurrency", "0"],
    ["--memory", "lots"],
    ["--token", "licence"],
  ])
    assert.equal((await project.run(["run", "pipeline.ts", "quick", ...args])).code, 2, args.join(" "));
});

test("a task's own input is not mistaken for what the engine is told", async (context) => {
  const project = projectOf(context);
  project.write(
    "own.ts",
    `import { environment } from "godwit"; import { z } from "zod";
export const keep = environment({ name: "own" }).task({ name: "keep", input: z.object({ memory: z.int().default(1) }), output: z.int() }, ({ memory }) => memory);`,
  );
  const mistaken = await project.run(["run", "own.ts", "--memory", "5"]);
  assert.equal(mistaken.code, 2);
  assert.match(mistaken.stderr, /--memory is an option of Godwit's: .* -- --memory VALUE/);
  const meant = await project.run(["run", "own.ts", "--memory", "1Gi", "--json", "--", "--memory", "5"]);
  assert.deepEqual(JSON.parse(meant.stdout).outputs, { o0: 5 });
});
