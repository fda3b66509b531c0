// What a task's code is, from the user's files to the cache key: bundled, loaded and followed for real.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changedBy, type Files, identities, installed, project } from "../../test/fixtures/bundle/project.ts";

const header = 'import { environment } from "godwit";\nconst env = environment();\n';

const twoTasks: Files = {
  "pipeline.ts": `${header}import { clean } from "./steps/clean.ts";
import { fit } from "./steps/fit.ts";
export const first = env.task({ name: "first" }, (x) => clean(x));
export const second = env.task({ name: "second" }, (x) => fit(x));
export const both = env.task({ name: "both" }, () => [first(), second()]);
export const neither = env.task({ name: "neither" }, () => 1);
`,
  "steps/clean.ts": 'import { trim } from "../text.ts";\nexport const clean = (x: unknown) => trim(String(x));\n',
  "steps/fit.ts":
    'import { pad } from "../text.ts";\nexport function fit(x: unknown): string { return pad(String(x)); }\n',
  "text.ts":
    "const space = ' ';\nexport function trim(text: string) { return text.split(space).join(''); }\nexport function pad(text: string) { return text + '.'; }\n",
};

const text = (change: (text: string) => string): Files => ({ "text.ts": change(twoTasks["text.ts"] ?? "") });

test("editing a helper two modules away changes exactly the tasks that reach it", async () => {
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => t.replace("'.'", "'!'")),
    ),
    ["both", "second"],
  );
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => t.replace("' '", "'_'")),
    ),
    ["both", "first"],
  );
});

test("editing what no task reaches, comments, order and types changes nothing", async () => {
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => `// new\n/* and */ ${t}\nexport function other() { return 1; }`),
    ),
    [],
  );
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => t.split("\n").reverse().join("\n")),
    ),
    [],
  );
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => t.replace("{ return text +", "{ // why\n\treturn (text as string) +")),
    ),
    [],
  );
  assert.deepEqual(
    await changedBy(
      twoTasks,
      text((t) => `type T = string;\nexport interface I { a: T }\n${t}`),
    ),
    [],
  );
});

test("the same files in another directory are the same code", async () => {
  assert.deepEqual(await changedBy(twoTasks, {}), []);
});

test("a known identity names the modules that the task reaches, and no others", async () => {
  const { first } = await identities(project(twoTasks));
  assert.equal(first?.type, "known");
  assert.deepEqual(Object.keys(first?.type === "known" ? first.modules : {}), [
    "pipeline.ts",
    "steps/clean.ts",
    "text.ts",
  ]);
});

test("editing a task changes it and the tasks that call it", async () => {
  const change = { "pipeline.ts": (twoTasks["pipeline.ts"] ?? "").replace("clean(x)", "clean(x) + 1") };
  assert.deepEqual(await changedBy(twoTasks, change), ["both", "first"]);
});

/** Tasks `a` and `b`, of which `a` says what it uses; then an edit of the module `m.ts`. */
const edit = (use: string, from: string, to: string, more: Files = {}): Promise<readonly string[]> => {
  const files = {
    "pipeline.ts": `${use}\n${header}export const a = env.task({ name: "a" }, () => used());\nexport const b = env.task({ name: "b" }, () => 1);\n`,
    ...more,
  };
  return changedBy({ ...files, "m.ts": from }, { "m.ts": to });
};

const used = 'import { used } from "./m.ts";';

for (const [what, use, from, to] of [
  [
    "an enum",
    used,
    "enum E { A = 1 }\nexport const used = () => E.A;",
    "enum E { A = 2 }\nexport const used = () => E.A;",
  ],
  [
    "a constant",
    used,
    "const c = [1, { d: 2 }];\nexport const used = () => c;",
    "const c = [1, { d: 3 }];\nexport const used = () => c;",
  ],
  [
    "a class",
    used,
    "class C { m() { return 1; } }\nexport const used = () => new C().m();",
    "class C { m() { return 2; } }\nexport const used = () => new C().m();",
  ],
  [
    "a namespace",
    used,
    "namespace N { export const v = 1; }\nexport const used = () => N.v;",
    "namespace N { export const v = 2; }\nexport const used = () => N.v;",
  ],
  ["a default export", 'import used from "./m.ts";', "export default () => 1;", "export default () => 2;"],
  [
    "a named default export",
    'import used from "./m.ts";',
    "export default function f() { return 1; }",
    "export default function f() { return 2; }",
  ],
  [
    "a renamed export",
    'import { it as used } from "./m.ts";',
    "const f = () => 1;\nexport { f as it };",
    "const f = () => 2;\nexport { f as it };",
  ],
  [
    "which value an export is",
    used,
    "const f = () => 1, g = () => 2;\nexport { f as used, g };",
    "const f = () => 1, g = () => 2;\nexport { g as used, f };",
  ],
  [
    "a member of a namespace import",
    'import * as m from "./m.ts"; const used = () => m.f();',
    "export const f = () => 1;",
    "export const f = () => 2;",
  ],
  [
    "anything of a namespace that is passed on",
    'import * as m from "./m.ts"; const used = () => Object.keys(m);',
    "export const f = () => 1;",
    "export const f = () => 2;",
  ],
  [
    "a module loaded by import()",
    "const used = async () => (await import('./m.ts')).f();",
    "export const f = () => 1;",
    "export const f = () => 2;",
  ],
  [
    "a module loaded by a template",
    "const used = async () => (await import(`./m.ts`)).f();",
    "export const f = () => 1;",
    "export const f = () => 2;",
  ],
  [
    "a value changed after its declaration",
    used,
    "const t = new Map();\nt.set(1, 1);\nexport const used = () => t;",
    "const t = new Map();\nt.set(1, 2);\nexport const used = () => t;",
  ],
  [
    "a value changed by another declaration",
    used,
    "const t: number[] = [];\nconst n = t.push(1);\nexport const used = () => t;",
    "const t: number[] = [];\nconst n = t.push(2);\nexport const used = () => t;",
  ],
  [
    "what is deleted where a value is computed",
    used,
    "const o: { a?: number; b?: number } = { a: 1, b: 2 };\nconst gone = delete o.a;\nexport const used = () => o;",
    "const o: { a?: number; b?: number } = { a: 1, b: 2 };\nconst gone = delete o.b;\nexport const used = () => o;",
  ],
  [
    "the order in which things happen",
    used,
    "const t: number[] = [];\nt.push(1);\nt.push(2);\nexport const used = () => t;",
    "const t: number[] = [];\nt.push(2);\nt.push(1);\nexport const used = () => t;",
  ],
  [
    "a name used in a nested scope that another scope shadows",
    used,
    "const v = 1;\nexport const used = () => { { const v = 3; void v; } return v; };",
    "const v = 2;\nexport const used = () => { { const v = 3; void v; } return v; };",
  ],
] as const) {
  test(`editing ${what} changes the task that uses it, and that task only`, async () => {
    assert.deepEqual(await edit(use, from, to), ["a"]);
  });
}

for (const [what, use, from, to] of [
  [
    "another member of a namespace import",
    'import * as m from "./m.ts"; const used = () => m.f();',
    "export const f = () => 1, x = 0;\nexport const g = () => 1;",
    "export const f = () => 1, x = 0;\nexport const g = () => 2;",
  ],
  [
    "what only a shadowed name could mean",
    used,
    "const v = 1;\nexport const used = () => { const v = 3; return v; };",
    "const v = 2;\nexport const used = () => { const v = 3; return v; };",
  ],
  [
    "the type of a parameter",
    used,
    "export const used = (x?: number): number => x ?? 1;",
    "export const used = (x?: number | undefined) => x ?? 1;",
  ],
  [
    "what only a type mentions",
    used,
    "const v = 1;\nexport const used = () => { let x: typeof v | undefined; return x; };",
    "const v = 2;\nexport const used = () => { let x: typeof v | undefined; return x; };",
  ],
] as const) {
  test(`editing ${what} changes nothing`, async () => {
    assert.deepEqual(await edit(use, from, to), []);
  });
}

test("re-exports, barrels, export * and cycles are followed to the function itself", async () => {
  const barrels = {
    "index.ts": 'export * from "./all.ts";\nexport { other } from "./other.ts";',
    "all.ts": 'export * from "./index.ts";\nexport { f as used } from "./m.ts";',
    "other.ts": 'import { used } from "./index.ts";\nexport const other = () => used();',
  };
  const use = 'import { used } from "./index.ts";';
  assert.deepEqual(await edit(use, "export const f = () => 1;", "export const f = () => 2;", barrels), ["a"]);
  assert.deepEqual(
    await edit(
      use,
      "export const f = () => 1;",
      "export const f = () => 1, g = 0;".replace(", g = 0", ";const g = 0"),
      barrels,
    ),
    [],
  );
});

test("a module that is imported for its effects belongs to all tasks of the module that imports it", async () => {
  const use = 'import "./m.ts"; const used = () => 1;';
  assert.deepEqual(await edit(use, "globalThis.x = 1;", "globalThis.x = 2;"), ["a", "b"]);
});

test("JSON and CommonJS modules are reached as a whole", async () => {
  const files: Files = {
    "pipeline.ts": `${header}import settings from "./settings.json" with { type: "json" };\nimport old from "./old.cjs";\nexport const a = env.task({ name: "a" }, () => settings.n);\nexport const b = env.task({ name: "b" }, () => old.n);\n`,
    "settings.json": '{ "n": 1 }',
    "old.cjs": 'const part = require("./part.cjs");\nmodule.exports = { n: part };',
    "part.cjs": "module.exports = 1;",
  };
  assert.deepEqual(await changedBy(files, { "settings.json": '{ "n": 2 }' }), ["a"]);
  assert.deepEqual(await changedBy(files, { "part.cjs": "module.exports = 2;" }), ["b"]);
});

test("another version of a package changes the tasks that use it, and those only", async () => {
  const files: Files = {
    "pipeline.ts": `${header}import { value } from "left";\nimport { value as other } from "@some/right/part";\nexport const a = env.task({ name: "a" }, () => value);\nexport const b = env.task({ name: "b" }, () => other);\n`,
    ...installed("left", "1.0.0"),
    ...installed("@some/right", "2.0.0"),
  };
  assert.deepEqual(await changedBy(files, installed("left", "1.0.1")), ["a"]);
  assert.deepEqual(await changedBy(files, installed("@some/right", "2.0.1")), ["b"]);
  const { b } = await identities(project(files));
  assert.deepEqual(b?.type === "known" ? Object.keys(b.packages).sort() : b, ["@some/right", "godwit", "node"]);
});

const factory: Files = {
  "factory.ts": `${header}export function make(name: string, body: () => unknown) {\n  return env.task({ name }, body);\n}\n`,
  "pipeline.ts":
    'import { make } from "./factory.ts";\nimport { one, two } from "./m.ts";\nexport const a = make("a", one);\nexport const b = make("b", two);\n',
  "m.ts": "export const one = () => 1;\nexport const two = () => 2;",
};

test("tasks made by one factory in another module each have the code they were given, and the factory's", async () => {
  assert.deepEqual(await changedBy(factory, { "m.ts": "export const one = () => 3;\nexport const two = () => 2;" }), [
    "a",
  ]);
  assert.deepEqual(
    await changedBy(factory, { "factory.ts": (factory["factory.ts"] ?? "").replace("{ name }", "{ name: name }") }),
    ["a", "b"],
  );
});

test("a task declared in an imported module reaches what it uses there", async () => {
  const files = {
    ...twoTasks,
    "pipeline.ts": 'export * from "./tasks.ts";',
    "tasks.ts": twoTasks["pipeline.ts"] ?? "",
  };
  assert.deepEqual(
    await changedBy(
      files,
      text((t) => t.replace("'.'", "'!'")),
    ),
    ["both", "second"],
  );
});

test("a registry filled from another module belongs to the task that reads it", async () => {
  const files: Files = {
    "pipeline.ts": `${header}import { registry } from "./registry.ts";\nimport { b } from "./fill.ts";\nexport const a = env.task({ name: "a" }, () => registry);\nexport { b };`,
    "registry.ts": "export const registry: unknown[] = [];",
    "fill.ts": `${header}import { registry } from "./registry.ts";\nregistry.push(1);\nexport const b = env.task({ name: "b" }, () => 1);`,
  };
  assert.deepEqual(await changedBy(files, { "fill.ts": (files["fill.ts"] ?? "").replace("push(1)", "push(2)") }), [
    "a",
    "b",
  ]);
});

for (const [what, line, reason] of [
  [
    "a computed import()",
    "const used = (name: string) => import(name);",
    /^pipeline\.ts:3 loads a module whose name is computed/,
  ],
  [
    "createRequire()",
    'import { createRequire } from "node:module";\nconst used = createRequire(import.meta.url);',
    /createRequire/,
  ],
  ["eval()", 'const used = () => eval("1");', /eval/],
  [
    "the last version of a deployed task",
    'import { remoteTask } from "godwit";\nconst used = remoteTask({ name: "far.task" });',
    /^pipeline\.ts:4 calls a deployed task in whatever version there is: name one/,
  ],
  ["another file's code by its path", 'const used = () => new URL("./worker.js", import.meta.url);', /worker\.js/],
] as const) {
  test(`${what} makes the identity unknown for the tasks that reach it, with its place`, async () => {
    const { a, b } = await identities(
      project({
        "pipeline.ts": `${header}${line}\nexport const a = env.task({ name: "a" }, () => used);\nexport const b = env.task({ name: "b" }, () => 1);`,
      }),
    );
    assert.match(a?.type === "unknown" ? a.reason : "known", reason);
    assert.equal(b?.type, "known");
  });
}

test("a deployed task of a version that is named is a part of the code like any other", async () => {
  const files: Files = {
    "pipeline.ts": `${header}import { remoteTask } from "godwit";\nconst far = remoteTask({ name: "far.task", version: "v1" });\nexport const a = env.task({ name: "a" }, () => far);`,
  };
  assert.deepEqual(await changedBy(files, { "pipeline.ts": (files["pipeline.ts"] ?? "").replace("v1", "v2") }), ["a"]);
});

test("a task that is defined later than its module is loaded has no known identity, for its callers are not known", async () => {
  const files = {
    "pipeline.ts": `${header}const later = async (f: () => unknown) => { await null; return env.task({ name: "a" }, f); };\nexport const a = await later(() => 1);`,
  };
  const { a } = await identities(project(files));
  assert.match(
    a?.type === "unknown" ? a.reason : "known",
    /^pipeline\.ts:3 defines the task in a function that runs after/,
  );
});

test("JSX brings the package that the compiler imports for it", async () => {
  const files: Files = {
    "pipeline.tsx": `${header}export const a = env.task({ name: "a" }, () => <p />);`,
    "node_modules/react/package.json":
      '{ "name": "react", "version": "19.0.0", "type": "module", "exports": { "./jsx-runtime": "./jsx.js" } }',
    "node_modules/react/jsx.js": "export const jsx = (type) => type;",
  };
  const { a } = await identities(project(files), "pipeline.tsx");
  assert.equal(a?.type === "known" ? a.packages.react : a, "19.0.0");
});
