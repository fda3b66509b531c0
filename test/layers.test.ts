// Holds the table of layers (ARCHITECTURE.md shows it to people) and fails on whatever breaks it or
// another of the house rules. Its second half breaks each rule once, in a tree made up for that.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { test } from "node:test";
import { type Layers, type Tree, violations } from "./layers.ts";

/** From the ground up: a row imports only from rows above it. "store": its doors; "store/": all of it. */
const layers: Layers = {
  core: { may: [], doors: "all", packages: ["node:crypto"] },
  machine: { may: ["core"], packages: ["node:child_process"] },
  settings: { may: ["core", "machine"] },
  cron: { may: ["core"], packages: ["croner"] },
  webhook: { may: ["core"], packages: ["node:http", "node:net"] },
  idl: {
    may: ["core"],
    packages: ["#idl", "@bufbuild/protobuf", "@msgpack/msgpack", "hyparquet", "hyparquet-writer"],
    // Beside the door, so that what needs no messages loads none.
    doors: [
      "idl/automation-message.ts",
      "idl/automation-service.ts",
      "idl/error-message.ts",
      "idl/interface-message.ts",
      "idl/launch-form.ts",
      "idl/literal-message.ts",
      "idl/newer.ts",
      "idl/notification-message.ts",
      "idl/phase-message.ts",
      "idl/secret-requests.ts",
      "idl/task-files.ts",
      "idl/task-spec-message.ts",
      "idl/time-message.ts",
      "idl/type-message.ts",
      "idl/uploaded-bundle.ts",
    ],
  },
  store: {
    may: ["core"],
    doors: [
      "store/documents.ts",
      "store/lineage.ts",
      "store/notice-rows.ts",
      "store/record-json.ts",
      "store/salvage.ts",
      "store/trigger-rows.ts",
      "store/upkeep.ts",
    ],
    packages: ["node:sqlite", "node:worker_threads"],
  },
  blob: {
    may: ["core"],
    doors: ["blob/archive.ts", "blob/directory.ts", "blob/payload.ts", "blob/plain-file.ts", "blob/storage-error.ts"],
  },
  logs: { may: ["core", "blob"] },
  storage: { may: ["core", "idl", "blob"], doors: ["storage/imports.ts"] },
  sdk: {
    may: ["core", "idl", "blob"],
    doors: ["sdk/bundle.ts", "sdk/handle.ts", "sdk/table.ts"],
    packages: ["apache-arrow", "rolldown", "zod"],
  },
  // The other half of the SDK: what its tasks talk to while they run.
  worker: { may: ["core", "idl", "blob", "blob/files.ts", "storage/imports.ts", "sdk/"], packages: ["node:net"] },
  executor: {
    doors: ["executor/capacity.ts", "executor/guard.ts", "executor/lone-attempts.ts", "executor/printed-lines.ts"],
    may: ["core", "idl", "blob", "storage", "worker/protocol.ts", "worker/shorthand.ts", "worker/stream.ts"],
    packages: ["node:child_process", "node:net"],
  },
  // Its builds are attempts of an executor of its own; a build's lock goes with its process, as an engine's does.
  images: {
    doors: ["images/build-task.ts"],
    may: ["core", "settings", "idl", "blob", "executor", "store/engine-locks.ts"],
    packages: ["#idl", "@bufbuild/protobuf"],
  },
  engine: { may: ["core", "store", "blob", "executor"] },
  control: { may: ["core", "cron", "store", "blob", "logs"] },
  wire: { may: ["core", "idl", "storage", "control"], packages: ["#idl", "@bufbuild/protobuf", "@connectrpc/connect"] },
  doctor: { may: ["core", "store", "blob"] },
  "index.ts": { may: ["core", "sdk/"] },
  "godwit.ts": {
    may: [
      "core",
      "settings",
      "idl/",
      "store/",
      "blob/",
      "logs/",
      "sdk/",
      "worker/",
      "executor/",
      "images/",
      "cron",
      "webhook/",
      "engine/",
      "control/",
      "doctor/",
    ],
  },
  auth: { may: ["core"] },
  // The package that speaks Connect is used wherever messages are sent or received.
  server: {
    may: ["core", "auth", "control"],
    packages: [
      "@connectrpc/connect",
      "@connectrpc/connect-node",
      "@opentelemetry/api",
      "fastify",
      "node:http",
      "node:net",
      "pino",
      "prom-client",
    ],
  },
  "flyte.ts": {
    may: ["core", "settings", "idl", "executor/", "images/", "control", "storage", "wire", "godwit.ts"],
    packages: ["@connectrpc/connect"],
  },
  "service.ts": { may: ["core", "settings", "auth", "flyte.ts", "godwit.ts", "server/"] },
  client: {
    doors: ["client/json-inputs.ts", "client/remote-control.ts", "client/remote-run.ts", "client/run-handle.ts"],
    may: ["core", "idl", "blob", "sdk", "sdk/errors.ts", "control"],
    packages: ["#idl", "@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"],
  },
  "client.ts": { may: ["core", "idl", "blob", "blob/files.ts", "sdk/", "client", "godwit.ts"] },
  testing: {
    may: [
      "core",
      "settings",
      "idl/",
      "store/",
      "blob/",
      "logs/",
      "sdk/",
      "worker/",
      "executor/",
      "images/",
      "cron",
      "webhook/",
      "engine/",
      "control/",
      "godwit.ts",
    ],
    packages: ["node:child_process"],
  },
  "testing.ts": { may: ["testing/"] },
  cli: {
    may: [
      "core",
      "settings",
      "idl",
      "blob",
      "control",
      "auth",
      "doctor",
      "sdk",
      "godwit.ts",
      "server",
      "service.ts",
      "client",
    ],
    packages: ["commander"],
  },
};

/** Of the protocol that server and clients speak. */
const protocolPackages = ["#idl", "@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"];

function repository(): Tree {
  const cwd = join(import.meta.dirname, "..");
  const paths = globSync(["{src,scripts,test,bench,examples}/**/*.ts", "bin/*.js"], {
    cwd,
    exclude: (path) => /(^|[/\\])(node_modules|fixtures|\.godwit)([/\\]|$)/.test(path),
  });
  return new Map(paths.sort().map((path) => [path.replaceAll(sep, "/"), readFileSync(join(cwd, path), "utf8")]));
}

test("the repository keeps the house rules", () => {
  const found = violations(repository(), layers, protocolPackages).map(({ rule, offender }) => `${rule}: ${offender}`);
  assert.equal(found.length, 0, `\n${found.join("\n")}\n`);
});

test("each row of the table stands on rows above it", () => {
  const rows = Object.keys(layers);
  for (const [index, [row, { may }]] of Object.entries(layers).entries()) {
    for (const below of may.filter((name) => !name.includes("/"))) {
      assert.ok(
        rows.indexOf(below) < index && rows.includes(below),
        `${row} stands on ${below}, which is not above it`,
      );
    }
  }
});

const small: Layers = {
  core: { may: [], doors: "all", packages: ["node:crypto"] },
  store: { may: ["core"], packages: ["pg"] },
  control: { may: ["core", "store"] },
  "godwit.ts": { may: ["core", "store/", "control"] },
};

const good = {
  "src/core/action.ts": '// Actions.\nimport { hash } from "node:crypto";\nexport const name = hash;\n',
  "src/store/store.ts":
    '// The store.\nimport type { name } from "../core/action.ts";\nexport type Store = typeof name;\n',
  "src/store/rows.ts":
    '// Rows.\nimport pg from "pg";\nimport { join } from "node:path";\nexport const rows = [pg, join];\n',
  "src/control/control.ts": '// Control.\nexport const open = (store: import("../store/store.ts").Store) => store;\n',
  "src/godwit.ts": '// Wires.\nimport { rows } from "./store/rows.ts";\nexport const godwit = rows;\n',
};

/** The rules that are broken when these files are added to, or put in place of, the good ones. */
const broken = (files: { readonly [path: string]: string }, table: Layers = small): readonly string[] =>
  violations(new Map(Object.entries({ ...good, ...files })), table).map(({ rule }) => rule);

test("a tree that keeps the rules has no violations", () => assert.deepEqual(broken({}), []));

const bad: readonly (readonly [promise: string, rule: string, files: { readonly [path: string]: string }])[] = [
  [
    "an import upward",
    "R1 store may not import control",
    { "src/store/rows.ts": '// Rows.\nimport { open } from "../control/control.ts";\nopen;\n' },
  ],
  [
    "an import past the door",
    "R1 store is entered by its door only",
    { "src/control/control.ts": '// Control.\nexport { rows } from "../store/rows.ts";\n' },
  ],
  [
    "a type from past the door",
    "R1 store is entered by its door only",
    { "src/control/control.ts": '// Control.\nexport type Rows = import("../store/rows.ts").rows;\n' },
  ],
  [
    "a dynamic import past the door",
    "R1 store is entered by its door only",
    { "src/control/control.ts": '// Control.\nawait import("../store/rows.ts");\n' },
  ],
  ["a folder that no row names", "R1 every folder has a row in the table", { "src/extra/extra.ts": "// Extra.\n" }],
  [
    "an import from outside src",
    "R1 src imports only src",
    { "src/godwit.ts": '// Wires.\nimport "../scripts/build.ts";\n' },
  ],
  [
    "a package in a folder that is not its own",
    "R2 control may not use pg",
    { "src/control/control.ts": '// Control.\nimport "pg/native";\n' },
  ],
  [
    "a guarded module of Node",
    "R2 control may not use node:child_process",
    { "src/control/control.ts": '// Control.\nimport "node:child_process";\n' },
  ],
  [
    "a clock or a file in core",
    "R2 core may not use node:fs",
    { "src/core/action.ts": '// Actions.\nimport "node:fs";\n' },
  ],
  [
    "a cycle, through types too",
    "R3 no import cycles",
    {
      "src/core/action.ts": '// Actions.\nimport type { B } from "./run.ts";\nexport type A = B;\n',
      "src/core/run.ts": '// Runs.\nimport type { A } from "./action.ts";\nexport type B = A;\n',
    },
  ],
  [
    "an import of a test",
    "R4 nothing but tests imports tests",
    { "src/store/rows.ts": '// Rows.\nimport "./store.suite.ts";\n' },
  ],
  [
    "a file of 401 lines",
    "R5 at most 400 lines a file",
    { "src/core/long.ts": `// Long.\n${"\n".repeat(399)}export const x = 1;\n` },
  ],
  [
    "a function of 71 lines",
    "R5 at most 70 lines a function",
    { "src/core/long.ts": `// “Long”.\nexport const f = () => {${"\n".repeat(70)}};\n` },
  ],
  ["a drawer", "R6 a name says what a thing is", { "src/core/run-utils.ts": "// Anything.\n" }],
  ["a name that is not kebab-case", "R6 names are kebab-case", { "src/core/runState.ts": "// State.\n" }],
  ["a barrel's name", "R6 no index.ts in folders", { "src/core/index.ts": "// All.\n" }],
  [
    "a file that does not say what it is for",
    "R7 a file begins with a comment",
    { "src/core/run.ts": "export const run = 1;\n" },
  ],
  ["a default export", "R8 no default exports", { "src/core/run.ts": "// Runs.\nexport default 1;\n" }],
  ["a barrel", "R8 no `export *`", { "src/core/run.ts": '// Runs.\nexport * from "./action.ts";\n' }],
];

for (const [promise, rule, files] of bad) {
  test(`${promise} is found`, () => assert.deepEqual(broken(files), [rule]));
}

test("at the bound a file of 400 lines and a function of 70 pass", () => {
  assert.deepEqual(
    broken({
      "src/core/long.ts": `// Long.\n${"\n".repeat(398)}export const x = 1;\n`,
      "src/core/run.ts": `// Run.\nexport const f = () => {${"\n".repeat(69)}};\n`,
    }),
    [],
  );
});

test("a package in two rows is found", () => {
  const table = { ...small, control: { may: ["core", "store"], packages: ["pg"] } };
  assert.deepEqual(broken({}, table), ["R2 a package belongs to one folder"]);
});
