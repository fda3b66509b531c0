// What `npm publish` would send, installed in a project of its own: no TypeScript sources, no clone beside it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const root = join(import.meta.dirname, "..");

const pipeline = `
import { environment, table, Table } from "godwit";
import { z } from "zod";

enum Unit { Metre = "m" }
const env = environment({ name: "packed" });
export const square = env.task({ name: "square", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => x * x);
export const main = env.task(
  { name: "main", input: z.object({ upTo: z.int() }), output: z.object({ sum: z.int(), rows: table({ x: z.int() }), unit: z.string() }) },
  async ({ upTo }) => {
    const squares: number[] = await Promise.all(Array.from({ length: upTo }, (_, x) => square({ x })));
    return { sum: squares.reduce((a, b) => a + b, 0), rows: Table.fromRows(squares.map((x) => ({ x }))), unit: Unit.Metre };
  },
);
`;

const unitTest = `
import assert from "node:assert/strict";
import { square } from "./pipeline.ts";
assert.equal(await square({ x: 3 }) satisfies number, 9);
// @ts-expect-error a word is no number
await assert.rejects(square({ x: "three" }));
`;

/** A project with the packed Godwit in its node_modules, and Godwit's dependencies beside it as npm would put them. */
function project(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "godwit-package-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [report] = JSON.parse(packed.slice(packed.indexOf("[\n"))) as readonly Packed[];
  assert.ok(report !== undefined);
  mkdirSync(join(folder, "node_modules/godwit"), { recursive: true });
  for (const entry of readdirSync(join(root, "node_modules")).filter((name) => !name.startsWith("."))) {
    symlinkSync(join(root, "node_modules", entry), join(folder, "node_modules", entry));
  }
  const archive = join(folder, report.filename);
  execFileSync("tar", ["-xzf", archive, "--strip-components=1", "-C", join(folder, "node_modules/godwit")]);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "pipeline.ts"), pipeline);
  writeFileSync(join(folder, "unit.ts"), unitTest);
  return { folder, report };
}

type Packed = {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
};

test("the package is small, runs pipelines (that of the README, too), and its types hold", (context) => {
  const { folder, report } = project(context);
  const strays = report.files.filter(
    ({ path }) => !/^(bin\/|dist\/|build\/idl\/|package\.json$|README\.md$|LICENSE$)/.test(path),
  );
  const tests = report.files.filter(({ path }) => /\.(test|suite|fixture)\./.test(path));
  assert.deepEqual([...strays, ...tests], []);
  // A third of it is the messages of Flyte's protocol.
  assert.ok(report.size < 1_200_000, `${report.size} bytes`);

  const { sum, rows, unit } = outputsOf(folder, ["pipeline.ts", "main", "--up-to", "4"]);
  assert.deepEqual([sum, (rows as { readonly rows: number }).rows, unit], [14, 4, "m"]);

  // Declarations are checked as well, since users may have `skipLibCheck` off.
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: "es2024",
        module: "nodenext",
        types: ["node"],
        allowImportingTsExtensions: true,
      },
      files: ["unit.ts"],
    }),
  );
  const types = spawnSync(join(root, "node_modules/.bin/tsc"), ["--project", "."], { cwd: folder, encoding: "utf8" });
  assert.equal(types.stdout, "");

  const [, readme] = /```ts\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  writeFileSync(join(folder, "readme.ts"), readme ?? "");
  assert.deepEqual(
    outputsOf(folder, ["readme.ts", "main", "--up-to", "100"]),
    { sum: 328_350 },
    "the pipeline of the README",
  );
});

function outputsOf(folder: string, words: readonly string[]): { readonly [name: string]: unknown } {
  const command = [join(folder, "node_modules/godwit/bin/godwit.js"), "run", ...words, "--json"];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  return JSON.parse(stdout).outputs;
}
