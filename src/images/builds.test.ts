// Each directory is built once, by whomever and however often it is asked for.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256Hex } from "../core/hash.ts";
import { until } from "../testing/until.ts";
import { type BuildListener, Builds } from "./builds.ts";
import { dir } from "./images.fixture.ts";

let count = 0;
const open = (maxBuilds = 2, directory = join(dir, `builds-${count++}`)) => ({
  builds: new Builds(directory, maxBuilds),
  directory,
});
const listening = (signal = new AbortController().signal) => {
  const lines: string[] = [];
  return { print: (line: string) => lines.push(line), signal, lines };
};
const name = sha256Hex("a");

test("a hundred who ask at once get one build, and all hear what it prints", async () => {
  const { builds } = open();
  let made = 0;
  const go = Promise.withResolvers<void>();
  const make = async (_: string, { print }: BuildListener) => {
    print("begins");
    await go.promise;
    print("ends");
    return { made: ++made };
  };
  const listeners = Array.from({ length: 100 }, () => listening());
  const all = listeners.map((listener) => builds.build(name, listener, make));
  go.resolve();
  assert.deepEqual(new Set((await Promise.all(all)).map((record) => record.made)), new Set([1]));
  assert.ok(listeners.every(({ lines }) => lines.join() === "begins,ends"));
  assert.deepEqual(builds.record(name), { made: 1 });
});

test("a build that fails leaves nothing, and the next one begins anew", async () => {
  const { builds } = open();
  const fail = (directory: string) => {
    writeFileSync(join(directory, "half"), "");
    return Promise.reject(new Error("no"));
  };
  await assert.rejects(builds.build(name, listening(), fail), /no/);
  assert.equal(existsSync(builds.path(name)), false);
  assert.equal(await builds.build(name, listening(), async () => "done"), "done");
});

test("a build goes on while one waits for it, and is called off when the last has left", async () => {
  const { builds } = open();
  let [begun, stopped] = [false, false];
  const make = (_: string, { signal }: BuildListener) =>
    new Promise<never>((_resolve, reject) => {
      begun = true;
      signal.addEventListener("abort", () => {
        stopped = true;
        reject(new Error("stopped"));
      });
    });
  const [one, two] = [new AbortController(), new AbortController()];
  const both = [one, two].map(({ signal }) => builds.build(name, listening(signal), make));
  await until("it is built", () => begun);
  one.abort();
  await assert.rejects(both[0] as Promise<unknown>, { code: "aborted" });
  assert.equal(stopped, false);
  two.abort();
  await assert.rejects(both[1] as Promise<unknown>, { code: "aborted" });
  await until("the build has stopped", () => stopped);
  // Whoever comes while it ends gets a build of its own.
  assert.equal(await builds.build(name, listening(), async () => "anew"), "anew");
});

test("no more are built at once than the operator says", async () => {
  const { builds } = open(2);
  let [now, most] = [0, 0];
  const both = Promise.withResolvers<void>();
  const make = async () => {
    most = Math.max(most, ++now);
    if (now === 2) both.resolve();
    await both.promise;
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return null;
  };
  await Promise.all(Array.from({ length: 10 }, (_, n) => builds.build(sha256Hex(`${n}`), listening(), make)));
  assert.equal(most, 2);
});

test("another process's build is waited for; when it is killed half-way, its remnant counts for nothing", async () => {
  const { builds, directory } = open();
  const other = spawn(process.execPath, [join(import.meta.dirname, "waiting-build.fixture.ts"), directory, name]);
  await new Promise((resolve) => other.stdout.once("data", resolve));
  assert.ok(existsSync(builds.path(name)));
  const waiting = listening();
  const mine = builds.build(name, waiting, async () => "mine");
  await until("it waits", () => waiting.lines.some((line) => /another process/i.test(line)));
  other.kill("SIGKILL");
  assert.equal(await mine, "mine");
});

test("what dead processes have left is removed, and nothing else", async () => {
  const { builds, directory } = open();
  await builds.build(name, listening(), async () => "kept");
  const dead = sha256Hex("dead");
  for (const path of [dead, "names"]) mkdirSync(join(directory, path), { recursive: true });
  await builds.removeRemnants();
  assert.deepEqual(
    [name, dead, "names"].map((path) => existsSync(join(directory, path))),
    [true, false, true],
  );
});
