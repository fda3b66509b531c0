// What is wrong with user code is told in the user's words: the file, the place, the line, what to do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.write("lib/dates.ts", "export const today = (): string => new Date().toISOString();");
});
after(() => project.remove());

const head = 'import { environment } from "godwit";\nconst env = environment({ name: "kit" });\n';
const task = (name: string, body = ""): string =>
  `export const ${name} = env.task({ name: "${name}" }, async () => {${body}});\n`;

/** What `godwit run` says of a file that cannot be run. No frame of Godwit's own is shown. */
async function refusal(code: string, ...args: string[]): Promise<string> {
  project.write("pipeline.ts", code);
  const ended = await project.run(["run", "pipeline.ts", ...args]);
  assert.equal(ended.code, 2, ended.stdout + ended.stderr);
  assert.doesNotMatch(ended.stderr, /src\/(worker|sdk|cli|executor)|This should not happen/);
  return ended.stderr;
}

test("code that does not parse is shown with its place", async () => {
  assert.equal(
    await refusal(`${head}export const f = () => {\n  const x = ;\n};\n`),
    "error: pipeline.ts:4:13: Unexpected token.\n  4 |   const x = ;\n                  ^\n",
  );
  project.write("lib/bad.ts", "export const bad = {\n");
  assert.match(await refusal(`import { bad } from "./lib/bad.ts";\nbad;\n`), /^error: lib\/bad\.ts:2:1: /);
});

test("an import that leads nowhere is shown, with what may have been meant", async () => {
  assert.match(
    await refusal('import { today } from "./lib/date.ts";\ntoday();\n'),
    /^error: pipeline\.ts:1:23: Cannot find "\.\/lib\/date\.ts".*\n.*\n +\^\nDid you mean "\.\/lib\/dates\.ts"\?$/m,
  );
  assert.match(
    await refusal('import { now } from "./lib/dates.ts";\nnow();\n'),
    /pipeline\.ts:1:10: "now" is not exported by "lib\/dates\.ts"/,
  );
  assert.match(
    await refusal('import { map } from "lodash/fp";\nmap();\n'),
    /pipeline\.ts:1:21: Cannot find package "lodash" \(imported as "lodash\/fp"\)[\s\S]*npm install lodash/,
  );
  assert.match(
    await refusal('import { nothing } from "zod/nothing";\nnothing();\n'),
    /pipeline\.ts:1:25: Cannot find "zod\/nothing": the package "zod" has no such entry/,
  );
});

test("a name that Godwit or Node does not export is told with the file that asks for it", async () => {
  assert.match(
    await refusal('import { enviroment, type Task } from "godwit";\nenviroment({ name: "x" });\n'),
    /^error: pipeline\.ts imports "enviroment" from "godwit", which has no such export\. Did you mean "environment"\?$/m,
  );
  assert.match(
    await refusal('import { readFileSinc } from "node:fs";\nreadFileSinc("x");\n'),
    /pipeline\.ts imports "readFileSinc" from "node:fs", .* Did you mean "readFileSync"/,
  );
});

test("a module that throws, rejects or exits while it is loaded is told with its place", async () => {
  assert.match(
    await refusal(`${head}const config: any = undefined;\nconfig.foo.bar;\n`),
    /^error: pipeline\.ts:4:8 failed while it was loaded: TypeError: Cannot read properties of undefined/,
  );
  assert.match(
    await refusal(`${head}${task("a")}Promise.reject(new RangeError("floating"));\n`),
    /RangeError: floating, thrown at .*\/pipeline\.ts:4:16$/m,
  );
  assert.match(
    await refusal(`${head}${task("a")}process.exit(3);\n`),
    /called process\.exit\(3\) at .*pipeline\.ts:4:9/,
  );
});

test("no such file, no such task, no task at all, and two of one name", async () => {
  assert.match((await project.run(["run", "pipelin.ts"])).stderr, /There is no file .*\/pipelin\.ts/);
  assert.match(
    await refusal(`${head}${task("train")}${task("clean")}`, "trian"),
    /There is no task "trian" in pipeline\.ts\. Did you mean "train"\? It has: kit\.train, kit\.clean\./,
  );
  assert.match(
    await refusal(`${head}${task("train")}${task("clean")}`),
    /Which task of pipeline\.ts\? Name one: kit\.train, kit\.clean\./,
  );
  assert.match(await refusal(head), /^error: pipeline\.ts has no tasks\. Make one and export it:/);
  project.write("lib/same.ts", `${head}${task("same")}`);
  assert.match(
    await refusal(`import { same as other } from "./lib/same.ts";\n${head}${task("same", " await other(); ")}`),
    /Two tasks have the name "kit\.same": one at .*lib\/same\.ts:3, the other at .*\/pipeline\.ts:4\. Rename one/,
  );
});

test("an error of a task tells its class, its causes and the place in the source, whatever was compiled away", async () => {
  project.write("tsconfig.json", JSON.stringify({ compilerOptions: { jsx: "react", jsxFactory: "h" } }));
  project.write(
    "compiled.tsx",
    `import { environment } from "godwit";
const env = environment({ name: "kit" });
enum Kind { A = 1, B }
interface Shape { readonly name: string;
  readonly sides: number }
const h = (type: string): string => type;
class ModelError extends Error {}
class Named extends Error { override name = "Fancy"; }
const fit = (shape: Shape): never => {
  const view: string = <b>{Kind.B}</b> as unknown as string;
  throw new ModelError(shape.name + view, { cause: new TypeError("the root of it") });
};
export const inner = env.task({ name: "inner" }, async () => { fit({ name: "x", sides: 3 }); });
export const outer = env.task({ name: "outer" }, async () => { await inner(); });
export const fancy = env.task({ name: "fancy" }, async () => { await Promise.resolve().then(() => { throw new Named("n"); }); });
export const text = env.task({ name: "text" }, async () => { throw "just text"; });
`,
  );
  const failure = async (name: string) => {
    const { code, stdout } = await project.run(["run", "compiled.tsx", name, "--json"]);
    assert.equal(code, 1);
    const { error } = JSON.parse(stdout);
    const place =
      error.location &&
      `${error.location.file.slice(project.dir.length)}:${error.location.line}:${error.location.column}`;
    return [error.code, error.message, error.attempt, place];
  };
  assert.deepEqual(await failure("inner"), ["ModelError", "xb: the root of it", 1, "/compiled.tsx:11:9"]);
  assert.deepEqual(await failure("outer"), ["ModelError", "xb: the root of it", 1, "/compiled.tsx:11:9"]);
  assert.deepEqual(await failure("fancy"), ["Fancy", "n", 1, "/compiled.tsx:15:107"]);
  assert.deepEqual(await failure("text"), ["Error", 'The task threw "just text", which is not an Error.', 1, null]);
  const { stderr } = await project.run(["run", "compiled.tsx", "outer"]);
  assert.match(stderr, /> 11 │ {3}throw new ModelError/);
  assert.match(stderr, /at fit \(compiled\.tsx:11:9\)\n +at .*compiled\.tsx:13:/);
});
