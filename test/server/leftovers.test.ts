// What a server leaves in its data directory, seen by the commands that read it without one.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { makeProject } from "../project.ts";
import { ask, startService } from "./service.ts";
import { napInputs, napSpec, prepare, runId } from "./valid-requests.ts";

/** A run that has ended and one that has not, of tasks of other SDKs; nobody serves them any more. */
async function leftBehind(t: TestContext) {
  const service = await startService(t);
  for (const [method, request] of (await prepare(service)).filter(([method]) => !/Watch|TailLogs/.test(method)))
    await ask(service.url, method, request);
  const short = { runId: { ...runId, name: "short" }, taskSpec: napSpec(), inputs: napInputs("0.001s") };
  await ask(service.url, "workflow.RunService/CreateRun", short);
  for (let phase = ""; phase !== "ACTION_PHASE_SUCCEEDED"; ) {
    const { body } = await ask(service.url, "workflow.RunService/GetRunDetails", { runId: short.runId });
    phase = (body as { details: { action: { status: { phase: string } } } }).details.action.status.phase;
  }
  await service.close();
  const project = makeProject();
  t.after(() => project.remove());
  const godwit = (...args: readonly string[]) =>
    project.run([...args, "--data-dir", service.dataDir, "--project", "flytesnacks"]);
  return { godwit };
}

test("runs of other SDKs' tasks are shown as they are, found whole, and not taken over where nothing can run them", async (t) => {
  const { godwit } = await leftBehind(t);
  const doctor = await godwit("doctor", "--json");
  const { findings } = JSON.parse(doctor.stdout) as { readonly findings: readonly { readonly verdict: string }[] };
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict === "problem"),
    [],
  );
  assert.equal(doctor.code, 0);

  assert.match((await godwit("get", "runs")).stdout, /✓ short +env\.nap +succeeded/);
  const { stdout: run } = await godwit("get", "run", "run1");
  assert.match(run, /^task: +env\.nap$/m);
  assert.match(run, /^ +duration +1h$/m);
  assert.doesNotMatch(run, /^file:/m);
  assert.match((await godwit("get", "actions", "run1")).stdout, /q1 +condition +succeeded/);
  assert.equal((await godwit("why", "short")).code, 0);
  assert.equal((await godwit("logs", "short")).code, 0);
  assert.match((await godwit("get", "tasks")).stdout, /env\.all/);

  for (const command of [
    ["resume", "run1"],
    ["rerun", "short"],
    ["rerun", "short", "--recorded-code"],
  ]) {
    const { code, stderr } = await godwit(...command);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /was started on a server.*godwit dev, or godwit server/);
  }
  assert.equal((await godwit("abort", "run1")).code, 0);
  assert.match((await godwit("get", "runs")).stdout, /⊘ run1 +env\.nap +aborted/);
});
