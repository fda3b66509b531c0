// kill -9 of the server while Python tasks run: parents replay what they have, each run ends, and no process of
// theirs is left behind.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { flyteClient, succeeded } from "../flyte-client.ts";
import { until } from "../project.ts";
import { pythonEnvironment, type TestPython } from "../python.ts";
import { allEnded } from "./load.ts";
import { type ServerProcess, serverProcess } from "./process.ts";
import { ask } from "./service.ts";
import { place } from "./valid-requests.ts";

const count = 4;
const program = join(import.meta.dirname, "../fixtures/python/survivors.py");

/** Starts a run with Flyte's command line, which does not wait for its end. */
async function start(server: ServerProcess, python: TestPython, dir: string): Promise<string> {
  cpSync(program, join(dir, "survivors.py"));
  const endpoint = new URL(server.url).host.replace("127.0.0.1", "localhost");
  writeFileSync(
    join(dir, "config.yaml"),
    `admin:\n  endpoint: dns:///${endpoint}\n  insecure: true\ntask:\n  project: ${place.project}\n  domain: ${place.domain}\n`,
  );
  const journal = join(dir, "journal");
  writeFileSync(journal, "");
  const words = ["-c", "config.yaml", "run", "--name", "survivor", "survivors.py", "parent"];
  const ended = await flyteClient(python, {
    cwd: dir,
    env: { HOME: dir, NO_COLOR: "1", TERM: "dumb" },
    program: "flyte",
    words: [...words, "--journal", journal, "--count", String(count)],
  });
  succeeded("flyte run", ended);
  return journal;
}

const lines = (journal: string): readonly string[] => readFileSync(journal, "utf8").split("\n").filter(Boolean);

test("Python parents and children survive kills of the server, what had ended is not done again, and nothing is left", async (t) => {
  const python = pythonEnvironment(t);
  if (python === null) return;
  const server = await serverProcess({ GODWIT_PYTHON: python.python });
  t.after(() => server.remove());
  await server.start();
  const dir = mkdtempSync(join(tmpdir(), "godwit-survivor-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const journal = await start(server, python, dir);
  await until(() => lines(journal).includes("begun 0"), "the first child has begun", 60_000);
  await server.kill("SIGKILL");
  await until(() => server.processes().length === 0, "what it had started ends with it");
  await server.start();
  await until(() => lines(journal).includes("ended 1"), "one of the others has ended", 60_000);
  await server.kill("SIGKILL");
  await server.start();
  assert.deepEqual(await allEnded(server.url, 90_000), [["survivor", "ACTION_PHASE_SUCCEEDED"]]);

  const run = { org: "", ...place, name: "survivor" };
  const { body } = await ask(server.url, "dataproxy.DataProxyService/GetActionData", { actionId: { run, name: "a0" } });
  const { outputs } = body as { readonly outputs: unknown };
  assert.match(JSON.stringify(outputs), new RegExp(`"integer":"${count + 1 + 2 * (1 + 2 + 3) + 200}"`));
  const seen = lines(journal);
  assert.ok(seen.filter((line) => line === "parent").length >= 3, "the parent has been started for each life");
  assert.equal(seen.filter((line) => line === "ended 100").length, 1);
  assert.equal(seen.filter((line) => line === `measured ${count}`).length, 1, "a trace is not done again");
  for (const line of new Set(seen.filter((each) => each.startsWith("ended")))) {
    const times = seen.filter((each) => each === line).length;
    // Between a body's end and the commit of its result there is a moment; at a kill it is done again.
    assert.ok(times <= 2, `${line}: ${times} times`);
  }
  const listed = await ask(server.url, "workflow.RunService/ListActions", { runId: run, request: { limit: 100 } });
  const { actions } = listed.body as { readonly actions: readonly unknown[] };
  assert.equal(actions.length, 1 + 1 + 2 + (count - 1), "root, trace, and each child once");
  assert.equal(await server.kill("SIGTERM"), 0);
  await until(() => server.processes().length === 0, "no process is left");
});
