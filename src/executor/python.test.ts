// Container tasks as they are with Flyte's own SDK: what the process is told, and what is read of what it leaves.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pythonEnvironment, type TestPython } from "../../test/python.ts";
import { isRunning } from "../testing/processes.ts";
import { until } from "../testing/until.ts";
import { outcomes } from "./outcomes.fixture.ts";
import {
  attached,
  blobs,
  closeExecutors,
  dir,
  fails,
  launchOf,
  logged,
  openExecutor,
  run,
  storage,
  succeeds,
  text,
} from "./python.fixture.ts";
import type { PythonExecutorOptions } from "./python.ts";

/** Tasks cannot tell how their interpreter was started. */
function eachWay(
  promise: string,
  check: (python: TestPython, warm: Exclude<PythonExecutorOptions["warm"], undefined>, t: TestContext) => Promise<void>,
): void {
  for (const [way, warm] of [
    ["cold", null],
    ["warm", {}],
  ] as const) {
    test(`${promise} (${way})`, async (t) => {
      const python = pythonEnvironment(t);
      t.after(closeExecutors);
      if (python !== null) await check(python, warm, t);
    });
  }
}

eachWay("a Python task gets its inputs, its prints are logged, and its outputs are read", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  logged.length = 0;
  assert.deepEqual(await succeeds(executor, { function: "double", x: 21 }), { type: "integer", value: "42" });
  const texts = (stream: string) => logged.filter((line) => line.stream === stream).map((line) => line.text);
  assert.deepEqual(texts("stdout"), ["doubling 21"]);
  assert.ok(texts("stderr").includes("on stderr"));
  await executor.close();
  assert.deepEqual(readdirSync(join(dir, "tmp")), []);
});

eachWay("an exception of the user is the failure, whether it can be retried included", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  const error = await fails(executor, { function: "refuse", x: 3 }, "ValueError", /3 is refused/);
  assert.deepEqual([error.kind, error.recoverable], ["user", true]);
  const final = await fails(executor, { function: "give_up" }, "NonRecoverableError", /no use trying/);
  assert.equal(final.recoverable, false);
  await fails(executor, { function: "no_such_task" }, "AttributeError", /no_such_task/);
  await executor.close();
});

eachWay(
  "a process that ends without an error file fails with its exit code or signal and its last lines",
  async (python, warm) => {
    const executor = openExecutor(python, { warm });
    await fails(executor, { function: "leave", x: 3 }, "CommandFailed", /exited with code 3(.|\n)*leaving/);
    await fails(executor, { function: "leave", x: 0 }, "OutputInvalid", /without an error and without outputs/);
    await fails(executor, { function: "kill_itself" }, "CommandFailed", /killed by SIGKILL/);
    await fails(executor, { function: "double", args: ["no-such-program"] }, "NotFound", /no such command in PATH/);
    await executor.close();
  },
);

eachWay("outputs that are too large to be read are the user's failure, for good", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  const large = await fails(
    executor,
    { function: "repeat", x: 34_000_000 },
    "OutputInvalid",
    /too large: .* at most 33554432 are read\. Write large values to a File/,
  );
  assert.deepEqual([large.kind, large.recoverable], ["user", false]);
  await executor.close();
});

eachWay(
  "the environment is the caller's without other Flytes', then the task's, the run's, and the protocol's names",
  async (python, warm, t) => {
    process.env.FLYTECTL_CONFIG = "/elsewhere";
    process.env.GODWIT_TEST_SECRET = "server's";
    process.env.PLAIN_OF_SERVER = "kept";
    t.after(() => {
      for (const name of ["FLYTECTL_CONFIG", "GODWIT_TEST_SECRET", "PLAIN_OF_SERVER"]) delete process.env[name];
    });
    const executor = openExecutor(python, { warm, secretValues: async () => ({ TOKEN: "s3cret" }) });
    const output = { type: "map", value: text } as const;
    const env = { BOTH: "task", TASK: "t", ACTION_NAME: "mine" };
    const found = await succeeds(executor, {
      function: "environment",
      output,
      env,
      runEnv: { BOTH: "run" },
      action: `env-${warm === null}`,
      attempt: 3,
    });
    assert.equal(found.type, "map");
    const value = (name: string): unknown => {
      const literal = found.type === "map" ? found.entries[name] : undefined;
      return literal?.type === "string" ? literal.value : undefined;
    };
    assert.deepEqual(
      ["BOTH", "TASK", "TOKEN", "ACTION_NAME", "RUN_NAME", "FLYTE_ATTEMPT_NUMBER", "_U_EP_OVERRIDE"].map(value),
      ["run", "t", "s3cret", `env-${warm === null}`, "swift-run", "2", "localhost:1"],
    );
    assert.deepEqual(["FLYTECTL_CONFIG", "GODWIT_TEST_SECRET", "PLAIN_OF_SERVER"].map(value), [
      undefined,
      undefined,
      "kept",
    ]);
    assert.equal(value("_U_RUN_BASE"), join(storage.root, "runs/flytesnacks/development/swift-run"));
    assert.match(String(value("PATH")), new RegExp(`^${python.bin}:`));
    assert.match(String(value("cwd")), /attempt-/);
    await executor.close();
  },
);

eachWay("a task that is over its memory ends as OOMKilled with the most it held", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  const task = { function: "hold", x: 60, resources: { memoryBytes: 300 * 2 ** 20 } };
  const { result, peakMemoryBytes = 0 } = await run(executor, task);
  assert.equal(result.type === "failed" ? result.error.code : result.type, "OOMKilled", JSON.stringify(result));
  assert.ok(peakMemoryBytes > 300 * 2 ** 20);
  const enough = await run(executor, { ...task, x: 5 });
  assert.equal(enough.result.type, "succeeded", JSON.stringify(enough));
  assert.ok((enough.peakMemoryBytes ?? 0) > 50 * 2 ** 20);
  await executor.close();
});

eachWay("stop ends a task with all its processes, and no outcome follows", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  logged.length = 0;
  const launch = launchOf({ function: "wait" });
  executor.ensureLaunched([launch, launch]);
  const line = (): string | undefined => logged.find(({ stream }) => stream === "stdout")?.text;
  await until("it has started", () => line() !== undefined, 30_000);
  const ended = new Promise<void>((resolve) => executor.start(resolve));
  executor.stop([launch], "a test");
  await ended;
  const pids = (line() ?? "").split(" ").map(Number);
  assert.equal(pids.length, 2);
  assert.deepEqual(pids.filter(isRunning), []);
  assert.deepEqual([executor.running(), executor.takeOutcomes(10)], [[], []]);
  await executor.close();
});

eachWay("an attempt gets the checkpoint of the last attempt that has made one", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  const task = { function: "resume", x: 5, action: `resumed-${warm === null}` };
  await fails(executor, { ...task, attempt: 1 }, "ValueError", /got to 5/);
  await fails(executor, { ...task, attempt: 2, args: ["true"] }, "OutputInvalid", /without outputs/);
  await fails(executor, { ...task, attempt: 3 }, "ValueError", /got to 10/);
  assert.deepEqual(await succeeds(executor, { ...task, attempt: 4 }), { type: "integer", value: "15" });
  await executor.close();
});

eachWay("a report is attached before the outcome is told", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  attached.length = 0;
  await succeeds(executor, { function: "tell", x: 7, action: `telling-${warm === null}` });
  const [report] = attached;
  assert.equal(report?.action, `telling-${warm === null}`);
  assert.equal(report.attach.type, "report");
  const digest = report.attach.type === "report" ? report.attach.digest : "";
  assert.match(Buffer.from(await blobs.read(digest)).toString(), /<b>7<\/b>/);
  await executor.close();
});

eachWay("tokens of raw containers are filled in, their inputs among them", async (python, warm) => {
  const executor = openExecutor(python, { warm });
  logged.length = 0;
  const args = ["echo", "{{ .Inputs.x }} {{$runname}} {{.prevCheckpointPrefix}} {{.unknown}} {{.perRetryUniqueKey}}"];
  const echoed = launchOf({ function: "double", x: 4, args, action: "echo" });
  executor.ensureLaunched([echoed]);
  await outcomes(executor, 1);
  assert.equal(logged[0]?.text, '4 swift-run "" {{.unknown}} swift-run-echo-1');
  await executor.close();
});

test("an interpreter without Flyte's SDK is refused with what to do", async () => {
  const executor = openExecutor({ python: "/no/such/python", bin: "/no/such" });
  const error = await fails(executor, { function: "double" }, "FailedPrecondition", /no such program.*GODWIT_PYTHON/);
  assert.equal(error.kind, "system");
  await executor.close();
});
