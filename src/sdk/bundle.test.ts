// The bundle of the user's code: its bytes, its errors, and what is remembered of it.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Files, installed, project, write } from "../../test/fixtures/bundle/project.ts";
import { GodwitError } from "../core/error.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { bundleFile, storeBundle } from "./bundle.ts";

const files: Files = {
  "src/pipeline.ts":
    'import { b } from "./b.ts";\nimport { value } from "plain";\nexport const a: number = b + value + import.meta.dirname.length;\n',
  "src/b.ts": "export const b = 1;\n",
  ...installed("plain", "1.0.0"),
};

const digestOf = async (directory: string, memoDir?: string): Promise<string> =>
  (await bundleFile(join(directory, "src/pipeline.ts"), directory, memoDir === undefined ? {} : { memoDir })).digest;

test("the same sources give the same bundle wherever they lie, and others another", async () => {
  const directory = project(files);
  const digest = await digestOf(directory);
  assert.equal(await digestOf(project(files)), digest);
  assert.notEqual(await digestOf(project({ ...files, "src/b.ts": "export const b = 2;\n" })), digest);
  const { files: parts, entry } = await bundleFile(join(directory, "src/pipeline.ts"), directory);
  assert.deepEqual(
    [entry, parts.map(({ path }) => path)],
    ["src/pipeline.ts", ["main.mjs", "main.mjs.map", "modules.json"]],
  );
  for (const { bytes } of parts) assert.doesNotMatch(Buffer.from(bytes).toString(), new RegExp(directory));
});

test("a bundle is stored as a directory under its digest", async () => {
  const directory = project(files);
  const blobs = memoryBlobs();
  const bundle = await bundleFile(join(directory, "src/pipeline.ts"), directory);
  assert.equal(await storeBundle(bundle, blobs), bundle.digest);
  const [digestOfMain = ""] = JSON.parse(Buffer.from(await blobs.read(bundle.digest)).toString()).files.map(
    (file: { digest: string }) => file.digest,
  );
  await blobs.delete([digestOfMain]);
  await storeBundle(bundle, blobs);
  const manifest = JSON.parse(Buffer.from(await blobs.read(bundle.digest)).toString());
  for (const [index, { path, digest }] of manifest.files.entries()) {
    assert.equal(path, bundle.files[index]?.path);
    assert.deepEqual(Buffer.from(await blobs.read(digest)), bundle.files[index]?.bytes);
  }
});

const rejection = async (entry: string, sources: Files): Promise<string> => {
  const directory = project(sources);
  const error = await bundleFile(join(directory, entry), directory).catch((reason: unknown) => reason);
  assert(error instanceof GodwitError);
  assert.equal(error.code, "invalid_argument");
  return error.message.replaceAll(directory, "<project>");
};

const errors: readonly (readonly [what: string, sources: Files, message: string])[] = [
  ["an entry that does not exist", { "pipelines.ts": "" }, "There is no file pipeline.ts. Did you mean pipelines.ts?"],
  [
    "a module that does not parse",
    { "pipeline.ts": "export const a = 1;\nconst b = foo bar(;\n" },
    "pipeline.ts:2:14: Expected a semicolon or an implicit semicolon after a statement, but found none.\n  2 | const b = foo bar(;\n                   ^\nTry inserting a semicolon here.",
  ],
  [
    "an import of a file that does not exist",
    { "pipeline.ts": 'import { f } from "./helper.ts";\nf();', "helpers.ts": "" },
    'pipeline.ts:1:19: Cannot find "./helper.ts": there is no file helper.ts.\n  1 | import { f } from "./helper.ts";\n                        ^\nDid you mean "./helpers.ts"?',
  ],
  [
    "a package that is not installed",
    { "pipeline.ts": 'import "./deep/b.ts";', "deep/b.ts": '// b\nimport { z } from "@no/such/part";\nz();' },
    'deep/b.ts:2:19: Cannot find package "@no/such" (imported as "@no/such/part").\n  2 | import { z } from "@no/such/part";\n                        ^\nInstall it in <project>: npm install @no/such. If it is a path alias, add it to "paths" in tsconfig.json.',
  ],
  [
    "a name that a module does not export",
    { "pipeline.ts": 'import { f } from "./b.ts";\nf();', "b.ts": "export const g = 1;" },
    'pipeline.ts:1:10: "f" is not exported by "b.ts".\n  1 | import { f } from "./b.ts";\n               ^',
  ],
  [
    "an import of what is no code",
    { "pipeline.ts": 'import "./style.css";', "style.css": "" },
    'pipeline.ts:1:8: Cannot import "./style.css": it is neither TypeScript, JavaScript nor JSON.\n  1 | import "./style.css";\n             ^\nRead it when the code runs: readFile(new URL("./style.css", import.meta.url)).',
  ],
  [
    "JSON that does not parse",
    { "pipeline.ts": 'import s from "./s.json";\nconsole.log(s);', "s.json": '{ "a": }' },
    "",
  ],
];

for (const [what, sources, message] of errors) {
  test(`${what} is told in the user's words, with its place and a next step`, async () => {
    const told = await rejection("pipeline.ts", sources);
    if (message !== "") assert.equal(told, message);
    else assert.match(told, /^s\.json:1:\d/);
  });
}

test("an entry that is a directory or no code is refused", async () => {
  assert.match(await rejection("src", { "src/a.ts": "" }), /is not a file/);
  assert.match(await rejection("notes.md", { "notes.md": "" }), /is not a TypeScript or JavaScript file/);
});

/** Sources at rest for a minute, and their bundle remembered. */
async function remembered(): Promise<{ directory: string; memoDir: string; digest: string }> {
  const directory = project({ ...files, "tsconfig.json": "{}" });
  const memoDir = join(directory, ".godwit", "memo");
  for (const path of ["src/pipeline.ts", "src/b.ts"]) utimesSync(join(directory, path), 1_000, 1_000);
  return { directory, memoDir, digest: await digestOf(directory, memoDir) };
}

/** Makes a remembered bundle recognisable: what comes from the memo has the mark. */
async function isFromMemo(directory: string, memoDir: string): Promise<boolean> {
  const before = readdirSync(memoDir).map((name) => join(memoDir, name));
  for (const path of before) utimesSync(path, 1_000, 1_000);
  await digestOf(directory, memoDir);
  const { statSync } = await import("node:fs");
  return before.every((path) => statSync(path).mtimeMs === 1_000_000);
}

test("unchanged sources are not bundled again, and give the same bundle", async () => {
  const { directory, memoDir, digest } = await remembered();
  assert.equal(await digestOf(directory, memoDir), digest);
  assert.equal(await isFromMemo(directory, memoDir), true);
});

const changes: readonly (readonly [what: string, change: (directory: string) => void])[] = [
  ["a module is edited", (directory) => write(directory, { "src/b.ts": "export const b = 2;\n" })],
  [
    "a module is removed and another takes its place",
    (directory) => {
      rmSync(join(directory, "src/b.ts"));
      write(directory, { "src/b.ts": "export const b = 3;\n" });
    },
  ],
  ["another version of a package is installed", (directory) => write(directory, installed("plain", "1.0.1"))],
  ["a file comes that an import may lead to", (directory) => write(directory, { "src/b.js": "export const b = 3;" })],
  ["a package comes nearer", (directory) => void mkdirSync(join(directory, "src/node_modules"))],
  ["the compiler's settings change", (directory) => write(directory, { "tsconfig.json": '{ "compilerOptions": {} }' })],
];

for (const [what, change] of changes) {
  test(`sources are bundled again when ${what}`, async () => {
    const { directory, memoDir } = await remembered();
    change(directory);
    assert.equal(await isFromMemo(directory, memoDir), false);
  });
}

test("a file that was only touched, or edited and put back, is not bundled again", async () => {
  const { directory, memoDir } = await remembered();
  write(directory, { "src/b.ts": files["src/b.ts"] ?? "" });
  assert.equal(await isFromMemo(directory, memoDir), true);
});

test("an edit of one size in the same instant as the bundle is seen", async () => {
  const directory = project(files);
  const memoDir = join(directory, "memo");
  const file = join(directory, "src/b.ts");
  const at = new Date();
  utimesSync(file, at, at);
  const digest = await digestOf(directory, memoDir);
  writeFileSync(file, "export const b = 7;\n");
  utimesSync(file, at, at);
  assert.notEqual(await digestOf(directory, memoDir), digest);
});

test("a memo that is torn or was tampered with is no memo", async () => {
  const { directory, memoDir, digest } = await remembered();
  const [name = ""] = readdirSync(memoDir);
  const whole = readFileSync(join(memoDir, name), "utf8");
  for (const text of ["{", "null", "{}", whole.slice(0, -9), whole.replace("const a = ", "const a = 1 + ")]) {
    writeFileSync(join(memoDir, name), text);
    assert.equal(await digestOf(directory, memoDir), digest);
  }
  assert.deepEqual(readdirSync(memoDir), [name]);
});

test("memos are bounded", async () => {
  const { directory, memoDir } = await remembered();
  const [name = ""] = readdirSync(memoDir);
  renameSync(join(memoDir, name), join(memoDir, "old.json"));
  for (let index = 0; index < 70; index++) writeFileSync(join(memoDir, `${index}.json`), "{}");
  utimesSync(join(memoDir, "old.json"), 1_000, 1_000);
  await digestOf(directory, memoDir);
  const names = readdirSync(memoDir);
  assert.equal(names.length, 64);
  assert.equal(names.includes("old.json"), false);
  assert.equal(names.includes(name), true);
});
