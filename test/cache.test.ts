// The cache as a user meets it: what an edit costs, what is looked at in inputs, and what can be asked
// of it, all through the real command.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type CachedProject, makeCachedProject } from "./cached-project.ts";

let project: CachedProject;
before(() => {
  project = makeCachedProject();
});
after(() => project.remove());

const pipeline = `import { environment } from "godwit";
import { z } from "zod";
import { scale } from "scales";
import { scaled, shifted } from "./lib/middle.ts";
import { elsewhere, untouched } from "./tasks.ts";
const env = environment({ name: "kit" });
const number = { input: z.object({ x: z.int() }), output: z.int(), cache: "auto" } as const;
export const reaches = env.task({ name: "reaches", ...number }, async ({ x }) => scaled(x));
export const plain = env.task({ name: "plain", ...number }, async ({ x }) => x);
export const sideways = env.task({ name: "sideways", ...number }, async ({ x }) => shifted(x));
export const packaged = env.task({ name: "packaged", ...number }, async ({ x }) => scale(x));
export const versioned = env.task({ name: "versioned", ...number, cache: { version: "1" } }, async ({ x }) => scaled(x));
export const child = env.task({ name: "child", ...number }, async ({ x }) => scaled(x + 1));
export const parent = env.task({ name: "parent", ...number }, async ({ x }) => child({ x }));
export const main = env.task({ name: "main", input: z.object({ x: z.int() }), output: z.array(z.int()) }, async ({ x }) =>
  Promise.all([reaches, plain, sideways, packaged, versioned, parent, elsewhere, untouched].map((task) => task({ x }))));
`;
const others = `import { environment } from "godwit";
import { z } from "zod";
import { scaled } from "./lib/middle.ts";
const env = environment({ name: "other" });
const number = { input: z.object({ x: z.int() }), output: z.int(), cache: "auto" } as const;
export const elsewhere = env.task({ name: "elsewhere", ...number }, async ({ x }) => scaled(x));
export const untouched = env.task({ name: "untouched", ...number }, async ({ x }) => -x);
`;
const middle = `import { factor } from "./deep.ts";
export const scaled = (x: number): number => x * factor();
export const shifted = (x: number): number => x + 1;
`;
const install = (version: string): void => {
  const manifest = { name: "scales", version, type: "module", exports: "./scales.js" };
  project.write("node_modules/scales/package.json", JSON.stringify(manifest));
  project.write("node_modules/scales/scales.js", "export const scale = (x) => x * 10;");
};
const run = () => project.run(["pipeline.ts", "main", "--x", "3"]);

test("an edit costs the tasks that reach it, in all files, and no others", async () => {
  install("1.0.0");
  project.write("lib/deep.ts", "export const factor = (): number => 2;");
  project.write("lib/middle.ts", middle);
  project.write("tasks.ts", others);
  project.write("pipeline.ts", pipeline);
  assert.deepEqual((await run()).outputs.o0, [6, 3, 4, 30, 6, 8, 6, -3]);
  assert.deepEqual((await run()).missed, []);

  // Two modules away. What has a version of its own does not look at its code.
  project.write("lib/deep.ts", "export const factor = (): number => 5;");
  const edited = await run();
  assert.deepEqual(edited.missed, ["child", "elsewhere", "parent", "reaches"]);
  assert.deepEqual(edited.outputs.o0, [15, 3, 4, 30, 6, 20, 15, -3]);
  const why = await project.json(["why", edited.name, "parent"]);
  assert.equal(why.status, "miss");
  assert.deepEqual(
    (why.differences as { part: string }[]).map(({ part }) => part),
    ["code lib/deep.ts"],
  );

  // And back again: what was computed once is not computed twice.
  project.write("lib/deep.ts", "export const factor = (): number => 2;");
  assert.deepEqual((await run()).missed, []);
});

test("comments, layout and types cost nothing; a package's version costs those that import it", async () => {
  project.write("lib/deep.ts", "// Why two.\nexport const factor   =\n  (): 2 => (2);\n");
  project.write("lib/middle.ts", `type Unused = string;\n${middle.replaceAll("\n", "\n\n")}`);
  project.write("pipeline.ts", pipeline.replaceAll("export const", "\n/* A task. */\nexport const"));
  assert.deepEqual((await run()).missed, []);
  install("1.1.0");
  const { missed, name } = await run();
  assert.deepEqual(missed, ["packaged"]);
  const { stdout } = await project.godwit(["why", name, "packaged"]);
  assert.match(stdout, /^packaged .*Miss: 1 part of its key differs from the nearest entry, made by r\w+\/\w+\.$/m);
  assert.match(stdout, /package scales +1\.0\.0 +1\.1\.0/);
});

test("an explicit version is what its task is known by; its code is not looked at, its types are", async () => {
  const withVersion = (version: string): string => pipeline.replace('version: "1"', `version: "${version}"`);
  project.write("pipeline.ts", withVersion("2"));
  assert.deepEqual((await run()).missed, ["versioned"]);
  project.write(
    "pipeline.ts",
    withVersion("2").replace(
      'cache: { version: "2" } }, async ({ x }) => scaled(x)',
      'cache: { version: "2" } }, async () => 0',
    ),
  );
  assert.deepEqual((await run()).missed, []);
  // Another type of output is another task, whatever its version says.
  project.write(
    "pipeline.ts",
    withVersion("2").replace("...number, cache: {", "...number, output: z.number(), cache: {"),
  );
  assert.deepEqual((await run()).missed, ["versioned"]);
});

test("--overwrite-cache computes all anew, and what it computed is what the next run finds", async () => {
  project.write("pipeline.ts", pipeline);
  const { name, missed } = await project.run(["pipeline.ts", "main", "--x", "3", "--overwrite-cache"]);
  assert.equal(missed.length, 9);
  assert.equal((await project.json(["why", name, "plain"])).status, "overwritten");
  const next = await run();
  assert.deepEqual(next.missed, []);
  assert.match((await project.godwit(["why", next.name, "plain"])).stdout, new RegExp(`Hit: .* of ${name}/`));
});

test("entries are listed and removed by key, task and altogether", async () => {
  const listed = async (...args: string[]) =>
    (await project.json(["cache", "ls", ...args])) as unknown as { key: string; task: string }[];
  const [entry, ...more] = await listed("plain");
  assert.equal(entry?.task, "kit.plain");
  assert.deepEqual(more, []);
  await project.godwit(["cache", "rm", entry.key.slice(0, 12)]);
  assert.deepEqual(await listed("kit.plain"), []);
  await project.godwit(["cache", "rm", "--task", "untouched"]);
  assert.deepEqual((await run()).missed, ["plain", "untouched"]);
  const wrong = await project.godwit(["cache", "rm", "--task", "kit.plan"], 2);
  assert.match(wrong.stderr, /nothing of a task "kit\.plan"\. Did you mean "kit\.plain"\?/);
  assert.match(
    (await project.godwit(["cache", "rm", "zz"], 2)).stderr,
    /No cache entry has a key that begins with "zz"/,
  );
  await project.godwit(["cache", "rm", "--all"]);
  assert.deepEqual(await listed(), []);
});
