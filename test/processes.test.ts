// The command itself when it is killed, stopped or told to end, and several of it on one data directory.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { makeProject, makeTrial, type Project, type Started, type Trial, until } from "./project.ts";

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

type Row = { readonly label: string; readonly phase: string };
const phasesOf = async (run: string): Promise<Record<string, string>> => {
  const { code, stdout } = await project.run(["get", "actions", run, "--json"]);
  const rows: readonly Row[] = code === 0 ? JSON.parse(stdout) : [];
  return Object.fromEntries(rows.map(({ label, phase }) => [label, phase]));
};
const isPaused = async (run: string, condition: string): Promise<boolean> =>
  (await phasesOf(run))[condition] === "paused";

/** A run whose busy loop, command and waiting task are all under way. */
async function crowd(name: string): Promise<Started> {
  trial.clear();
  const started = project.start(["run", "waits.ts", "crowd", "--name", name, "--json", "--cpu", "4"], trial.env);
  for (const body of ["busy", "command", "leaf-never"]) await trial.begun(body);
  return started;
}

test("six that start at once on a new data directory all come to their end", async () => {
  const runs = Array.from({ length: 6 }, (_, n) =>
    project.run(
      ["run", "waits.ts", "asksBriefly", "--name", `six-${n}`, "--data-dir", "new", "--workers", "1"],
      trial.env,
    ),
  );
  for (const { code, stderr } of await Promise.all(runs))
    assert.match(stderr, /No signal came within 200 ms/, `${code}`);
  const { stdout } = await project.run(["get", "runs", "--json", "--data-dir", "new"]);
  assert.deepEqual(
    (JSON.parse(stdout) as { phase: string }[]).map(({ phase }) => phase),
    Array(6).fill("failed"),
  );
  assert.equal((await project.run(["doctor", "--data-dir", "new"])).code, 0);
});

test("a run that another process serves is followed to its end; signals from a third reach it", async () => {
  const first = project.start(["run", "waits.ts", "asks", "--name", "asks", "--json"], trial.env);
  await until(() => isPaused("asks", "approve"), "it asks");
  const others = [
    ["run", "waits.ts", "asks", "--name", "asks"],
    ["resume", "asks"],
  ].map((args) => project.start([...args, "--json"], trial.env));
  assert.equal((await project.run(["signal", "asks", "approve", "maybe"])).code, 2);
  assert.equal((await project.run(["signal", "asks", "approve", "true"])).code, 0);
  await until(() => isPaused("asks", "who"), "it asks again");
  assert.equal((await project.run(["signal", "asks", "approve", "false"])).code, 2, "it was answered already");
  assert.equal((await project.run(["signal", "asks", "who", "ann"])).code, 0);
  for (const { ended } of [first, ...others]) {
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout).outputs, { answer: true, name: "ann" });
  }
  assert.deepEqual(trial.bodies().filter(Boolean).length, 1, "only one of them ran it");
});

test("who follows a run takes it over when the process that served it is killed", async () => {
  const first = project.start(["run", "waits.ts", "asks", "--name", "heir"], trial.env);
  await until(() => isPaused("heir", "approve"), "it asks");
  const second = project.start(["resume", "heir", "--json"], trial.env);
  let told = "";
  second.process.stderr?.on("data", (chunk) => (told += chunk));
  await until(() => told.includes("another process serves it"), "it follows");
  first.process.kill("SIGKILL");
  await first.ended;
  for (const [condition, value] of [
    ["approve", "false"],
    ["who", "bob"],
  ] as const) {
    await until(() => isPaused("heir", condition), `it asks ${condition}`);
    assert.equal((await project.run(["signal", "heir", condition, value])).code, 0);
  }
  const { code, stdout, stderr } = await second.ended;
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).outputs, { answer: false, name: "bob" });
});

test("a process that is stopped keeps its runs and is named; continued, it ends them; killed, another does", async () => {
  for (const [name, signal] of [
    ["continued", "SIGCONT"],
    ["ended", "SIGKILL"],
  ] as const) {
    const first = project.start(["run", "waits.ts", "asks", "--name", name, "--json"], trial.env);
    await until(() => isPaused(name, "approve"), "it asks");
    first.process.kill("SIGSTOP");
    const second = project.start(["resume", name, "--json"], trial.env);
    let told = "";
    second.process.stderr?.on("data", (chunk) => (told += chunk));
    const words = new RegExp(
      `process ${first.process.pid}, which serves this run, is stopped.*kill -CONT ${first.process.pid}`,
    );
    await until(() => words.test(told), "it is told");
    const { code, stdout } = await project.run(["doctor"]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`✗ engines +The process ${first.process.pid} is stopped`));
    await project.run(["signal", name, "approve", "true"]);
    first.process.kill(signal);
    await until(() => isPaused(name, "who"), "it asks again");
    await project.run(["signal", name, "who", "ann"]);
    for (const { ended } of signal === "SIGCONT" ? [first, second] : [second]) {
      const { stdout: printed, stderr } = await ended;
      assert.deepEqual(JSON.parse(printed).outputs, { answer: true, name: "ann" }, stderr);
    }
    await first.ended;
    assert.equal(trial.bodies().length, signal === "SIGCONT" ? 1 : 2, "one at a time served it");
    trial.clear();
  }
});

test("a condition answered while nobody serves its run is answered when it is resumed", async () => {
  const { process, ended } = project.start(["run", "waits.ts", "asks", "--name", "orphan"], trial.env);
  await until(() => isPaused("orphan", "approve"), "it asks");
  process.kill("SIGKILL");
  await ended;
  const { stdout } = await project.run(["signal", "orphan", "approve", "true"]);
  assert.match(stdout, /No live process serves the run.*godwit resume orphan/);
  const resumed = project.start(["resume", "orphan", "--json"], trial.env);
  await until(() => isPaused("orphan", "who"), "it asks the next");
  await project.run(["signal", "orphan", "who", "eve"]);
  assert.deepEqual(JSON.parse((await resumed.ended).stdout).outputs, { answer: true, name: "eve" });
});

const allAborted = { crowd: "aborted", busy: "aborted", command: "aborted", leaf: "aborted" };

test("a run aborted from another process ends there at once, with busy loops and commands", async () => {
  const { ended } = await crowd("doomed");
  assert.equal((await project.run(["abort", "doomed", "--reason", "enough"])).code, 0);
  const { code, stdout } = await ended;
  assert.equal(code, 1);
  const { phase, error } = JSON.parse(stdout);
  assert.deepEqual([phase, error.code, error.message], ["aborted", "Aborted", "enough"]);
  assert.deepEqual(await phasesOf("doomed"), allAborted);
  await trial.noneLeft();
});

test("a run is aborted whole also if its process is dead, or dies before it could end the children", async () => {
  const dead = await crowd("dead");
  dead.process.kill("SIGKILL");
  await dead.ended;
  assert.equal((await project.run(["abort", "dead"])).code, 0);
  assert.deepEqual(await phasesOf("dead"), allAborted);
  const asleep = await crowd("asleep");
  asleep.process.kill("SIGSTOP");
  assert.equal((await project.run(["abort", "asleep"])).code, 0);
  asleep.process.kill("SIGKILL");
  await asleep.ended;
  assert.equal((await phasesOf("asleep")).busy, "running", "nobody has seen to it yet");
  assert.equal((await project.run(["resume", "asleep"])).code, 1);
  assert.deepEqual(await phasesOf("asleep"), allAborted);
  await trial.noneLeft();
});

test("when a parent fails, nothing that it called is left running", async () => {
  const { ended } = project.start(
    ["run", "waits.ts", "abandons", "--name", "abandons", "--json", "--cpu", "4"],
    trial.env,
  );
  for (const body of ["busy", "command", "leaf-never"]) await trial.begun(body);
  writeFileSync(join(project.dir, "fail"), "");
  const { code, stdout } = await ended;
  assert.equal(code, 1);
  assert.equal(JSON.parse(stdout).error.message, "as asked");
  const { abandons, fails, ...others } = await phasesOf("abandons");
  assert.deepEqual([abandons, fails], ["failed", "failed"]);
  assert.deepEqual(others, { busy: "aborted", command: "aborted", leaf: "aborted" });
  await trial.noneLeft();
});

for (const [signals, exitCode] of [
  [["SIGINT"], 130],
  [["SIGINT", "SIGINT"], 130],
  [["SIGTERM"], 143],
] as const) {
  test(`after ${signals.join(" and ")} no process is left, and the run goes on when resumed, twice`, async () => {
    const name = `stopped-${signals.length}-${exitCode}`;
    const first = await crowd(name);
    for (const signal of signals) first.process.kill(signal);
    const { code, stdout, stderr } = await first.ended;
    assert.equal(code, exitCode);
    // The second one may come before there was time to say anything.
    if (signals.length === 1) {
      assert.match(stderr, new RegExp(`godwit resume ${name}`));
      assert.equal(JSON.parse(stdout).error.code, "canceled");
    }
    await trial.noneLeft();
    for (const attempt of [2, 3]) {
      const resumed = project.start(["resume", name, "--cpu", "4"], trial.env);
      for (const body of ["busy", "command", "leaf-never"]) await trial.begun(`${body} ${attempt}`);
      resumed.process.kill("SIGTERM");
      assert.equal((await resumed.ended).code, 143);
      await trial.noneLeft();
    }
  });
}
