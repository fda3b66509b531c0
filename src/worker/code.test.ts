// User code as it runs in a worker: where it thinks it is, what it imports, where its errors point to.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { blobs, bundlesDir, type Files, installed, load, project, tmpDir } from "../../test/fixtures/bundle/project.ts";
import { instance } from "../../test/fixtures/bundle/sdk.ts";
import { GodwitError } from "../core/error.ts";
import { bundleFile, storeBundle } from "../sdk/bundle.ts";
import { locate } from "../sdk/call-sites.ts";
import { codeLoader } from "./code.ts";

const failing: Files = {
  "src/kinds.ts": "export type Kind = string;\nexport enum Color {\n  Red = 'red',\n}\n",
  "src/pipeline.ts": `import { Color, type Kind } from "./kinds.ts";

interface Shape { kind: Kind }

export function fail(shape: Shape): never {
  const kind: Kind = shape.kind;
  throw new RangeError(kind + Color.Red);
}
`,
};

const thrown = (body: () => unknown): Error => {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
};

test("a stack trace points to the line of the user's TypeScript, in the project at hand", async () => {
  for (const directory of [project(failing), project(failing)]) {
    const { exports } = await load(directory, "src/pipeline.ts");
    const error = thrown(() => (exports.fail as (shape: object) => never)({ kind: "k" }));
    assert.match(error.stack ?? "", new RegExp(`at Module.fail \\(${join(directory, "src/pipeline.ts")}:7:\\d+\\)`));
    assert.deepEqual({ ...locate(error), column: 0 }, { file: join(directory, "src/pipeline.ts"), line: 7, column: 0 });
  }
});

test("a process that starts with source maps tells the user's line of an error that nobody caught", async () => {
  const directory = project({
    ...failing,
    "main.ts": 'import { fail } from "./src/pipeline.ts";\n\nfail({ kind: "k" });\n',
  });
  const bundle = await bundleFile(join(directory, "main.ts"), directory);
  for (const { path, bytes } of bundle.files) writeFileSync(join(directory, path), bytes);
  const script = `import { registerBundle } from ${JSON.stringify(new URL("../sdk/loaded-bundles.ts", import.meta.url).href)};
const url = ${JSON.stringify(pathToFileURL(join(directory, "main.mjs")).href)};
registerBundle({ url, projectDir: ${JSON.stringify(directory)} });
await import(url).catch((error) => console.log(error.stack));`;
  const output = execFileSync(process.execPath, ["--enable-source-maps", "--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.match(output, new RegExp(`at fail \\(${join(directory, "src/pipeline.ts")}:7:`));
  assert.match(output, new RegExp(`${join(directory, "main.ts")}:3:`));
});

test("import.meta, __dirname and computed imports mean the source file", async () => {
  const directory = project({
    "pipeline.ts": 'export { where } from "./deep er/where.ts";',
    "deep er/where.ts": `const { dirname } = import.meta;
const names = { __dirname, __filename };
export const where = async (name: string) => ({ url: import.meta.url, dirname, filename: import.meta.filename, ...names, resolved: import.meta.resolve("./x.txt"), loaded: (await import(\`./\${name}.ts\`)).it });`,
    "deep er/plain.ts": "export const it: number = 3;",
  });
  const { exports } = await load(directory);
  const file = join(directory, "deep er/where.ts");
  assert.deepEqual(await (exports.where as (name: string) => unknown)("plain"), {
    url: pathToFileURL(file).href,
    dirname: join(directory, "deep er"),
    filename: file,
    __dirname: join(directory, "deep er"),
    __filename: file,
    resolved: pathToFileURL(join(directory, "deep er/x.txt")).href,
    loaded: 3,
  });
});

test("what Node cannot strip works: enums, namespaces, parameter properties, decorators, JSX, aliases, .js for .ts, CommonJS, JSON", async () => {
  const directory = project({
    "tsconfig.json":
      '{ "compilerOptions": { "paths": { "@/*": ["./lib/*"] }, "experimentalDecorators": true, "jsx": "react", "jsxFactory": "h" } }',
    "pipeline.tsx": `import { Color } from "@/color";
import { N } from "./lib/names.js";
import old from "./lib/old.cjs";
import settings from "./lib/settings.json" with { type: "json" };
import { later } from "./lib/later.mts";
const h = (type: string) => type;
const mark = (target: { marked?: boolean }) => { target.marked = true; };
@mark class Point { static marked?: boolean; constructor(private x: number) {} get() { return this.x; } }
export const all = [Color.Red, N.v, old.n, settings.n, <p />, new Point(4).get(), Point.marked, await later(), Point.name];`,
    "lib/color.ts": "export const enum Color { Red = 7 }",
    "lib/names.ts": "export namespace N { export const v = 1; }",
    "lib/old.cjs": "exports.n = require('./part.cjs') + __dirname.length * 0;",
    "lib/part.cjs": "module.exports = 2;",
    "lib/settings.json": '{ "n": 3 }',
    "lib/later.mts": "export const later = async () => (await import('./lazy.ts')).value;",
    "lib/lazy.ts": "export const value: string = await Promise.resolve('lazy');",
  });
  const { exports } = await load(directory, "pipeline.tsx");
  assert.deepEqual(exports.all, [7, 1, 2, 3, "p", 4, true, "lazy", "Point"]);
});

test("bundled code behaves as its modules would: effects stay, and classes keep their names", async () => {
  const directory = project({
    "package.json": '{ "type": "module", "sideEffects": false }',
    "pipeline.ts": `import "./effect.ts";
import { other } from "./other.ts";
class Failure extends Error {}
export const names = [Failure.name, new other().constructor.name, (globalThis as { effect?: string }).effect];`,
    "other.ts": "class Failure extends Error {}\nexport const other = Failure;",
    "effect.ts": "const unused = /* @__PURE__ */ Object.assign(globalThis, { effect: 'seen' });",
  });
  const { exports } = await load(directory);
  assert.deepEqual(exports.names, ["Failure", "Failure", "seen"]);
});

test("there is one SDK, and packages are found from the module that imports them", async () => {
  const directory = project({
    "pipeline.ts": `export { instance } from "godwit";
export { value } from "plain";
export { value as part } from "plain/part";
export { value as inner } from "./inner/use.ts";
export const optional = await import("not-there").catch((error) => error.code);`,
    "inner/use.ts": 'export { value } from "nested";',
    ...installed("plain", "1.0.0", "export const value = 'plain';"),
    "inner/node_modules/nested/package.json": '{ "name": "nested", "version": "1.0.0", "main": "main.cjs" }',
    "inner/node_modules/nested/main.cjs": "exports.value = 'nested';",
  });
  const { exports, graph } = await load(directory);
  assert.deepEqual(
    { ...exports },
    { instance, value: "plain", part: "plain", inner: "nested", optional: "ERR_MODULE_NOT_FOUND" },
  );
  assert.deepEqual(graph.packages, {
    godwit: graph.packages.godwit,
    nested: "1.0.0",
    "not-there": "not installed",
    plain: "1.0.0",
  });
});

test("one bundle of two projects is two modules, and of one project one", async () => {
  const files = { "pipeline.ts": "export const here = import.meta.dirname; export const object = {};" };
  const [one, other] = [project(files), project(files)];
  const [first, second, again] = [await load(one), await load(other), await load(one)];
  assert.deepEqual([first.exports.here, second.exports.here], [one, other]);
  assert.equal(first.exports.object, again.exports.object);
});

test("a package that is gone since the code was bundled is named, with who imports it", async () => {
  const directory = project({ "src/pipeline.ts": 'export { value } from "plain";', ...installed("plain", "1.0.0") });
  const digest = await storeBundle(await bundleFile(join(directory, "src/pipeline.ts"), directory), blobs);
  rmSync(join(directory, "node_modules"), { recursive: true });
  const loader = codeLoader({ blobs, bundlesDir, tmpDir, sdkUrls: {} });
  await assert.rejects(loader.load(digest, directory), (error) => {
    assert(error instanceof GodwitError);
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, /Cannot find package "plain", which src\/pipeline\.ts imports/);
    return true;
  });
});

test("code that fails while it is loaded is told with its place and the user's stack", async () => {
  const directory = project({ "pipeline.ts": "const x: unknown = null;\n(x as string).trim();\n" });
  await assert.rejects(load(directory), (error) => {
    assert(error instanceof GodwitError);
    assert.match(error.message, /^pipeline\.ts:2:\d+ failed while it was loaded: TypeError: Cannot read/);
    assert.doesNotMatch(error.stack ?? "", /worker\/code\.ts.*\n/);
    return true;
  });
});

test("files of a bundle that are damaged on disk are put right before they are loaded", async () => {
  const directory = project({ "pipeline.ts": "export const mended = 'yes';" });
  const digest = await storeBundle(await bundleFile(join(directory, "pipeline.ts"), directory), blobs);
  const elsewhere = join(directory, "bundles");
  const options = { blobs, bundlesDir: elsewhere, tmpDir, sdkUrls: {} };
  await codeLoader(options).load(digest, directory);
  const [place = ""] = readdirSync(join(elsewhere, digest));
  const copy = join(elsewhere, digest, place, "main.mjs");
  writeFileSync(copy, "export const mended = 'no'");
  await codeLoader(options).load(digest, directory);
  const { "main.mjs": text } = Object.fromEntries(
    (await bundleFile(join(directory, "pipeline.ts"), directory)).files.map(({ path, bytes }) => [
      path,
      Buffer.from(bytes).toString(),
    ]),
  );
  assert.equal(execFileSync("cat", [copy], { encoding: "utf8" }), text);
  assert.deepEqual(readdirSync(join(elsewhere, digest)), [place]);
});
