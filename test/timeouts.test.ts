// Time that runs out, for every kind of work, with the real clock and the real processes.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { makeProject, makeTrial, type Project, type Trial } from "./project.ts";

let project: Project;
let trial: Trial;

before(() => {
  project = makeProject();
  project.copy("waits.ts");
});
after(() => project.remove());
beforeEach(() => {
  trial = makeTrial(project);
});
afterEach(() => trial.end());

async function outputsOf(task: string, ...options: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await project.run(
    ["run", "waits.ts", task, "--name", task, "--json", ...options],
    trial.env,
  );
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).outputs;
}

test("async work, a busy loop, a command with children and a condition end when their time is over", async () => {
  const ended = { asynchronous: "TimedOut", loop: "TimedOut", shell: "TimedOut", answer: "TimedOut" };
  assert.deepEqual(await outputsOf("timed"), { o0: ended });
  assert.ok(trial.bodies().includes("stopped true"), "the task's signal told it");
  await trial.noneLeft();
  const { stdout } = await project.run(["get", "actions", "timed", "--json"]);
  const rows: readonly { label: string; phase: string }[] = JSON.parse(stdout);
  assert.deepEqual(Object.fromEntries(rows.map(({ label, phase }) => [label, phase])), {
    timed: "succeeded",
    patient: "timed_out",
    brief: "timed_out",
    command: "timed_out",
    asksBriefly: "failed",
    approve: "timed_out",
  });
});

test("retries keep their distance, and the deadline of all of them together ends them", async () => {
  assert.deepEqual(await outputsOf("overdue"), { o0: "TimedOut" });
  const tries = trial.bodies().filter((line) => line.startsWith("flaky")).length;
  // A wait is between half and all of its 600 ms, and the deadline is at 3 s.
  assert.ok(tries >= 2 && tries <= 11, `${tries} tries`);
});

test("what finds no worker in time is not started, and who waits beside a busy loop still hears of it", async () => {
  assert.deepEqual(await outputsOf("crowded", "--workers", "1"), { o0: "TimedOut TimedOut" });
  assert.equal(trial.bodies().filter((line) => line.startsWith("leaf")).length, 0);
});

test("time in which the whole process was stopped counts, and nothing is confused by it", async () => {
  const { process, ended } = project.start(["run", "waits.ts", "timed", "--name", "paused", "--json"], trial.env);
  await trial.begun("patient");
  process.kill("SIGSTOP");
  // Another process can read meanwhile: no lock is held.
  assert.equal((await project.run(["get", "run", "paused"])).code, 0);
  process.kill("SIGCONT");
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).outputs.o0.loop, "TimedOut");
});
