// By which ways code reaches code, for the cache: each edit is missed by the one task that it concerns.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type CachedProject, makeCachedProject } from "./cached-project.ts";

const files: { readonly [file: string]: string } = {
  "settings.json": '{ "depth": 1 }',
  "old.cjs": 'const inner = require("./older.cjs"); module.exports = { value: () => inner.value };',
  "older.cjs": "module.exports = { value: 1 };",
  "kinds.ts": "export enum Kind { A = 1, B = 2 }",
  "late.ts": "export const late = (): number => 1;",
  "shapes.ts": 'import { sides } from "./sides.ts"; export class Shape { area(): number { return sides(); } }',
  "sides.ts": "export const sides = (): number => 1;",
  "barrel.ts": 'export * from "./through.ts"; export * as spaced from "./spaced.ts";',
  "through.ts": "export const through = (): number => 1; export const unused = 1;",
  "spaced.ts": "export const asked = (): number => 1;",
  "registry.ts": "export const registry = new Map<string, number>();",
  "plugin.ts": 'import { registry } from "./registry.ts"; registry.set("a", 1);',
  "schemas.ts": 'import { z } from "zod"; export const doubled = z.object({ x: z.int().default(1) });',
  "children.ts": `import { environment } from "godwit"; import { z } from "zod"; import { deep } from "./deep.ts";
export const child = environment({ name: "children" }).task({ name: "child", output: z.int() }, async () => deep());
export const sorted = environment({ name: "shells" }).shell({ name: "sorted", output: z.object({ n: z.int() }), command: 'echo 1 > "$n"' });`,
  "deep.ts": "export const deep = (): number => 1;",
  "pipeline.ts": `import { environment } from "godwit";
import { z } from "zod";
import settings from "./settings.json" with { type: "json" };
import old from "./old.cjs";
import { Kind } from "./kinds.ts";
import { Shape } from "./shapes.ts";
import * as barrel from "./barrel.ts";
import "./plugin.ts";
import { registry } from "./registry.ts";
import { doubled } from "./schemas.ts";
import { child, sorted } from "./children.ts";
const env = environment({ name: "kit" });
const number = { output: z.int(), cache: "auto" } as const;
class Square extends Shape {}
const table = { f: () => Kind.B };
export const json = env.task({ name: "json", ...number }, async () => settings.depth);
export const commonjs = env.task({ name: "commonjs", ...number }, async () => old.value());
export const enums = env.task({ name: "enums", ...number }, async () => table.f());
export const imported = env.task({ name: "imported", ...number }, async () => (await import("./late.ts")).late());
export const inherited = env.task({ name: "inherited", ...number }, async () => new Square().area());
export const starred = env.task({ name: "starred", ...number }, async () => barrel.through());
export const spaced = env.task({ name: "spaced", ...number }, async () => barrel.spaced.asked());
export const registered = env.task({ name: "registered", ...number }, async () => registry.get("a") ?? 0);
export const checked = env.task({ name: "checked", ...number, input: doubled }, async ({ x }) => x);
export const calls = env.task({ name: "calls", ...number }, async () => child());
export const commands = env.task({ name: "commands", ...number }, async () => (await sorted()).n);
export const computed = env.task({ name: "computed", ...number }, async () => { const path = "./late.ts"; return (await import(path)).late(); });
const tasks = [json, commonjs, enums, imported, inherited, starred, spaced, registered, checked, calls, commands];
export const main = env.task({ name: "main", output: z.array(z.int()) }, async () =>
  Promise.all([...tasks.map((task) => task === checked ? checked({ x: 1 }) : (task as typeof json)()), computed()]));
`,
};

let project: CachedProject;
before(() => {
  project = makeCachedProject();
  for (const [file, content] of Object.entries(files)) project.write(file, content);
});
after(() => project.remove());

const run = () => project.run(["pipeline.ts", "main"]);

const keyed = "json commonjs enums imported inherited starred spaced registered checked calls commands".split(" ");

type Edit = { readonly file: string; readonly from: string; readonly to: string; readonly missed: readonly string[] };

/** Neighbours are in different rounds, so that an edit which costs too much is seen. */
const rounds: readonly (readonly Edit[])[] = [
  [
    { file: "settings.json", from: "1", to: "2", missed: ["json"] },
    { file: "kinds.ts", from: "B = 2", to: "B = 3", missed: ["enums"] },
    { file: "sides.ts", from: "1", to: "2", missed: ["inherited"] },
    { file: "spaced.ts", from: "asked = (): number => 1", to: "asked = (): number => 2", missed: ["spaced"] },
    { file: "schemas.ts", from: "default(1)", to: "default(2)", missed: ["checked"] },
    { file: "children.ts", from: "echo 1", to: "echo 2", missed: ["commands"] },
  ],
  [
    { file: "older.cjs", from: "1", to: "2", missed: ["commonjs"] },
    { file: "late.ts", from: "1", to: "2", missed: ["imported"] },
    { file: "through.ts", from: "=> 1", to: "=> 2", missed: ["starred"] },
    { file: "deep.ts", from: "1", to: "2", missed: ["calls"] },
  ],
  [{ file: "through.ts", from: "unused = 1", to: "unused = 2", missed: [] }],
  // What is imported for its effects alone may have any.
  [{ file: "plugin.ts", from: "1", to: "2", missed: keyed }],
];

test("what is reached by any way that code knows is part of the key, and what is not is not", async () => {
  const first = await run();
  assert.deepEqual(first.missed, [...keyed].sort());
  const { summary, status } = await project.json(["why", first.name, "computed"]);
  assert.equal(status, "unkeyed");
  assert.match(
    String(summary),
    /its code cannot be identified: pipeline\.ts:\d+ loads a module whose name is computed/,
  );
  for (const edits of rounds) {
    for (const { file, from, to } of edits) {
      const content = files[file] ?? "";
      assert.ok(content.includes(from), `${file} has ${from}`);
      project.write(file, content.replace(from, to));
    }
    assert.deepEqual((await run()).missed, edits.flatMap(({ missed }) => missed).sort());
    for (const { file } of edits) project.write(file, files[file] ?? "");
  }
  assert.deepEqual((await run()).missed, []);
});
