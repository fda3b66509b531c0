// kill -9 of the process that runs `godwit run`, at random moments, then `godwit resume`, until it is
// done: the same outputs as without, no attempt's body twice, and no process left behind.
//
// GODWIT_KILLS sets how many runs are killed; the seed that is printed repeats a trial.
import assert from "node:assert/strict";
import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { randomFrom } from "../../src/sdk/context.ts";
import { makeProject, type Project, processesWith, until } from "../project.ts";

const trials = Number(process.env.GODWIT_KILLS ?? 6);
const maxKills = 4;

let project: Project;
let undisturbedMs: number;
let expected: unknown;

before(async () => {
  project = makeProject();
  project.copy("crash.ts");
  const started = performance.now();
  const running = project.run(["run", "crash.ts", "main", "--name", "undisturbed", "--json"]);
  await answer("undisturbed");
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, stderr);
  undisturbedMs = performance.now() - started;
  expected = JSON.parse(stdout).outputs;
});
after(() => project.remove());

/** Until it is taken, whoever serves the run meanwhile. From then on it counts: it is not said again. */
async function answer(run: string): Promise<void> {
  await until(async () => (await project.run(["signal", run, "answer", "41"])).code === 0, "it is answered", 60_000);
}

for (let trial = 0; trial < trials; trial++) {
  const seed = randomInt(2 ** 31);
  test(`a run that is killed and resumed ends as if it had not been (seed ${seed})`, async (t) => {
    const random = randomFrom(seed);
    const mark = randomUUID();
    const name = `killed-${trial}`;
    const journal = join(project.dir, `journal-${trial}`);
    const env = { JOURNAL: journal, GODWIT_TEST_MARK: mark };
    let args = ["run", "crash.ts", "main", "--name", name, "--json"];
    let kills = 0;
    const answered = answer(name);
    for (;;) {
      const { process, ended } = project.start(args, env);
      const isKilled = kills < maxKills && random() < 0.85;
      const timer = isKilled ? setTimeout(() => process.kill("SIGKILL"), random() * undisturbedMs * 0.9) : undefined;
      const { code, signal, stdout, stderr } = await ended;
      clearTimeout(timer);
      await until(() => processesWith("GODWIT_TEST_MARK", mark).length === 0, "every process has ended");
      if (signal === "SIGKILL") {
        kills++;
        // A run that was killed before it was acknowledged does not exist; the same command makes it.
        const isKnown = (await project.run(["get", "run", name, "--json"])).code === 0;
        args =
          isKnown && random() < 0.7
            ? ["resume", name, "--json"]
            : ["run", "crash.ts", "main", "--name", name, "--json"];
        continue;
      }
      assert.equal(code, 0, stderr);
      const result = JSON.parse(stdout);
      assert.deepEqual(result.outputs, expected);
      assert.equal(result.phase, "succeeded");
      await answered;
      break;
    }
    t.diagnostic(`killed ${kills} times`);
    const attempts = readFileSync(journal, "utf8")
      .split("\n")
      .filter((line) => /^\S+ \S+ \d+$/.test(line) && !line.includes(" epoch "));
    assert.equal(new Set(attempts).size, attempts.length, "no body of one attempt ran twice");
  });
}
