// The command line as a whole, as far as no run is needed: help, mistakes, exit codes.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { command } from "./main.ts";
import { runArguments } from "./run-arguments.ts";

/** What a command says in a directory of its own. */
async function said(...argv: string[]): Promise<{ code: number; out: string; err: string; hasDataDir: boolean }> {
  const cwd = mkdtempSync(join(tmpdir(), "godwit-cli-"));
  try {
    writeFileSync(join(cwd, "package.json"), "{}");
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const code = await command(argv, { stdout, stderr, stdin: Readable.from([]), env: {}, cwd });
    const hasDataDir = existsSync(join(cwd, ".godwit"));
    return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? ""), hasDataDir };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

test("help names every command and ends well", async () => {
  const { code, out } = await said("--help");
  assert.equal(code, 0);
  for (const word of ["run", "resume", "rerun", "dev", "get", "logs", "abort", "signal", "cache", "why", "doctor"]) {
    assert.match(out, new RegExp(`^  ${word} `, "m"));
  }
  assert.ok(out.trimEnd().split("\n").length < 36, "it fits one screen");
  assert.ok(out.split("\n").every((line) => line.length <= 110));
});

test("every command has help with a description and examples or options", async () => {
  const commands = [
    ["run"],
    ["resume"],
    ["rerun"],
    ["get", "runs"],
    ["get", "run"],
    ["get", "actions"],
    ["get", "action"],
  ];
  const more = [
    ["get", "output"],
    ["get", "report"],
    ["get", "task"],
    ["get", "tasks"],
    ["logs"],
    ["abort"],
    ["signal"],
    ["cache", "ls"],
    ["cache", "rm"],
    ["why"],
    ["doctor"],
  ];
  for (const words of [...commands, ...more]) {
    const { code, out } = await said(...words, "--help");
    assert.equal(code, 0, words.join(" "));
    assert.match(out, new RegExp(`Usage: godwit ${words.join(" ")}`));
    for (const option of ["--json", "--data-dir", "--project", "--domain"])
      assert.ok(out.includes(option), `${words.join(" ")} ${option}`);
  }
});

test("the version is that of the package", async () => {
  const { code, out } = await said("--version");
  assert.equal(code, 0);
  assert.match(out, /^\d+\.\d+\.\d+\n$/);
});

test("a mistyped command or option is wrong usage, with what was meant", async () => {
  const wrong = await said("rnu");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /unknown command 'rnu'[\s\S]*Did you mean/);
  const flag = await said("get", "runs", "--limt", "3");
  assert.equal(flag.code, 2);
  assert.match(flag.err, /--limt[\s\S]*--limit/);
  assert.equal((await said("get", "runs", "--limit", "many")).code, 2);
  assert.equal((await said("resume")).code, 2);
});

test("a file that is not there is wrong usage", async () => {
  const { code, err } = await said("run", "pipelin.ts");
  assert.equal(code, 2);
  assert.match(err, /There is no file .*pipelin\.ts/);
  assert.equal((await said("run")).code, 2);
});

test("with --json a failure is one object on stdout, too", async () => {
  const { out } = await said("run", "pipelin.ts", "--json");
  const summary = JSON.parse(out) as { run: null; error: { code: string }; actions: { total: number } };
  assert.equal(summary.run, null);
  assert.equal(summary.error.code, "not_found");
  assert.equal(summary.actions.total, 0);
});

test("commands that only read make no data directory", async () => {
  const commands = [
    ["get", "runs"],
    ["get", "run", "x"],
    ["logs", "x"],
    ["why", "x"],
    ["abort", "x"],
    ["cache", "ls"],
    ["resume", "x"],
    ["rerun", "x"],
  ];
  for (const words of commands) {
    const { code, err, hasDataDir } = await said(...words);
    assert.equal(code, 2, words.join(" "));
    assert.match(err, /There is no data directory .*\.godwit/);
    assert.equal(hasDataDir, false);
  }
  const healthy = await said("doctor");
  assert.equal(healthy.code, 0);
  assert.equal(healthy.hasDataDir, false);
});

test("a task is named right after its file, and flags follow", () => {
  assert.deepEqual(runArguments(["f.ts", "main", "--depth", "3"]), {
    file: "f.ts",
    task: "main",
    inputs: ["--depth", "3"],
  });
  assert.deepEqual(runArguments(["f.ts", "--depth", "3"]), { file: "f.ts", task: null, inputs: ["--depth", "3"] });
  assert.throws(() => runArguments(["--depth", "3"]), /Which file/);
});
