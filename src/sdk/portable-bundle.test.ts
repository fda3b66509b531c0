// Portable bundles: they run where neither the project nor its packages are, and mean the same there.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { blobs, type Files, installed, loader, project } from "../../test/fixtures/bundle/project.ts";
import { identify } from "../core/code-graph.ts";
import type { LoadedCode } from "../worker/code.ts";
import { bundleDigest, bundleFile, storeBundle } from "./bundle.ts";

const commonJs = (name: string, version: string, main: string, more: object = {}): Files => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({ name, version, main: "main.js", ...more }),
  [`node_modules/${name}/main.js`]: main,
});

const portable = (directory: string) => bundleFile(join(directory, "pipeline.ts"), directory, { isPortable: true });

/** Loads it after the project is gone. */
async function loadElsewhere(files: Files): Promise<{ readonly code: LoadedCode; readonly paths: readonly string[] }> {
  const directory = project(files);
  const bundle = await portable(directory);
  rmSync(directory, { recursive: true });
  const code = await loader.load(await storeBundle(bundle, blobs), "");
  return { code, paths: bundle.files.map(({ path }) => path) };
}

test("packages that are ECMAScript modules are bundled", async () => {
  const { code, paths } = await loadElsewhere({
    "pipeline.ts": 'import { value } from "plain";\nexport const answer = value + 1;',
    ...installed("plain", "1.0.0", 'export { value } from "inner";'),
    ...installed("inner", "1.0.0", "export const value = 41;"),
  });
  assert.equal(code.exports.answer, 42);
  assert.deepEqual(paths, ["main.mjs", "main.mjs.map", "modules.json"]);
});

test("packages that are CommonJS are taken along with what they depend on, each with its own version", async () => {
  const { code, paths } = await loadElsewhere({
    "pipeline.ts": 'import outer from "outer";\nimport inner from "inner";\nexport const answer = [outer, inner];',
    ...commonJs("outer", "1.0.0", 'module.exports = "outer with " + require("inner");', {
      dependencies: { inner: "1" },
    }),
    ...commonJs("inner", "2.0.0", 'module.exports = "inner 2";'),
    "node_modules/outer/node_modules/inner/package.json": '{ "name": "inner", "version": "1.0.0", "main": "main.js" }',
    "node_modules/outer/node_modules/inner/main.js": 'module.exports = "inner 1";',
    "node_modules/outer/main.d.ts": "export {};",
  });
  assert.deepEqual(code.exports.answer, ["outer with inner 1", "inner 2"]);
  assert.deepEqual(
    paths.filter((path) => path.startsWith("project/")),
    [
      "project/node_modules/inner/main.js",
      "project/node_modules/inner/package.json",
      "project/node_modules/outer/main.js",
      "project/node_modules/outer/node_modules/inner/main.js",
      "project/node_modules/outer/node_modules/inner/package.json",
      "project/node_modules/outer/package.json",
    ],
  );
});

test("a package that reads its own files has them, and there is one instance of what it shares", async () => {
  const reading = `import { readFileSync } from "node:fs";
import { counter } from "shared";
counter.count += 1;
export const text = readFileSync(new URL("./data.txt", import.meta.url), "utf8");`;
  const { code } = await loadElsewhere({
    "pipeline.ts":
      'import { counter } from "shared";\nimport { text } from "reading";\nexport const seen = { text, count: counter.count };',
    ...installed("reading", "1.0.0", reading),
    "node_modules/reading/package.json":
      '{ "name": "reading", "version": "1.0.0", "type": "module", "main": "main.js", "dependencies": { "shared": "1" } }',
    "node_modules/reading/data.txt": "data",
    ...installed("shared", "1.0.0", "export const counter = { count: 0 };"),
  });
  assert.deepEqual({ ...(code.exports.seen as object) }, { text: "data", count: 1 });
});

test("files that the code reads by a place it writes down are there, of the project and of packages", async () => {
  const { code } = await loadElsewhere({
    "pipeline.ts": `import { readFileSync } from "node:fs";
import { join } from "node:path";
const read = (place: string | URL) => readFileSync(place, "utf8");
export const texts = [
  read(new URL("./data/a.txt", import.meta.url)),
  read(join(import.meta.dirname, "data", "b.txt")),
  read(new URL("./c.txt", import.meta.resolve("only-data"))),
];`,
    "data/a.txt": "a",
    "data/b.txt": "b",
    "data/unread.txt": "?",
    ...installed("only-data", "1.0.0"),
    "node_modules/only-data/c.txt": "c",
  });
  assert.deepEqual([...(code.exports.texts as string[])], ["a", "b", "c"]);
});

test("a package that need not be installed may be missing", async () => {
  const { code } = await loadElsewhere({
    "pipeline.ts":
      'export const found = await import("not-there").then(() => true, (error: { code: string }) => error.code);\nexport { value } from "plain";',
    ...installed("plain", "1.0.0", 'export const value = await import("neither").then(() => 1, () => 0);'),
  });
  assert.equal(code.exports.found, "ERR_MODULE_NOT_FOUND");
  assert.equal(code.exports.value, 0);
});

test("two versions of a package that cannot be bundled are refused, with both places", async () => {
  const directory = project({
    "pipeline.ts": 'import a from "twice";\nimport { b } from "plain";\nexport { a, b };',
    ...installed("plain", "1.0.0", 'import b from "twice";\nexport { b };'),
    ...commonJs("twice", "1.0.0", "module.exports = 1;"),
    "node_modules/plain/node_modules/twice/package.json": '{ "name": "twice", "version": "2.0.0", "main": "main.js" }',
    "node_modules/plain/node_modules/twice/main.js": "module.exports = 2;",
  });
  await assert.rejects(portable(directory), {
    code: "invalid_argument",
    message: /two versions of the package "twice" \(node_modules\/.*twice is CommonJS/,
  });
});

test("native addons name their platform, and are not loaded on another", async () => {
  const directory = project({
    "pipeline.ts": 'import addon from "addon";\nexport { addon };',
    ...commonJs("addon", "1.0.0", "module.exports = 1;"),
    "node_modules/addon/build/addon.node": "",
  });
  const bundle = await portable(directory);
  const { portable: told } = JSON.parse(
    Buffer.from(bundle.files.find(({ path }) => path === "modules.json")?.bytes ?? "").toString(),
  );
  assert.deepEqual(told, { platform: `${process.platform}-${process.arch}` });
  const files = bundle.files.map(({ path, bytes }) =>
    path !== "modules.json"
      ? { path, bytes }
      : { path, bytes: Buffer.from(Buffer.from(bytes).toString().replace(told.platform, "plan9-vax")) },
  );
  const elsewhere = await storeBundle({ ...bundle, digest: bundleDigest(files), files }, blobs);
  await assert.rejects(loader.load(elsewhere, ""), {
    code: "failed_precondition",
    message: /native addons for plan9-vax/,
  });
});

test("the same project gives the same bytes wherever it lies, and a change of a package others", async () => {
  const files = {
    "pipeline.ts": 'export { value } from "plain";\nexport { default } from "old";',
    ...installed("plain", "1.0.0"),
    ...commonJs("old", "1.0.0", "module.exports = 1;"),
  };
  const { digest } = await portable(project(files));
  assert.equal((await portable(project(files))).digest, digest);
  const changed = { ...files, ...installed("plain", "1.0.0", "export const value = 2;") };
  assert.notEqual((await portable(project(changed))).digest, digest);
});

test("a task has the same identity in a portable bundle as beside its project", async () => {
  const directory = project({
    "pipeline.ts": `import { environment } from "godwit";
import { value } from "plain";
import old from "old";
export const f = environment().task({ name: "f" }, () => value + old);`,
    ...installed("plain", "1.0.0"),
    ...commonJs("old", "1.0.0", "module.exports = 1;"),
  });
  const beside = await bundleFile(join(directory, "pipeline.ts"), directory);
  const codes = [
    await loader.load(await storeBundle(beside, blobs), directory),
    await loader.load(await storeBundle(await portable(directory), blobs), ""),
  ];
  const [first, second] = codes.map(({ graph, exports }) =>
    identify(graph, (exports.f as { callSites: Parameters<typeof identify>[1] }).callSites),
  );
  assert.equal(first?.type, "known");
  assert.deepEqual(second, first);
});

test("a bundle that stands on its project is not loaded without it", async () => {
  const directory = project({ "pipeline.ts": "export const a = 1;" });
  const bundle = await storeBundle(await bundleFile(join(directory, "pipeline.ts"), directory), blobs);
  await assert.rejects(loader.load(bundle, ""), { code: "failed_precondition", message: /Deploy it/ });
});
