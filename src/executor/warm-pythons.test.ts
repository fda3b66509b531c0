// Warm interpreters: what they share and what they do not, and that none of their processes is ever left.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pythonEnvironment, type TestPython } from "../../test/python.ts";
import { isRunning } from "../testing/processes.ts";
import { until } from "../testing/until.ts";
import { outcomes } from "./outcomes.fixture.ts";
import { dir, fails, launchOf, logged, openExecutor, succeeds, text } from "./python.fixture.ts";

/** Elsewhere there are none. */
const linuxPython = (t: TestContext): TestPython | null => {
  const python = pythonEnvironment(t);
  if (python !== null && process.platform !== "linux") t.skip("Interpreters are kept warm on Linux alone.");
  return process.platform === "linux" ? python : null;
};

const integerOf = (literal: { readonly type: string; readonly value?: unknown }): number => {
  assert.equal(literal.type, "integer");
  return Number(literal.value);
};

const parentOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[1]);

test("what a task leaves in its interpreter is not there for the next", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const executor = openExecutor(python);
  for (let n = 0; n < 2; n++) assert.equal(integerOf(await succeeds(executor, { function: "remember" })), 1);
  const found = await succeeds(executor, { function: "environment", output: { type: "map", value: text } });
  assert.equal(found.type === "map" ? found.entries.LEFT_BEHIND : null, undefined);
  await executor.close();
});

test("attempts with the same variables come from one interpreter, others from another that was started with theirs", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const executor = openExecutor(python);
  const started = async (runEnv: { readonly [name: string]: string }): Promise<number> =>
    integerOf(await succeeds(executor, { function: "parent_process", runEnv }));
  const first = await started({});
  logged.length = 0;
  assert.equal(await started({}), first);
  assert.ok(logged.some((line) => line.text.includes("Flyte runtime started")));
  logged.length = 0;
  // The SDK reads it while it is imported.
  assert.notEqual(await started({ LOG_LEVEL: "ERROR" }), first);
  assert.ok(!logged.some((line) => line.text.includes("Flyte runtime started")));
  await executor.close();
  assert.ok(!isRunning(first));
});

test("an interpreter that nobody uses for some time ends, and there are never more than the limit", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const executor = openExecutor(python, { warm: { limit: 1, idleMs: 100 } });
  const first = integerOf(await succeeds(executor, { function: "parent_process" }));
  await until("it ends", () => !isRunning(first));
  const task = launchOf({ function: "wait" });
  executor.ensureLaunched([task]);
  logged.length = 0;
  await until("it runs", () => logged.some(({ stream }) => stream === "stdout"), 30_000);
  const other = { function: "parent_process", runEnv: { OTHER: "1" } };
  // Its parent is this process: it started cold.
  assert.equal(integerOf(await succeeds(executor, other)), process.pid);
  await executor.close();
});

test("an interpreter that is killed takes its tasks with it, and the next start is as good as the first", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const executor = openExecutor(python);
  logged.length = 0;
  executor.ensureLaunched([launchOf({ function: "wait" })]);
  const line = (): string | undefined => logged.find(({ stream }) => stream === "stdout")?.text;
  await until("it runs", () => line() !== undefined, 30_000);
  const pids = (line() ?? "").split(" ").map(Number);
  process.kill(parentOf(pids[0] as number), "SIGKILL");
  const [outcome] = await outcomes(executor, 1);
  assert.deepEqual(pids.filter(isRunning), []);
  const error = outcome?.result.type === "failed" ? outcome.result.error : null;
  assert.deepEqual([error?.code, error?.kind, error?.recoverable], ["Unavailable", "system", true]);
  assert.equal(integerOf(await succeeds(executor, { function: "double", x: 2 })), 4);
  await executor.close();
});

test("kill -9 of the process that has it leaves neither interpreter nor task", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const program = join(import.meta.dirname, "python-owner.fixture.ts");
  const owner = spawn(process.execPath, ["--conditions=source", program, python.python, python.bin], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = (await once(owner.stdout, "data")) as [Buffer];
  const pids = printed.toString().trim().split(" ").map(Number);
  const interpreter = parentOf(pids[0] as number);
  assert.deepEqual([...pids, interpreter].filter(isRunning), [...pids, interpreter]);
  owner.kill("SIGKILL");
  await until("all of them are gone", () => ![...pids, interpreter].some(isRunning));
});

test("an interpreter that cannot be forked tells why, and its tasks start cold", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const packages = join(dir, "threads");
  mkdirSync(packages, { recursive: true });
  const thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n";
  writeFileSync(join(packages, "sitecustomize.py"), thread);
  const texts: string[] = [];
  const executor = openExecutor(python, { onText: (said) => texts.push(said) });
  const task = { function: "parent_process", env: { PYTHONPATH: packages } };
  for (let n = 0; n < 2; n++) assert.equal(integerOf(await succeeds(executor, task)), process.pid);
  assert.equal(texts.filter((said) => /1 threads running.*start cold/.test(said)).length, 1);
  await executor.close();
});

test("a task that ends while it is being stopped, or before it has begun, leaves nothing", async (t) => {
  const python = linuxPython(t);
  if (python === null) return;
  const executor = openExecutor(python);
  const launches = Array.from({ length: 3 }, () => launchOf({ function: "double" }));
  executor.ensureLaunched(launches);
  executor.stop(launches, "a test");
  await fails(executor, { function: "refuse", x: 1 }, "ValueError", /refused/);
  assert.deepEqual(executor.running(), []);
  await executor.close();
});
