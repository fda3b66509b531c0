// The guard with real processes: nothing outlives its parent, and nothing is changed on the way.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { isGodwitError } from "../core/error.ts";
import { isRunning } from "../testing/processes.ts";
import { until } from "../testing/until.ts";
import { type SpawnOptions, spawnGuarded } from "./guard.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-guard-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const options: SpawnOptions = { cwd: dir, env: process.env, stdio: ["ignore", "pipe", "pipe"] };
const shell = (script: string, more: Partial<SpawnOptions> = {}) =>
  spawnGuarded("sh", ["-c", script], { ...options, ...more });

test("the exit code and the output are the command's own", async () => {
  for (const code of [0, 1, 127, 137, 255]) {
    const started = shell(`echo out; echo err >&2; exit ${code}`);
    const [out, err, exit] = await Promise.all([
      text(started.stdout as Readable),
      text(started.stderr as Readable),
      started.exited,
    ]);
    assert.deepEqual([out, err, exit], ["out\n", "err\n", { code, signal: null }]);
  }
});

test("a signal that ends the command is reported as a signal, and the pid is the command's", async () => {
  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    const started = shell(`echo $$; kill -${signal.slice(3)} $$`);
    assert.equal(await text(started.stdout as Readable), `${started.pid}\n`);
    assert.deepEqual(await started.exited, { code: null, signal });
  }
});

test("arguments and environment arrive as they are", async () => {
  const odd = ["", " ", "*", "$HOME", "a'b\"c", "line\nbreak", "-n"];
  const script =
    "process.stdout.write(JSON.stringify([process.argv.slice(1), process.env.PLAIN, process.env['odd.name']]))";
  const started = spawnGuarded(process.execPath, ["-e", script, "--", ...odd], {
    ...options,
    env: { ...process.env, PLAIN: "a\nb", "odd.name": "kept" },
  });
  assert.deepEqual(JSON.parse(await text(started.stdout as Readable)), [odd, "a\nb", "kept"]);
});

test("descriptors beyond the third reach the command, and the guard's pipe does not", async () => {
  const started = shell("if [ -e /dev/fd/5 ]; then echo leaked >&4; fi; tr a-z A-Z <&3 >&4", {
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
  });
  (started.stdio[3] as Writable).end("hello\n");
  assert.equal(await text(started.stdio[4] as Readable), "HELLO\n");
  assert.deepEqual(await started.exited, { code: 0, signal: null });
});

const hasPerl = spawnSync("perl", ["-v"]).status === 0;

test("a command that waits for all its children does not wait for the guard", { skip: !hasPerl }, async () => {
  const started = spawnGuarded("perl", ["-e", "fork() || exit; 1 while wait() != -1; exit 4"], options);
  assert.deepEqual(await started.exited, { code: 4, signal: null });
});

test("whoever reads the output sees its end when the command closes it, not when it ends", async () => {
  const started = spawnGuarded("sh", ["-c", "exec >&- 2>&-; read -r _"], {
    ...options,
    stdio: ["pipe", "pipe", "pipe"],
  });
  assert.deepEqual(await Promise.all([text(started.stdout as Readable), text(started.stderr as Readable)]), ["", ""]);
  started.stdin?.end("go on\n");
  assert.deepEqual(await started.exited, { code: 0, signal: null });
});

test("what the command leaves behind is gone when it has ended", async () => {
  // The system takes its time to clear away what has much memory: longer than it takes for the guard.
  const large = "const held = Buffer.alloc(100e6, 1); console.log(process.pid); setInterval(() => held, 1e6)";
  const started = shell(
    'for _ in 1 2 3 4 5 6; do node -e "$LARGE" <&- & done; (trap "" TERM; sleep 1000) & read -r _; exit 3',
    { env: { ...process.env, LARGE: large }, stdio: ["pipe", "pipe", "pipe"] },
  );
  const lines = createInterface({ input: started.stdout as Readable })[Symbol.asyncIterator]();
  const left = await Promise.all(Array.from({ length: 6 }, async () => Number((await lines.next()).value)));
  assert.deepEqual(left.filter(isRunning), left);
  started.stdin?.end("\n");
  assert.deepEqual(await started.exited, { code: 3, signal: null });
  assert.deepEqual(left.filter(isRunning), []);
});

test("a command that ignores SIGTERM is killed after the grace period, busy children with it", async () => {
  const started = shell('trap "" TERM; (while :; do :; done) & echo $!; while :; do :; done');
  const [line] = await Promise.race([(started.stdout as Readable).take(1).toArray()]);
  started.kill("SIGTERM", { graceMs: 50 });
  assert.deepEqual(await started.exited, { code: null, signal: "SIGKILL" });
  await until("the busy child is gone", () => !isRunning(Number(String(line))));
});

test("a command that obeys a signal is not killed, and a signal to the group reaches its children", async () => {
  const polite = shell('trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done');
  await (polite.stdout as Readable).take(1).toArray();
  polite.kill("SIGTERM");
  assert.deepEqual(await polite.exited, { code: 7, signal: null });

  const waiting = shell("echo ready; sleep 1000; exit 5");
  await (waiting.stdout as Readable).take(1).toArray();
  waiting.kill("SIGTERM", { to: "group" });
  assert.deepEqual(await waiting.exited, { code: null, signal: "SIGTERM" });
});

test("kill -9 of this process ends every guarded process, with all its descendants", async () => {
  const parent = join(dir, "parent.ts");
  writeFileSync(
    parent,
    `import { spawnGuarded } from ${JSON.stringify(join(import.meta.dirname, "guard.ts"))};
     const options = { cwd: ${JSON.stringify(dir)}, env: process.env, stdio: ["ignore", "inherit", "inherit"] };
     for (let n = 0; n < 3; n++) {
       spawnGuarded("sh", ["-c", 'trap "" TERM HUP INT; (sleep 1000 & echo $!; wait) & (sleep 1000; :) & echo $! $$; kill -TERM 0; wait'], options);
     }`,
  );
  const child = spawn(process.execPath, [parent], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  await until("all have started", () => printed.trim().split(/\s+/).length === 9);
  const pids = printed.trim().split(/\s+/).map(Number);
  assert.ok(pids.every(isRunning));
  child.kill("SIGKILL");
  await until("all are gone", () => !pids.some(isRunning));
});

test("nothing of a guarded process stays in this one: no descriptor, no process", {
  skip: !existsSync("/proc/self/fd"),
}, async () => {
  await shell("exit 0").exited;
  const descriptors = () =>
    readdirSync("/proc/self/fd")
      .map((fd) => link(`/proc/self/fd/${fd}`))
      .filter((to) => /socket|pipe/.test(to)).length;
  const before = descriptors();
  const pids: number[] = [];
  for (let n = 0; n < 10; n++) {
    const started = shell("exit 0");
    pids.push(started.pid);
    await Promise.all([text(started.stdout as Readable), text(started.stderr as Readable), started.exited]);
  }
  await until("descriptors are closed", () => descriptors() <= before);
  const groups = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => groupOf(name));
  assert.deepEqual(
    pids.filter((pid) => groups.includes(pid)),
    [],
  );
});

test("a folder of PATH that cannot be read is passed over", async () => {
  symlinkSync("loop", join(dir, "loop"));
  const env = { ...process.env, PATH: `${join(dir, "loop")}:${join(dir, "missing")}:${process.env.PATH}` };
  assert.deepEqual(await shell("exit 6", { env }).exited, { code: 6, signal: null });
});

test("a command that cannot be started is named, with what to do", () => {
  const started =
    (command: string, more: Partial<SpawnOptions> = {}) =>
    () =>
      spawnGuarded(command, [], { ...options, ...more });
  const fails = (code: string, message: RegExp) => (error: unknown) =>
    isGodwitError(error) && error.code === code && message.test(error.message);
  assert.throws(started("no-such-command"), fails("not_found", /"no-such-command".*PATH/));
  assert.throws(started("./missing"), fails("not_found", /missing/));
  writeFileSync(join(dir, "plain.txt"), "echo hello");
  assert.throws(started("./plain.txt"), fails("permission_denied", /chmod \+x/));
  assert.throws(started("sh", { cwd: join(dir, "nowhere") }), fails("not_found", /nowhere/));
  assert.throws(() => spawnGuarded("sh", ["-c", "x".repeat(4_000_000)], options), fails("invalid_argument", /larger/));
});

const link = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // Closed since it was listed.
  }
};

/** The process group of a live process; zombies, which only wait to be counted, have none. */
const groupOf = (pid: string): number | null => {
  try {
    const [state, , group] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return state === "Z" ? null : Number(group);
  } catch {
    return null; // Gone since it was listed.
  }
};
