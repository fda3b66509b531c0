// kill -9 of the server under load, and its orderly end: whatever was acknowledged exists, and each run ends, once.
//
//   GODWIT_LOAD=40:50:6     more of it: clients, runs each, kills. `npm run test:server`
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { makeProject, until } from "../project.ts";
import { allEnded, isNamed, listRuns, nameOf, percentile, startRuns } from "./load.ts";
import { type ServerProcess, serverProcess } from "./process.ts";
import { ask } from "./service.ts";
import { runId } from "./valid-requests.ts";

const [clients = 8, runsEach = 10, kills = 2] = (process.env.GODWIT_LOAD ?? "").split(":").filter(Boolean).map(Number);

async function opened(t: TestContext): Promise<ServerProcess> {
  const server = await serverProcess();
  t.after(() => server.remove());
  await server.start();
  return server;
}

/** Every run that was acknowledged, or has a name that was asked for, once; and no others but nameless ones. */
function assertComplete(runs: readonly (readonly [string, string])[], acknowledged: readonly string[]): void {
  const names = runs.map(([name]) => name);
  assert.equal(new Set(names).size, names.length, "each is there once");
  const there = new Set(names);
  assert.deepEqual(
    acknowledged.filter((name) => !there.has(name)),
    [],
    "what was acknowledged is there",
  );
  const asked = Array.from({ length: clients }, (_, client) =>
    Array.from({ length: runsEach }, (_, at) => at)
      .filter(isNamed)
      .map((at) => nameOf(client, at)),
  ).flat();
  assert.deepEqual(
    asked.filter((name) => !there.has(name)),
    [],
  );
  assert.ok(names.filter((name) => /^c\d+-\d+$/.test(name)).length === asked.length);
  assert.deepEqual(
    runs.filter(([, phase]) => phase !== "ACTION_PHASE_SUCCEEDED"),
    [],
    "each has succeeded",
  );
}

/** Nothing is held any more, nothing is damaged, and no process is left. */
async function assertClean(server: ServerProcess): Promise<void> {
  await until(() => server.processes().length === 0, "all of its processes have ended");
  const project = makeProject();
  try {
    const { code, stdout } = await project.run([
      "doctor",
      "--json",
      "--project",
      "flytesnacks",
      "--data-dir",
      server.dataDir,
    ]);
    const { findings } = JSON.parse(stdout) as {
      findings: readonly { readonly verdict: string; readonly text: string }[];
    };
    assert.deepEqual(
      findings.filter(({ verdict, text }) => verdict === "problem" && !/free/.test(text)),
      [],
    );
    assert.ok(
      findings.some(({ text }) => text === "none unfinished"),
      stdout,
    );
    assert.ok(
      findings.some(({ text }) => /^0 other live processes/.test(text)),
      stdout,
    );
    assert.equal(code, 0, stdout);
  } finally {
    project.remove();
  }
}

test(`the server is killed ${kills} times while ${clients} clients start ${runsEach} runs each: none is lost, none is there twice`, async (t) => {
  const server = await opened(t);
  const load = startRuns(server.url, { clients, runsEach, napMs: 30 });
  let isOver = false;
  void load.finally(() => {
    isOver = true;
  });
  let done = 0;
  for (; done < kills && !isOver; done++) {
    const before = (await listRuns(server.url)).length;
    const share = Math.min(before + (clients * runsEach) / (kills + 1) / 2, clients * runsEach);
    await until(async () => isOver || (await listRuns(server.url)).length >= share, "some have begun", 60_000);
    assert.equal(await server.kill("SIGKILL"), null);
    await server.start();
  }
  const { acknowledged, latenciesMs, repeated, refused } = await load;
  assert.deepEqual(refused, []);
  assert.equal(acknowledged.length, clients * runsEach);
  assertComplete(await allEnded(server.url, 60_000), acknowledged);
  t.diagnostic(
    `${done} kills, ${repeated} requests repeated, CreateRun p50 ${Math.round(percentile(latenciesMs, 0.5))} ms, p99 ${Math.round(percentile(latenciesMs, 0.99))} ms`,
  );
  assert.equal(await server.kill("SIGTERM"), 0);
  await assertClean(server);
});

test("told to end under load, it answers what it has begun, refuses the rest with unavailable, and goes on when started again", async (t) => {
  const server = await opened(t);
  const load = startRuns(server.url, { clients, runsEach, napMs: 20 });
  await until(async () => (await listRuns(server.url)).length >= clients, "some have begun");
  assert.equal(await server.kill("SIGTERM"), 0);
  await until(() => server.processes().length === 0, "all of its processes have ended");
  await server.start();
  const { acknowledged, refused } = await load;
  assert.deepEqual(refused, []);
  assertComplete(await allEnded(server.url, 60_000), acknowledged);
  assert.equal(await server.kill("SIGTERM"), 0);
  assert.doesNotMatch(server.said(), /should not have/);
  await assertClean(server);
});

test("the same name after a kill is answered with the same run, and other inputs under it are refused", async (t) => {
  const server = await opened(t);
  const { acknowledged } = await startRuns(server.url, { clients: 1, runsEach: 1, napMs: 60_000 });
  await server.kill("SIGKILL");
  await server.start();
  const again = await startRuns(server.url, { clients: 1, runsEach: 1, napMs: 60_000 });
  assert.deepEqual(again.acknowledged, acknowledged);
  const { refused } = await startRuns(server.url, { clients: 1, runsEach: 1, napMs: 1 });
  assert.match(refused.join(), /^already_exists: .*other inputs/);
  const abort = { runId: { ...runId, name: nameOf(0, 0) }, reason: "enough" };
  assert.equal((await ask(server.url, "workflow.RunService/AbortRun", abort)).code, "ok");
  await allEnded(server.url, 10_000);
});
