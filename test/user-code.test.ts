// What user code may be made of: all that TypeScript and Node allow, run by the real command.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  const compilerOptions = { jsx: "react-jsx", jsxImportSource: "mini", baseUrl: ".", paths: { "@lib/*": ["./lib/*"] } };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions }));
  const jsx = { name: "mini", version: "1.0.0", type: "module", exports: { "./jsx-runtime": "./jsx.js" } };
  project.write("node_modules/mini/package.json", JSON.stringify(jsx));
  const element = "(type, { children = '' }) => ['<', type, '>', children, '</', type, '>'].join('')";
  project.write("node_modules/mini/jsx.js", `export const jsx = ${element};\nexport const jsxs = jsx;\n`);
  project.write(
    "lib/colors.ts",
    `export enum Color { Red = "red", Blue = "blue" }
export namespace Shapes { export const sides = (name: string): number => (name === "square" ? 4 : 3); }
`,
  );
  project.write("lib/config.json", '{ "answer": 42 }');
  project.write(
    "lib/old.cjs",
    'module.exports = { next: (x) => x + 1, file: require("node:path").basename(__filename) };',
  );
  project.write("lib/late.ts", 'export const late = (): string => "imported late";');
  project.write("lib/data.txt", "seven words that lie beside the code");
  project.write(
    "lib/tasks.ts",
    `import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "lib" });
const number = { input: z.object({ x: z.int() }), output: z.int(), cache: "auto" } as const;
export const words = env.task({ name: "words", output: z.array(z.int()) }, async () => [
  readFileSync(new URL("./data.txt", import.meta.url), "utf8").split(" ").length,
  readFileSync(join(import.meta.dirname, "data.txt"), "utf8").split(" ").length,
]);
export const multiplier = (name: string, factor: number) => env.task({ name, ...number }, async ({ x }) => x * factor);
`,
  );
});
after(() => project.remove());

const run = async (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const { code, stdout, stderr } = await project.run(["run", ...args, "--json"], env);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as { run: string; outputs: Record<string, unknown>; actions: { cached: number } };
};

test("enums, namespaces, JSX, path aliases, JSON, CommonJS, late imports and data files work as in Node", async () => {
  project.write(
    "pipeline.tsx",
    `import { environment } from "godwit";
import { z } from "zod";
import { Color, Shapes } from "@lib/colors";
import config from "./lib/config.json" with { type: "json" };
import old from "./lib/old.cjs";
import { multiplier, words } from "./lib/tasks.ts";
const early = await Promise.resolve("awaited at the top");
const env = environment({ name: "kit" });
const double = multiplier("double", 2);
const triple = multiplier("triple", 3);
export const main = env.task({ name: "main", output: z.record(z.string(), z.any()) }, async () => {
  const { late } = await import("./lib/late.ts");
  return {
    color: Color.Blue, sides: Shapes.sides("square"), answer: config.answer, next: old.next(1), file: old.file,
    early, late: late(), jsx: String(<b>bold</b>), words: await words(),
    factors: await Promise.all([double({ x: 10 }), triple({ x: 10 })]),
  };
});
`,
  );
  const { outputs } = await run(["pipeline.tsx"]);
  assert.deepEqual(outputs.o0, {
    color: "blue",
    sides: 4,
    answer: 42,
    next: 2,
    file: "old.cjs",
    early: "awaited at the top",
    late: "imported late",
    jsx: "<b>bold</b>",
    words: [7, 7],
    factors: [20, 30],
  });
  // Tasks of helper modules can be run by themselves.
  assert.deepEqual((await run(["pipeline.tsx", "lib.words"])).outputs, { o0: [7, 7] });
});

test("a task sees the caller's environment variables, under those of its own environment", async () => {
  project.write(
    "variables.ts",
    `import { execFileSync } from "node:child_process";
import { env as named } from "node:process";
import { environment } from "godwit";
import { z } from "zod";
const output = z.object({ read: z.array(z.string()), child: z.string() });
const read = async () => {
  const seen = { read: [process.env.WHO ?? "-", named.WHO ?? "-", process.env.WHERE ?? "-", String("WHO" in process.env)],
    child: execFileSync("sh", ["-c", "echo $WHO $WHERE $ADDED"], { encoding: "utf8" }).trim() };
  process.env.ADDED = "by a task";
  return seen;
};
const red = environment({ name: "red", env: { WHO: "red" } });
const blue = environment({ name: "blue", env: { WHO: "blue" } });
const bare = environment({ name: "bare" });
const asRed = red.task({ name: "read", output }, read);
const asBlue = blue.task({ name: "read", output }, read);
const asCaller = bare.task({ name: "read", output }, read);
export const main = red.task({ name: "main", output: z.array(output) }, async () => [await asRed(), await asBlue(), await asCaller(), await read()]);
`,
  );
  const { outputs } = await run(["variables.ts", "main", "--workers", "1"], { WHO: "caller", WHERE: "here" });
  assert.deepEqual(outputs.o0, [
    { read: ["red", "red", "here", "true"], child: "red here" },
    { read: ["blue", "blue", "here", "true"], child: "blue here" },
    { read: ["caller", "caller", "here", "true"], child: "caller here" },
    { read: ["red", "red", "here", "true"], child: "red here" },
  ]);
});

test("tasks made by a factory are identified each by what made it", async () => {
  const factory = (factor: number): string => `import { multiplier } from "./lib/tasks.ts";
import { environment } from "godwit";
import { z } from "zod";
export const double = multiplier("double", 2);
export const other = multiplier("other", ${factor});
export const main = environment({ name: "made" }).task({ name: "main", output: z.array(z.int()) }, async () =>
  Promise.all([double({ x: 1 }), other({ x: 1 })]));
`;
  project.write("factory.ts", factory(5));
  assert.deepEqual((await run(["factory.ts", "main", "--data-dir", "factory"])).outputs, { o0: [2, 5] });
  project.write("factory.ts", factory(7));
  const { outputs, actions } = await run(["factory.ts", "main", "--data-dir", "factory"]);
  assert.deepEqual([outputs, actions.cached], [{ o0: [2, 7] }, 1]);
});
