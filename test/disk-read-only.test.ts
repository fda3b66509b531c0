// A disk that has been mounted read-only under a data directory: all that was told before can still be
// read, also what a killed process had only in the database's log; whatever needs to write says why not.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project, until } from "./project.ts";

let project: Project;
let refused: string | null;
const mount = (...args: readonly string[]): string | null => {
  const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
  return status === 0 ? null : (error?.message ?? stderr.trim());
};
let disk: string;

before(() => {
  project = makeProject();
  project.copy("waits.ts");
  project.copy("doctor.ts");
  disk = join(project.dir, "disk");
  mkdirSync(disk);
  refused = process.platform === "linux" ? mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", disk) : "not Linux";
});
after(() => {
  if (refused === null) spawnSync("umount", [disk]);
  project.remove();
});

const godwit = (...args: readonly string[]) => project.run([...args, "--data-dir", "disk/data"]);

test("what was told can be read on a read-only disk, and what would write says why it cannot", async (t) => {
  if (refused !== null) return t.skip(`SKIPPED: no disk can be mounted here (${refused})`);
  const done = await godwit("run", "doctor.ts", "main", "--name", "done", "--json");
  assert.equal(done.code, 0, done.stderr);
  // Killed: what it committed is in the log of the database alone.
  const killed = project.start(["run", "waits.ts", "asks", "--name", "killed", "--data-dir", "disk/data"]);
  await until(async () => /paused/.test((await godwit("get", "actions", "killed", "--json")).stdout), "it waits");
  killed.process.kill("SIGKILL");
  await killed.ended;
  const log = join(disk, "data", "godwit.db-wal");
  await until(() => mount("-o", "remount,ro", disk) === null, "nothing writes there any more");
  assert.ok(statSync(log).size > 0);

  const runs = await godwit("get", "runs", "--json");
  assert.deepEqual(
    JSON.parse(runs.stdout).map(({ run }: { run: string }) => run),
    ["killed", "done"],
    runs.stderr,
  );
  assert.match((await godwit("get", "actions", "killed")).stdout, /approve .*waiting/);
  const written = await godwit("get", "output", "done", "one", "--to", "one.txt");
  assert.equal(written.code, 0, written.stderr);
  assert.equal(readFileSync(join(project.dir, "one.txt"), "utf8"), "the file of one");

  for (const command of [
    ["run", "doctor.ts", "main"],
    ["resume", "killed"],
    ["abort", "killed"],
    ["cache", "rm", "--all"],
  ]) {
    const { code, stderr } = await godwit(...command);
    assert.equal(code, 1, `${command[0]}: ${stderr}`);
    assert.match(stderr, /read-only file system.*Mount it writable/);
    assert.doesNotMatch(stderr, /^ +at /m);
  }
  const doctor = await godwit("doctor");
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /✗ data directory.*read-only[\s\S]*✓ database +sound[\s\S]*✓ blobs/);
  assert.equal((await godwit("doctor", "--repair")).code, 1);

  assert.equal(mount("-o", "remount,rw", disk), null);
  const aborted = await godwit("abort", "killed");
  assert.equal(aborted.code, 0, aborted.stderr);
  assert.deepEqual(
    readdirSync(join(disk, "data")).filter((name) => name === "damaged"),
    [],
  );
});
