// A disk that is full, of a size that a test can fill: nothing acknowledged is lost, and when there is
// room again the run goes on.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

let project: Project;
const mounted: string[] = [];

before(() => {
  project = makeProject();
  project.copy("full.ts");
});
after(() => {
  for (const path of mounted) spawnSync("umount", [path]);
  project.remove();
});

/** Null if it was done, else why not. */
function mount(...args: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}

function smallDisk(name: string, size: string): { readonly path: string; readonly refused: string | null } {
  const path = join(project.dir, name);
  mkdirSync(path, { recursive: true });
  const refused =
    process.platform === "linux" ? mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path) : "not Linux";
  if (refused === null) mounted.push(path);
  return { path, refused };
}

const enlarge = (path: string): void => assert.equal(mount("-o", "remount,size=64m", path), null);

const actionsOf = async (run: string, dataDir: string): Promise<readonly { action: string; phase: string }[]> => {
  const { stdout } = await project.run(["get", "actions", run, "--json", "--limit", "5000", "--data-dir", dataDir]);
  return JSON.parse(stdout);
};

test("a run that fills the disk ends with words for it, and goes on when there is room", async (t) => {
  const { path, refused } = smallDisk("disk", "6m");
  if (refused !== null) return t.skip(`SKIPPED: no small disk can be mounted here (${refused})`);
  const dataDir = join(path, "data");
  const full = await project.run([
    "run",
    "full.ts",
    "rows",
    "--count",
    "3000",
    "--name",
    "full",
    "--json",
    "--data-dir",
    dataDir,
  ]);
  assert.equal(full.code, 1, full.stderr);
  assert.equal(JSON.parse(full.stdout).error.code, "resource_exhausted");
  assert.match(full.stderr, /error: There is no space left.*godwit resume/);
  assert.doesNotMatch(full.stderr, /^ +at /m);

  const doctor = await project.run(["doctor", "--json", "--data-dir", dataDir]);
  assert.equal(doctor.code, 1);
  const findings: readonly { check: string; verdict: string }[] = JSON.parse(doctor.stdout).findings;
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict === "problem").map(({ check }) => check),
    ["free space"],
  );

  const before = (await actionsOf("full", dataDir)).filter(({ phase }) => phase === "succeeded");
  assert.ok(before.length > 0, "something had succeeded");
  enlarge(path);
  const { code, stdout, stderr } = await project.run(["resume", "full", "--json", "--data-dir", dataDir]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).outputs, { o0: 3_000 * 2_000 });
  const attempts = new Map((await actionsOf("full", dataDir)).map((action) => [action.action, action]));
  assert.ok(before.every((action) => JSON.stringify(attempts.get(action.action)) === JSON.stringify(action)));
});

test("a disk that is full before anything has started is told, and leaves nothing in the way", async (t) => {
  const { path, refused } = smallDisk("tiny", "64k");
  if (refused !== null) return t.skip(`SKIPPED: no small disk can be mounted here (${refused})`);
  const dataDir = join(path, "data");
  const args = ["run", "full.ts", "rows", "--count", "50", "--name", "first", "--json", "--data-dir", dataDir];
  const full = await project.run(args);
  assert.equal(full.code, 1, full.stderr);
  assert.match(full.stderr, /error: .*no space left/i);
  enlarge(path);
  const again = await project.run(args);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(JSON.parse(again.stdout).phase, "succeeded");
});

test("where only files have no room, their task fails on the system's account and recovering goes on", async (t) => {
  const { path, refused } = smallDisk(join("data", "blobs"), "1m");
  if (refused !== null) return t.skip(`SKIPPED: no small disk can be mounted here (${refused})`);
  const dataDir = join(project.dir, "data");
  const full = await project.run([
    "run",
    "full.ts",
    "files",
    "--count",
    "30",
    "--name",
    "full",
    "--json",
    "--data-dir",
    dataDir,
  ]);
  assert.equal(full.code, 1, full.stderr);
  const { error, actions } = JSON.parse(full.stdout);
  assert.equal(error.code, "ResourceExhausted");
  assert.match(
    error.message,
    /The disk is full: no space left to write [^:]+\. Free some space there, then try again\.$/,
  );
  assert.equal(error.attempt, 2, "it was tried again, at the system's expense");
  enlarge(path);
  const recovered = await project.run(["rerun", "full", "--recover", "--json", "--data-dir", dataDir]);
  assert.equal(recovered.code, 0, recovered.stderr);
  const result = JSON.parse(recovered.stdout);
  assert.deepEqual(result.outputs, { o0: 30 * 64 * 1024 });
  assert.equal(result.actions.recovered, actions.succeeded);
});
