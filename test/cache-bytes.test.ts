// What the cache and recovery say about bytes that are damaged or gone: a miss, whatever kind of value
// they were and whatever has become of them; and the work is done again, once.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { blobFiles } from "./blob-files.ts";
import { type CachedProject, makeCachedProject } from "./cached-project.ts";

type Action = { readonly label: string; readonly phase: string };

let project: CachedProject;
before(() => {
  project = makeCachedProject();
  project.write("folder/inner.txt", "bytes of the directory's file");
  project.write("boxed/inner.txt", "bytes of the boxed directory's file");
  project.write(
    "pipeline.ts",
    `import { Dir, dir, environment, File, file, Table, table } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit" });
const cached = { cache: "auto" } as const;
export const inline = env.task({ name: "inline", output: z.string(), ...cached }, () => "short");
export const text = env.task({ name: "text", output: z.string(), ...cached }, () => "long text ".repeat(2_000));
export const single = env.task({ name: "single", output: file(), ...cached }, () => File.fromText("a.txt", "bytes of the file"));
export const folder = env.task({ name: "folder", output: dir(), ...cached }, () => Dir.fromPath("folder"));
export const rows = env.task({ name: "rows", output: table(), ...cached }, () => Table.fromRows([{ bytes: "of the table" }]));
export const boxed = env.task({ name: "boxed", output: z.object({ box: z.object({ files: z.array(file()), in: dir() }) }), ...cached },
  async () => ({ box: { files: [File.fromText("b.txt", "bytes of the boxed file")], in: await Dir.fromPath("boxed") } }));
export const main = env.task({ name: "main", output: z.int() }, async () => {
  const [, long, one, many, of, { box }] = await Promise.all([inline(), text(), single(), folder(), rows(), boxed()]);
  const parts = [long, await one.text(), await many.file("inner.txt").text(), JSON.stringify(await of.rows()), await box.files[0]!.text(), await box.in.file("inner.txt").text()];
  return parts.join("").length;
});
`,
  );
});
after(() => project.remove());

const run = () => project.run(["pipeline.ts", "main"]);

/** The file of the blob that has this text in it: the code's only if that is wanted. */
function blobWith(text: string, isCode = false): string {
  const found = blobFiles(project.dir).filter((path) => {
    const content = readFileSync(path, "latin1");
    return content.includes(text) && content.includes("env.task(") === isCode;
  });
  assert.equal(found.length, 1, `${text}: ${found}`);
  return found[0] as string;
}

const ways: { readonly [way: string]: (path: string) => void } = {
  deleted: (path) => rmSync(path),
  "cut short": (path) => truncateSync(path, statSync(path).size - 1),
  emptied: (path) => truncateSync(path, 0),
  "changed in one bit": (path) => {
    const bytes = readFileSync(path);
    bytes[5] = (bytes[5] as number) ^ 1;
    writeFileSync(path, bytes);
  },
};

const values: readonly (readonly [task: string, bytes: string])[] = [
  ["text", "long text"],
  ["single", "bytes of the file"],
  ["folder", "bytes of the directory's file"],
  ["rows", "of the table"],
  ["boxed", "bytes of the boxed file"],
  ["boxed", "bytes of the boxed directory's file"],
];

for (const [way, damage] of Object.entries(ways)) {
  test(`a result whose bytes are ${way} is computed again, and heals them, whatever it is`, async () => {
    const whole = await run();
    for (const [, bytes] of values) {
      const path = blobWith(bytes);
      chmodSync(path, 0o644);
      damage(path);
    }
    const again = await run();
    assert.deepEqual(again.missed, ["boxed", "folder", "rows", "single", "text"]);
    assert.deepEqual(again.outputs, whole.outputs);
    assert.deepEqual((await run()).missed, []);
  });
}

test("one file of a directory inside an object is enough for a miss, and nothing else misses", async () => {
  await run();
  rmSync(blobWith("bytes of the boxed directory's file"));
  assert.deepEqual((await run()).missed, ["boxed"]);
  rmSync(blobWith("bytes of the directory's file"));
  assert.deepEqual((await run()).missed, ["folder"]);
});

test("code whose bytes are damaged is stored again by the next run of it", async () => {
  await run();
  const path = blobWith("const __godwitSource", true);
  chmodSync(path, 0o644);
  truncateSync(path, 100);
  assert.deepEqual((await run()).missed, []);
});

test("bytes that are lost after a hit fail who reads them, in words that lead to what makes them again", async () => {
  project.write(
    "later.ts",
    `import { existsSync, readFileSync, rmSync } from "node:fs";
import { environment, File, file } from "godwit";
import { z } from "zod";
const env = environment({ name: "later" });
export const made = env.task({ name: "made", output: file(), cache: "auto" }, () => File.fromText("m.txt", "made for later"));
export const kept = env.task({ name: "kept", output: z.int(), cache: "auto" }, () => 1);
export const read = env.task({ name: "read", input: z.object({ from: file() }), output: z.string() }, ({ from }) => from.text());
export const main = env.task({ name: "main", output: z.string() }, async () => {
  const [from] = await Promise.all([made(), kept()]);
  for (const path of existsSync("lose") ? [readFileSync("lose", "utf8"), "lose"] : []) rmSync(path);
  return read({ from });
});
`,
  );
  await project.run(["later.ts", "main"]);
  project.write("lose", blobWith("made for later"));
  const lost = await project.godwit(["run", "later.ts", "main", "--name", "lost"], 1);
  assert.match(lost.stderr, /read failed: NotFound: The blob [0-9a-f]{64} is not stored .*`godwit doctor`/);
  assert.match((await project.godwit(["doctor"], 1)).stdout, /godwit rerun lost --recover computes it again/);
  const { run, outputs } = await project.json(["rerun", "lost", "--recover"]);
  assert.deepEqual(outputs, { o0: "made for later" });
  const actions = (await project.json(["get", "actions", String(run)])) as unknown as readonly Action[];
  const phases = Object.fromEntries(actions.map(({ label, phase }) => [label, phase]));
  assert.deepEqual(phases, { main: "succeeded", made: "succeeded", kept: "recovered", read: "succeeded" });
});
