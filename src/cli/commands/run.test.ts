// The command as people start it: processes of its own, on a project of its own.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, test } from "node:test";

const root = join(import.meta.dirname, "../../..");
const project = mkdtempSync(join(tmpdir(), "godwit-cli-"));
after(() => rmSync(project, { recursive: true, force: true }));

writeFileSync(join(project, "package.json"), '{ "type": "module" }');
symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
writeFileSync(join(project, "people.csv"), "name,mass\n007,3\nbob,4\n");
writeFileSync(
  join(project, "pipeline.ts"),
  `import { condition, environment, file, File, table } from "godwit";
import { z } from "zod";
const env = environment({ name: "demo" });
export const square = env.task(
  { name: "square", description: "Squares a number.", input: z.object({ x: z.int().describe("any number") }), output: z.int(), cache: "auto" },
  async ({ x }) => { console.log("squaring " + x); return x * x; },
);
export const broken = env.task({ name: "broken", input: z.object({ x: z.int() }) }, async ({ x }) => {
  throw new TypeError("no good: " + x);
});
export const fails = env.task({ name: "fails", input: z.object({ x: z.int() }) }, async ({ x }) => { await broken({ x }); });
export const ask = env.task({ name: "ask", output: z.boolean() }, async () => condition({ name: "approve", type: "boolean", prompt: "Ship it?" }));
export const heaviest = env.task(
  { name: "heaviest", input: z.object({ people: table({ name: z.string(), mass: z.number() }) }), output: z.object({ report: file(), people: table() }) },
  async ({ people }) => {
    const rows = await people.rows();
    return { report: File.fromText("report.txt", rows.map(({ name, mass }) => name + ":" + mass / 2).join()), people };
  },
);
export const main = env.task(
  { name: "main", input: z.object({ upTo: z.int().min(1), tags: z.array(z.string()).default([]) }), output: z.object({ sum: z.int(), tags: z.array(z.string()) }) },
  async ({ upTo, tags }) => {
    const squares = await Promise.all(Array.from({ length: upTo }, (_, x) => square({ x })));
    return { sum: squares.reduce((a, b) => a + b, 0), tags };
  },
);
`,
);

type Said = { readonly code: number | null; readonly out: string; readonly err: string };

class Command {
  readonly process: ChildProcess;
  readonly ended: Promise<Said>;
  #out = "";
  #err = "";

  constructor(argv: readonly string[], dataDir: string) {
    const env = { ...process.env, GODWIT_DATA_DIR: join(project, dataDir) };
    this.process = spawn(process.execPath, [join(root, "bin/godwit.js"), ...argv], { cwd: project, env });
    this.process.stdout?.on("data", (chunk) => {
      this.#out += String(chunk);
    });
    this.process.stderr?.on("data", (chunk) => {
      this.#err += String(chunk);
    });
    this.ended = new Promise((resolve) => {
      this.process.on("close", (code) => resolve({ code, out: this.#out, err: this.#err }));
    });
  }

  /** Resolves once it has printed that. */
  says(text: string): Promise<void> {
    return this.#prints(text, this.process.stdout, () => this.#out);
  }

  /** The same, of what goes to stderr. */
  tells(text: string): Promise<void> {
    return this.#prints(text, this.process.stderr, () => this.#err);
  }

  async #prints(text: string, stream: Readable | null, said: () => string): Promise<void> {
    while (!said().includes(text)) {
      const printed = new Promise((resolve) => stream?.once("data", resolve));
      const ended = await Promise.race([printed.then(() => false), this.ended.then(() => true)]);
      if (ended && !said().includes(text)) assert.fail(`it ended without ${text}:\n${this.#out}\n${this.#err}`);
    }
  }
}

const godwit = (...argv: string[]): Promise<Said> => new Command(argv, ".godwit").ended;

test("run --json prints one object; the second time the calls come from the cache", async () => {
  const first = await godwit("run", "pipeline.ts", "--up-to", "4", "--tags", "a", "--tags", "b", "--json");
  assert.equal(first.code, 0, first.err);
  const summary = JSON.parse(first.out) as { [field: string]: unknown };
  assert.deepEqual(Object.keys(summary), ["run", "phase", "outputs", "error", "actions", "wallMs"]);
  assert.deepEqual(summary.outputs, { sum: 14, tags: ["a", "b"] });
  assert.deepEqual(summary.actions, { total: 5, succeeded: 5, cached: 0, recovered: 0, failed: 0, aborted: 0 });
  assert.match(first.err, /square x=3 │ squaring 3/);

  const second = await godwit("run", "pipeline.ts", "main", "--inputs", '{"upTo": 4}', "--json", "--quiet");
  assert.equal((JSON.parse(second.out) as { actions: { cached: number } }).actions.cached, 4);
  assert.equal(second.err, "");
});

test("a failed run ends with 1, and says which task, where in the user's file, and what to do", async () => {
  const { code, err, out } = await godwit("run", "pipeline.ts", "fails", "--x", "7", "--name", "unlucky");
  assert.equal(code, 1);
  assert.match(err, /broken failed: TypeError: no good: 7/);
  assert.match(err, /at pipeline\.ts:9:9/);
  assert.match(err, /godwit rerun unlucky --recover/);
  assert.ok(!/src\/(worker|sdk|engine)/.test(err + out), err);
  const shown = await godwit("get", "action", "unlucky", "broken", "--json");
  assert.equal((JSON.parse(shown.out) as { error: { code: string } }).error.code, "TypeError");
});

test("wrong inputs are all told at once, and no run is made", async () => {
  const { code, err } = await new Command(["run", "pipeline.ts", "main", "--upto", "1", "--tags"], "none").ended;
  assert.equal(code, 2);
  assert.match(err, /unknown option --upto\. Did you mean/);
  assert.match(err, /--tags needs a value/);
  assert.match(err, /--up-to is missing: expected integer/);
  const schema = await new Command(["run", "pipeline.ts", "main", "--up-to", "0"], "none").ended;
  assert.equal(schema.code, 2);
  assert.match(schema.err, /upTo.*>=1/);
  const task = await new Command(["run", "pipeline.ts", "man"], "none").ended;
  assert.match(task.err, /There is no task "man".*Did you mean "main"/);
  assert.equal((await new Command(["get", "runs"], "none").ended).out, "No runs.\n");
});

test("the inputs of a task are told without leaving a data directory", async () => {
  const { code, out } = await new Command(["run", "pipeline.ts", "square", "--help"], "unborn").ended;
  assert.equal(code, 0);
  assert.match(out, /Squares a number\.[\s\S]*--x <integer> {2}any number \(integer; required\)/);
  assert.equal(existsSync(join(project, "unborn")), false);
});

test("tables and files go in and come out by path", async () => {
  const { code, err } = await godwit("run", "pipeline.ts", "heaviest", "--people", "people.csv", "--name", "weights");
  assert.equal(code, 0, err);
  const report = join(project, "out", "report.txt");
  assert.equal((await godwit("get", "output", "weights", "report", "--to", report)).code, 0);
  assert.equal(readFileSync(report, "utf8"), "007:1.5,bob:2");
  const csv = join(project, "out", "people.csv");
  await godwit("get", "output", "weights", "people", "--to", csv);
  assert.equal(readFileSync(csv, "utf8"), readFileSync(join(project, "people.csv"), "utf8"));
});

test("Ctrl-C leaves a run that can be resumed; another process answers what it waits for", async () => {
  const run = new Command(["run", "pipeline.ts", "ask", "--name", "careful"], ".godwit");
  await run.says("Ship it? (boolean). Answer with: godwit signal careful approve true");
  run.process.kill("SIGINT");
  const stopped = await run.ended;
  assert.equal(stopped.code, 130);
  assert.match(stopped.err, /godwit resume careful/);

  const resumed = new Command(["run", "pipeline.ts", "ask", "--name", "careful"], ".godwit");
  await resumed.says("(resumed)");
  const answered = await godwit("signal", "careful", "approve", "true");
  assert.equal(answered.code, 0, answered.err);
  const { code, out } = await resumed.ended;
  assert.equal(code, 0);
  assert.match(out, /^true$/m);
  const other = await godwit("run", "pipeline.ts", "square", "--x", "1", "--name", "careful");
  assert.equal(other.code, 2);
  assert.match(other.err, /already a run "careful"/);
});

test("Ctrl-C of a process that only follows a run leaves the run to the one that serves it", async () => {
  const run = new Command(["run", "pipeline.ts", "ask", "--name", "shared"], ".godwit");
  await run.says("Answer with");
  const follower = new Command(["resume", "shared", "--json"], ".godwit");
  await follower.tells("another process serves it");
  follower.process.kill("SIGINT");
  const { code, out, err } = await follower.ended;
  assert.equal(code, 130);
  assert.match(err, /goes on in the process that serves it.*godwit abort shared/);
  assert.doesNotMatch(err, /godwit resume/);
  const summary = JSON.parse(out) as { phase: string; actions: { total: number }; wallMs: number };
  assert.equal(summary.phase, "running");
  assert.equal(summary.actions.total, 2);
  assert.ok(summary.wallMs > 0);
  await godwit("signal", "shared", "approve", "false");
  assert.match((await run.ended).out, /^false$/m);
});

test("what a task printed is shown before the line that says how it ended", async () => {
  // A data directory of its own: nothing comes from the cache.
  const { out, code } = await new Command(["run", "pipeline.ts", "--up-to", "3"], "ordered").ended;
  assert.equal(code, 0);
  const lines = out.split("\n");
  for (const x of [0, 1, 2]) {
    const printed = lines.findIndex((line) => line.includes(`squaring ${x}`));
    const ended = lines.findIndex((line) => new RegExp(`✓ square x=${x} \\w+ succeeded`).test(line));
    assert.ok(printed !== -1 && printed < ended, out);
  }
  assert.ok(
    lines.findIndex((line) => line.includes("✓ main succeeded")) >
      lines.findLastIndex((line) => line.includes("✓ square")),
  );
});

test("a run that nobody serves is aborted to its end", async () => {
  const run = new Command(["run", "pipeline.ts", "ask", "--name", "left"], ".godwit");
  await run.says("Answer with");
  run.process.kill("SIGKILL");
  await run.ended;
  const { out } = await godwit("doctor");
  assert.match(out, /left \(demo\.ask\) was interrupted[\s\S]*godwit resume left/);
  assert.equal((await godwit("abort", "left", "--reason", "no need")).code, 0);
  const { out: shown } = await godwit("get", "run", "left", "--json");
  const record = JSON.parse(shown) as { phase: string; actions: unknown; abortReason: string };
  assert.deepEqual([record.phase, record.abortReason, record.actions], ["aborted", "no need", { aborted: 2 }]);
});
