// Code that comes from outside as an archive: it runs where its project is not, and nothing else gets in.
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { packArchive } from "../src/blob/archive.ts";
import { type Godwit, openGodwit } from "../src/godwit.ts";
import { bundleFile, type CodeBundle } from "../src/sdk/bundle.ts";
import { makeProject, type Project } from "./project.ts";

const pipeline = `import { readFileSync } from "node:fs";
import { environment } from "godwit";
import { z } from "zod";
import greeting from "greeting";

const env = environment({ name: "far" });
const word = readFileSync(new URL("./word.txt", import.meta.url), "utf8");

export const part = env.task({ name: "part", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => x * 2);
export const main = env.task(
  { name: "main", input: z.object({ x: z.int() }), output: z.string() },
  async ({ x }) => \`\${greeting} \${word} \${await part({ x })}\`,
);
`;

let project: Project;
let bundle: CodeBundle;
let archive: Uint8Array;
let godwit: Godwit;

before(async () => {
  project = makeProject();
  project.write("pipeline.ts", pipeline);
  project.write("word.txt", "world");
  project.write("node_modules/greeting/package.json", '{ "name": "greeting", "version": "1.0.0", "main": "main.cjs" }');
  project.write("node_modules/greeting/main.cjs", 'module.exports = "hello";');
  bundle = await bundleFile(join(project.dir, "pipeline.ts"), project.dir, { isPortable: true });
  archive = packArchive(bundle.files.map((file) => ({ ...file, executable: false })));
  for (const path of ["pipeline.ts", "word.txt", "node_modules/greeting"])
    rmSync(join(project.dir, path), { recursive: true });
  godwit = await openGodwit({ dataDir: join(project.dir, "far"), workers: 2 });
});

after(async () => {
  await godwit?.close();
  project?.remove();
});

async function* stream(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

test("an archive with other content than its digest says is refused, and nothing of it is kept", async () => {
  const other = packArchive([{ path: "main.mjs", bytes: Buffer.from("evil"), executable: false }]);
  await assert.rejects(
    godwit.adoptBundle(bundle.digest, () => stream(other)),
    { code: "invalid_argument", message: /is not the code bundle/ },
  );
  assert.deepEqual([...(await godwit.blobs.present([bundle.digest]))], []);
});

test("a bundle that nobody has is not made up", async () => {
  await assert.rejects(
    godwit.adoptBundle(bundle.digest, () => null),
    { code: "failed_precondition", message: /Deploy it again/ },
  );
});

test("adopted code runs, its calls among it, and is unpacked once however often it is asked for", async () => {
  let opened = 0;
  const adopt = () =>
    godwit.adoptBundle(bundle.digest, () => {
      opened += 1;
      return stream(archive);
    });
  const [manifest] = await Promise.all([adopt(), adopt(), adopt()]);
  assert.deepEqual(await adopt(), manifest);
  assert.equal(opened, 1);
  assert.deepEqual(manifest.tasks.map(({ name }) => name).sort(), ["far.main", "far.part"]);
  assert.equal(manifest.entry, "pipeline.ts");
  const scope = { project: "default", domain: "development", caller: "test" };
  const { run } = await godwit.control.createRun(scope, {
    name: "far",
    manifest,
    task: "far.main",
    inputs: { x: { type: "integer", value: "21" } },
    source: { file: manifest.entry, projectDir: "" },
    overwriteCache: false,
    recovers: null,
  });
  assert.equal(
    (await godwit.serve(run.id)).phase,
    "succeeded",
    JSON.stringify(await godwit.control.failure(scope, "far")),
  );
  const { action } = await godwit.control.getAction(scope, "far", "a0");
  assert.deepEqual(await godwit.control.literals(action.outputs ?? { type: "inline", text: "" }), {
    o0: { type: "string", value: "hello world 42" },
  });
  assert(existsSync(join(project.dir, "far", "bundles", bundle.digest, "portable", "node_modules", "greeting")));
});
