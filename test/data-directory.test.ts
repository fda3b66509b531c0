// Data directories that cannot be used: each is told as what it is, by every command, and left as it was.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.copy("waits.ts");
});
after(() => project.remove());

const start = ["run", "waits.ts", "asks", "--json"];
const commands = [start, ["resume", "x"], ["get", "runs"], ["cache", "ls"], ["abort", "x"], ["logs", "x"]];

async function expectAll(dataDir: string, exitCode: number, words: RegExp): Promise<void> {
  for (const command of commands) {
    const { code, stdout, stderr } = await project.run([...command, "--data-dir", dataDir]);
    assert.equal(code, exitCode, `${command.join(" ")}: ${stderr}`);
    assert.match(stderr, words);
    assert.doesNotMatch(stderr, /^ +at /m, "no stack of Godwit's own");
    if (command === start) assert.match(JSON.parse(stdout).error.message, words);
  }
  const doctor = await project.run(["doctor", "--data-dir", dataDir]);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, words);
}

test("a file in place of the data directory", async () => {
  const file = join(project.dir, "a-file");
  writeFileSync(file, "precious");
  await expectAll("a-file", 2, /a-file is a file, not a (data )?directory/);
  assert.equal(readFileSync(file, "utf8"), "precious");
});

test("a database that is none", async () => {
  mkdirSync(join(project.dir, "odd"));
  const file = join(project.dir, "odd", "godwit.db");
  const content = "This is a letter, and no database. ".repeat(1_000);
  writeFileSync(file, content);
  await expectAll("odd", 1, /odd\/godwit\.db is damaged or is not a Godwit database/);
  assert.equal(readFileSync(file, "utf8"), content);
});

test("a database of a newer version", async () => {
  assert.equal((await project.run(["run", "waits.ts", "asksBriefly", "--data-dir", "newer"])).code, 1);
  const database = new DatabaseSync(join(project.dir, "newer", "godwit.db"));
  database.exec("pragma user_version = 99");
  database.close();
  await expectAll("newer", 2, /has version 99, and this Godwit knows versions up to \d+\. Upgrade godwit/);
});

test("a place where none can be made", { skip: process.platform !== "linux" }, async () => {
  for (const dataDir of ["/proc/nowhere", "/proc/nowhere/below"]) {
    const { code, stderr } = await project.run([...start, "--data-dir", dataDir]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`The data directory ${dataDir} cannot be made: .* Choose another with --data-dir`));
  }
});

test("one is made with all that leads to it", async () => {
  const ended = await project.run(["run", "waits.ts", "asksBriefly", "--data-dir", "some/way/down"]);
  assert.equal(ended.code, 1);
  assert.equal(readFileSync(join(project.dir, "some", "way", "down", ".gitignore"), "utf8"), "*\n");
});

test("a directory to start in that does not exist any more", { skip: process.platform !== "linux" }, () => {
  const program = join(import.meta.dirname, "../bin/godwit.js");
  const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$1" get runs';
  const { status, stderr } = spawnSync("sh", ["-c", script, process.execPath, program], {
    cwd: project.dir,
    encoding: "utf8",
  });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /^error: The directory that this was started in does not exist any more/m);
  assert.doesNotMatch(stderr, /^ +at /m);
});
