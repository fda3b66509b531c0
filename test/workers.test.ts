// Workers that die, by themselves or by another's hand, and what that costs the tasks in them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
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

test("a worker that is killed costs its task one of the system's retries, and who waits in it nothing", async () => {
  const { ended } = project.start(["run", "waits.ts", "tree", "--name", "tree", "--json"], trial.env);
  for (const gate of ["a", "b"]) {
    await trial.begun(`leaf-${gate} 1`);
    process.kill(trial.pidOf(`leaf-${gate} 1`), "SIGKILL");
    writeFileSync(join(project.dir, gate), "");
  }
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).outputs, { o0: "<a><b>" });
  const rows: readonly { label: string; action: string }[] = JSON.parse(
    (await project.run(["get", "actions", "tree", "--json"])).stdout,
  );
  const leaf = rows.find(({ label }) => label === "leaf");
  const shown = JSON.parse((await project.run(["get", "action", "tree", leaf?.action ?? "", "--json"])).stdout);
  assert.equal(shown.attempts[0].phase, "failed");
  assert.equal(shown.attempts[0].error.code, "WorkerLost");
  assert.equal(shown.attempts[0].error.kind, "system");
});

for (const [how, attempts, words] of [
  ["exit", 2, /process\.exit\(3\) at .*waits\.ts/],
  ["SIGKILL", 3, /killed by SIGKILL/],
  ["SIGSEGV", 3, /ended by SIGSEGV/],
  ["memory", 3, /ran out of JavaScript heap memory.*NODE_OPTIONS/],
] as const) {
  test(`a task that always ends its process (${how}) fails when its budget is spent, and says why`, async () => {
    const options = how === "memory" ? { ...trial.env, NODE_OPTIONS: "--max-old-space-size=40" } : trial.env;
    const { code, stdout, stderr } = await project.run(
      // With one worker nothing is alive while the retry is not due.
      ["run", "waits.ts", "dies", "--how", how, "--json", "--workers", "1"],
      options,
    );
    assert.equal(code, 1, stderr);
    const { error, phase } = JSON.parse(stdout);
    assert.equal(phase, "failed");
    assert.equal(error.attempt, attempts);
    assert.match(error.message, words);
    assert.equal(trial.bodies().filter((line) => line.startsWith("dies-")).length, attempts);
    await trial.noneLeft();
  });
}
