// The life of a shell task's attempt: started once, logged, stopped, and cleared away.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Launch } from "../core/messages.ts";
import { isRunning } from "../testing/processes.ts";
import { until } from "../testing/until.ts";
import { outcomes } from "./outcomes.fixture.ts";
import { dir, fails, free, launchOf, logged, openExecutor, succeeds } from "./shell.fixture.ts";

test("a command that fails tells its exit code or signal and the last lines it wrote", async () => {
  const error = await fails(
    { command: "for n in $(seq 1 50); do echo line $n >&2; done; exit 3" },
    "CommandFailed",
    /exited with code 3.*stderr:\n {2}line 31\n(.|\n)*line 50$/,
  );
  assert.deepEqual([error.kind, error.recoverable, error.location?.file], ["user", true, "etl.ts"]);
  await fails({ command: "kill -9 $$" }, "CommandFailed", /killed by SIGKILL.*memory/);
  await fails({ command: "false; echo not reached" }, "CommandFailed", /exited with code 1\. It printed nothing/);
  await fails({ command: 'echo out; echo "$typo"' }, "CommandFailed", /sort: .*typo/);
  await fails({ command: "no_such_tool --x" }, "CommandFailed", /code 127(.|\n)*no_such_tool/);
  const missing = await fails({ command: ["no_such_tool", "--x"] }, "CommandFailed", /"no_such_tool".*PATH/);
  assert.equal(missing.recoverable, false);
});

test("what a command prints is logged line by line, a progress bar as a terminal shows it", async () => {
  logged.length = 0;
  await succeeds({ command: `printf 'one\\ntwo ü\\r\\n10%%\\r50%%\\r100%%\\nlast'; echo err >&2` });
  const texts = (stream: string) => logged.filter((line) => line.stream === stream).map(({ text }) => text);
  assert.deepEqual(texts("stdout"), ["one", "two ü", "100%", "last"]);
  assert.deepEqual(texts("stderr"), ["err"]);
  assert.ok(logged.every(({ atMs }) => atMs === 77));
});

test("an attempt is launched once, and known until its outcome is taken", async () => {
  const executor = openExecutor(2);
  const launch = launchOf({ command: 'echo x >> "$GODWIT_PROJECT_DIR/started"' });
  for (let n = 0; n < 3; n++) executor.ensureLaunched([launch, launch]);
  assert.equal(free(executor), 1);
  assert.ok(executor.accepts(launch));
  assert.ok(!executor.accepts({ spec: { ...launch.spec, target: { type: "typescript" } } }));
  await new Promise<void>((resolve) => executor.start(resolve));
  executor.ensureLaunched([launch]);
  assert.deepEqual([executor.running().length, free(executor)], [1, 2]);
  assert.equal(executor.takeOutcomes(10).length, 1);
  assert.deepEqual(executor.running(), []);
  assert.equal(statSync(join(dir, "started")).size, 2);
  await executor.close();
});

test("stop lets the running child end by itself, and no outcome follows", async () => {
  logged.length = 0;
  const executor = openExecutor();
  const child =
    "process.on('SIGTERM', () => setTimeout(() => { console.log('saved'); process.exit(0); }, 50)); console.log('ready'); setInterval(() => {}, 1000)";
  const launch = launchOf({ command: `node -e "${child}"; echo not reached` });
  executor.ensureLaunched([launch]);
  await until("the child is ready", () => logged.some(({ text }) => text === "ready"));
  const ended = new Promise<void>((resolve) => executor.start(resolve));
  executor.stop([launch], "a test");
  await ended;
  assert.deepEqual(
    logged.map(({ text }) => text),
    ["ready", "saved"],
  );
  assert.deepEqual([executor.running(), executor.takeOutcomes(10)], [[], []]);
  await executor.close();
});

test("close leaves no process and no file", async () => {
  logged.length = 0;
  const tmp = join(dir, "closing");
  const executor = openExecutor(4, tmp);
  executor.ensureLaunched([
    launchOf({ command: "sleep 1000 & echo $!; wait" }),
    launchOf({ command: "sleep 1000 & echo $!; sleep 1000" }),
  ]);
  await until("both have started", () => logged.length === 2);
  await executor.close();
  await until("the children are gone", () => !logged.some(({ text }) => isRunning(Number(text))));
  assert.deepEqual(readdirSync(tmp), []);
  assert.equal(free(executor), 0);
});

test("directories that a dead process has left are removed, those of a living one stay", async () => {
  const tmp = join(dir, "leftovers");
  const host = hostname().replace(/[^A-Za-z0-9.]/g, "_");
  for (const kind of ["shell", "bundle"]) mkdirSync(join(tmp, `${kind}-${host}-999999999-abc`), { recursive: true });
  mkdirSync(join(tmp, `shell-${host}-${process.pid}-abc`));
  mkdirSync(join(tmp, "shell-elsewhere-999999999-abc"));
  const executor = openExecutor(1, tmp);
  executor.ensureLaunched([launchOf({ command: "true" })]);
  await outcomes(executor, 1);
  await executor.close();
  assert.deepEqual(
    readdirSync(tmp).sort(),
    [`shell-${host}-${process.pid}-abc`, "shell-elsewhere-999999999-abc"].sort(),
  );
});

test("a daemon that holds the output open does not hold up the attempt", async () => {
  logged.length = 0;
  const daemon =
    "const c = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }); c.unref(); console.log(c.pid)";
  await succeeds({ command: ["node", "-e", daemon] });
  const pid = Number(logged[0]?.text);
  assert.ok(isRunning(pid));
  process.kill(pid, "SIGKILL");
});

test("a command over its memory, all its processes together, ends as OOMKilled with the most it held", async () => {
  const child = "const kept = []; setInterval(() => kept.push(Buffer.alloc(10 * 2 ** 20, 1)), 5)";
  const error = await fails(
    { command: `node -e "${child}" & node -e "${child}" & wait`, resources: { memoryBytes: 300 * 2 ** 20 } },
    "OOMKilled",
    /its memory of 300Mi; at its most it held \d+Mi/,
  );
  assert.deepEqual([error.kind, error.recoverable], ["user", true]);
  await succeeds({ command: `node -e "Buffer.alloc(2 ** 20)"`, resources: { memoryBytes: 300 * 2 ** 20 } });
});

test("a command sees the GPUs that it was given, and waits until there are so many", async () => {
  logged.length = 0;
  const gpus = [4, 7].map((index) => ({ index, model: "NVIDIA L4", memoryBytes: null }));
  const executor = openExecutor(4, join(dir, "gpus"), { gpus });
  const say = 'echo "[$CUDA_VISIBLE_DEVICES]"; while [ ! -e "$GODWIT_PROJECT_DIR/go" ]; do sleep 0.02; done';
  const one = launchOf({ command: say, resources: { gpus: { count: 1, model: "l4" } } });
  const without = launchOf({ command: say });
  const both = launchOf({ command: say, resources: { gpus: { count: 2, model: null } } });
  const reserve = (launch: Launch) => executor.reserve({ ...launch, maxConcurrency: null }, null);
  assert.deepEqual([reserve(one), reserve(without)], [null, null]);
  assert.deepEqual(reserve(both), { type: "resource", resource: "gpu", asked: 2, free: 1, total: 2 });
  executor.ensureLaunched([one, without]);
  await until("both have started", () => logged.length === 2);
  writeFileSync(join(dir, "go"), "");
  assert.equal((await outcomes(executor, 2)).length, 2);
  assert.equal(reserve(both), null);
  executor.ensureLaunched([both]);
  await outcomes(executor, 1);
  assert.deepEqual(new Set(logged.slice(0, 2).map(({ text }) => text)), new Set(["[4]", "[]"]));
  assert.equal(logged[2]?.text, "[4,7]");
  await executor.close();
});
