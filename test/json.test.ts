// What programs are promised: docs/json.md. Keys and their order, for every way in which a command can end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project, until } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.copy("cli.ts");
  project.write("in.txt", "text");
});
after(() => project.remove());

const page = readFileSync(join(import.meta.dirname, "..", "docs", "json.md"), "utf8");

/** The fields of a type that the page shows, in order. */
function promised(type: string): readonly string[] {
  const body = new RegExp(`^type ${type} = \\{\\n([\\s\\S]*?)^\\};`, "m").exec(page)?.[1];
  assert.ok(body !== undefined, `docs/json.md shows the type ${type}`);
  return [...body.matchAll(/^ {2}(\w+)[?]?:/gm)].map(([, name]) => name as string);
}

type Summary = {
  readonly run: string | null;
  readonly phase: string | null;
  readonly outputs: { readonly [name: string]: unknown } | null;
  readonly error: { readonly code: string; readonly action: string | null; readonly location: unknown } | null;
  readonly actions: { readonly [count: string]: number };
  readonly wallMs: number;
};

function summaryIn(stdout: string): Summary {
  assert.equal(stdout.trimEnd().split("\n").length, 1, stdout);
  const summary = JSON.parse(stdout) as Summary;
  assert.deepEqual(Object.keys(summary), ["run", "phase", "outputs", "error", "actions", "wallMs"]);
  assert.deepEqual(Object.keys(summary), promised("RunSummary"));
  assert.deepEqual(Object.keys(summary.actions), ["total", "succeeded", "cached", "recovered", "failed", "aborted"]);
  if (summary.error !== null) assert.deepEqual(Object.keys(summary.error), promised("RunError"));
  assert.ok(Number.isInteger(summary.wallMs) && summary.wallMs >= 0);
  return summary;
}

async function summary(code: number, ...args: string[]): Promise<Summary> {
  const ended = await project.run([...args, "--json"]);
  assert.equal(ended.code, code, ended.stderr + ended.stdout);
  return summaryIn(ended.stdout);
}

async function read(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await project.run([...args, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test("a run that succeeded, and the same shown once more", async () => {
  const first = await summary(0, "run", "cli.ts", "copy", "--text", "in.txt", "--name", "good");
  assert.equal(first.phase, "succeeded");
  assert.equal(first.error, null);
  assert.equal(first.outputs?.letters, 4);
  assert.deepEqual(Object.keys(first.outputs?.out as object), promised("FileValue"));
  const again = await summary(0, "resume", "good");
  assert.deepEqual({ ...again, wallMs: 0 }, { ...first, wallMs: 0 });
});

test("runs that failed and timed out name the action and the place", async () => {
  const failed = await summary(1, "run", "cli.ts", "outer", "--x", "1", "--name", "bad");
  assert.deepEqual([failed.run, failed.phase, failed.outputs], ["bad", "failed", null]);
  assert.deepEqual([failed.error?.code, failed.actions.failed], ["RangeError", 3]);
  assert.deepEqual(Object.keys(failed.error?.location as object), ["file", "line", "column"]);
  const { error, phase } = await summary(1, "rerun", "bad", "--recover");
  assert.deepEqual([error?.code, phase], ["RangeError", "failed"]);
  const late = await summary(1, "run", "cli.ts", "late");
  assert.deepEqual([late.phase, late.error?.action, late.actions.failed], ["timed_out", "a0", 1]);
});

test("wrong usage gives the same object without a run", async () => {
  const mistakes = [
    ["run"],
    ["run", "cli.ts", "copi"],
    ["run", "cli.ts", "copy"],
    ["run", "nope.ts"],
    ["run", "cli.ts", "copy", "--workers", "many"],
    ["run", "cli.ts", "copy", "--text", "in.txt", "--name", "Not Allowed"],
    ["resume", "nobody"],
    ["resume"],
    ["resume", "good", "--nope"],
    ["rerun", "nobody"],
  ];
  for (const mistake of mistakes) {
    const { run, phase, error, actions } = await summary(2, ...mistake);
    assert.deepEqual([run, phase, actions.total], [null, null, 0], mistake.join(" "));
    assert.ok(["invalid_argument", "not_found"].includes(error?.code ?? ""), mistake.join(" "));
  }
});

test("a run that was interrupted is resumed, and aborted to its end", async () => {
  const waiting = async (): Promise<boolean> => {
    const { code, stdout } = await project.run(["get", "actions", "asking", "--phase", "paused", "--json"]);
    return code === 0 && JSON.parse(stdout).length === 1;
  };
  const first = project.start(["run", "cli.ts", "ask", "--name", "asking", "--json"]);
  await until(waiting, "the condition waits");
  first.process.kill("SIGINT");
  const interrupted = await first.ended;
  assert.equal(interrupted.code, 130);
  const { run, phase, error, actions } = summaryIn(interrupted.stdout);
  assert.deepEqual([run, phase, error?.code, actions.total], ["asking", "running", "canceled", 2]);
  const resumed = project.start(["resume", "asking", "--json"]);
  await until(
    async () => ((await read("get", "run", "asking")) as { isServed: boolean }).isServed,
    "it is served again",
  );
  await read("abort", "asking", "--reason", "enough");
  const ended = await resumed.ended;
  assert.equal(ended.code, 1, ended.stderr);
  const aborted = summaryIn(ended.stdout);
  assert.deepEqual([aborted.phase, aborted.outputs, aborted.actions.aborted], ["aborted", null, 2]);
  assert.match(ended.stderr, /enough/);
});

test("what is read has the shapes of the page", async () => {
  const first = (list: unknown): object => (list as object[])[0] as object;
  assert.deepEqual(Object.keys(first(await read("get", "runs"))), promised("RunRecord"));
  assert.deepEqual(Object.keys((await read("get", "run", "good")) as object), [
    ...promised("RunRecord"),
    ...promised("RunDetails"),
  ]);
  assert.deepEqual(Object.keys(first(await read("get", "actions", "bad"))), promised("ActionRecord"));
  assert.deepEqual(Object.keys((await read("get", "action", "good", "copy")) as object), [
    ...promised("ActionRecord"),
    ...promised("ActionDetails"),
  ]);
  assert.deepEqual(Object.keys(first(await read("get", "tasks"))), promised("TaskRecord"));
  assert.deepEqual(Object.keys((await read("get", "task", "copy")) as object), [...promised("TaskRecord"), "spec"]);
  assert.deepEqual(Object.keys((await read("why", "good")) as object), promised("CacheExplanation"));
  assert.deepEqual(Object.keys((await read("doctor")) as object), promised("DoctorReport"));
  await summary(0, "run", "cli.ts", "talk", "--name", "talked");
  assert.deepEqual(
    Object.keys(
      (await project
        .run(["logs", "talked", "--json"])
        .then(({ stdout }) => JSON.parse(stdout.split("\n")[0] ?? ""))) as object,
    ),
    promised("LogRecord"),
  );
});
