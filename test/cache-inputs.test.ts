// What the cache sees of inputs: their content, and nothing else of them.
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CachedProject, makeCachedProject } from "./cached-project.ts";

let project: CachedProject;
before(() => {
  project = makeCachedProject();
  project.write(
    "pipeline.ts",
    `import { Dir, dir, environment, File, file, Table, table } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit" });
const number = z.object({ total: z.int() });
export const measure = env.task(
  { name: "measure", input: z.object({ data: file() }), output: number, cache: "auto" },
  async ({ data }) => ({ total: (await data.text()).length }),
);
export const sum = env.task(
  { name: "sum", input: z.object({ rows: table({ mass: z.number() }) }), output: number, cache: "auto" },
  async ({ rows }) => ({ total: (await rows.rows()).reduce((total, { mass }) => total + mass, 0) }),
);
export const count = env.task(
  { name: "count", input: z.object({ folder: dir() }), output: number, cache: "auto" },
  async ({ folder }) => ({ total: (await folder.files()).length }),
);
export const fit = env.task(
  { name: "fit", input: z.object({ options: z.object({ depth: z.int(), rate: z.number() }), tags: z.record(z.string(), z.int()) }), output: number, cache: "auto" },
  async ({ options }) => ({ total: options.depth }),
);
export const noisy = env.task(
  { name: "noisy", input: z.object({ x: z.int(), verbose: z.boolean() }), output: number, cache: { auto: true, ignoreInputs: ["verbose"] } },
  async ({ x }) => ({ total: x }),
);
export const store = env.task(
  { name: "store", input: z.object({ text: z.string() }), output: z.object({ file: file(), folder: dir(), rows: table() }), cache: "auto" },
  async ({ text }) => ({ file: File.fromText("a.txt", text), folder: await Dir.fromPath("lib"), rows: Table.fromRows([{ text }]) }),
);
`,
  );
  project.write("lib/one.txt", "one");
});
after(() => project.remove());

const missed = async (...args: string[]) => (await project.run(["pipeline.ts", ...args])).missed;

test("a file is its bytes, whatever its name; a directory its files", async () => {
  project.write("a.txt", "the same bytes");
  project.write("other/b.csv", "the same bytes");
  project.write("c.txt", "others");
  assert.deepEqual(await missed("measure", "--data", "a.txt"), ["measure"]);
  assert.deepEqual(await missed("measure", "--data", "other/b.csv"), []);
  assert.deepEqual(await missed("measure", "--data", "c.txt"), ["measure"]);
  assert.deepEqual(await missed("count", "--folder", "lib"), ["count"]);
  project.write("twin/one.txt", "one");
  assert.deepEqual(await missed("count", "--folder", "twin"), []);
  project.write("twin/two.txt", "two");
  assert.deepEqual(await missed("count", "--folder", "twin"), ["count"]);
});

test("a table is its rows; an object is the same in another order of its keys", async () => {
  project.write("a.csv", "mass\n1\n2\n");
  project.write("b.csv", "mass\n1\n2\n");
  assert.deepEqual(await missed("sum", "--rows", "a.csv"), ["sum"]);
  assert.deepEqual(await missed("sum", "--rows", "b.csv"), []);
  const options = ['{"depth": 1, "rate": 0.5}', '{ "rate": 0.5, "depth": 1 }'] as const;
  const tags = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}'] as const;
  assert.deepEqual(await missed("fit", "--options", options[0], "--tags", tags[0]), ["fit"]);
  assert.deepEqual(await missed("fit", "--options", options[1], "--tags", tags[1]), []);
});

test("an ignored input changes nothing; another one is named by why", async () => {
  assert.deepEqual(await missed("noisy", "--x", "1", "--verbose"), ["noisy"]);
  assert.deepEqual(await missed("noisy", "--x", "1", "--no-verbose"), []);
  const { name } = await project.run(["pipeline.ts", "noisy", "--x", "2", "--verbose"]);
  const { status, differences } = await project.json(["why", name]);
  assert.equal(status, "miss");
  assert.deepEqual(
    (differences as { part: string }[]).map(({ part }) => part),
    ["input x"],
  );
});

test("a result whose bytes are gone is computed again", async () => {
  assert.deepEqual(await missed("store", "--text", "kept"), ["store"]);
  assert.deepEqual(await missed("store", "--text", "kept"), []);
  const blobs = join(project.dir, ".godwit", "blobs");
  const files = readdirSync(blobs, { recursive: true, encoding: "utf8" });
  // SHA-256 of "kept".
  const [lost] = files.filter((path) => path.replaceAll("/", "").endsWith(sha256OfKept));
  assert.ok(lost !== undefined, files.join("\n"));
  rmSync(join(blobs, lost));
  const again = await project.run(["pipeline.ts", "store", "--text", "kept"]);
  assert.deepEqual(again.missed, ["store"]);
  assert.match(String((await project.json(["why", again.name])).summary), /its bytes were gone/);
  await project.godwit(["get", "output", again.name, "file", "--to", "out.txt"]);
  assert.deepEqual(await missed("store", "--text", "kept"), []);
});

const sha256OfKept = "79f076abdd19a752db7267bfff2f9022161d120dea919fdaca2ffdfc24ca8c96";
