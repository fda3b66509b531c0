// The pool with real worker processes (pool.fixture.ts) and a small control in memory.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptRef,
  attemptId,
  type CallAnswer,
  type CallState,
  type Launch,
  type Outcome,
  type TaskCalls,
} from "../core/messages.ts";
import { maxAhead, maxStartFailures, type PoolOptions, type WorkerPool, workerPool } from "./pool.ts";

const fixture = new URL("./pool.fixture.ts", import.meta.url);

/** Runs the tasks that attempts call, in the same pool: what engine and control do, in memory. */
class SmallControl implements TaskCalls {
  readonly attached: string[] = [];
  /** Calls that are never run. */
  readonly pending = new Set<string>();
  readonly #followers = new Map<string, { push: (states: readonly CallState[]) => void }>();
  readonly #callers = new Map<string, AttemptRef>();
  readonly order: string[] = [];
  onCall: (name: string) => void = () => undefined;

  async call(caller: AttemptRef, calls: Parameters<TaskCalls["call"]>[1]): Promise<readonly CallAnswer[]> {
    this.order.push("call");
    return calls.map(({ name }) => {
      if (name.startsWith("known")) return stateOf(name, name);
      if (name.startsWith("refuse")) throw new GodwitError("resource_exhausted", "too many calls");
      this.#callers.set(name, caller);
      this.pending.add(name);
      this.onCall(name);
      return { name, phase: "queued", attempt: 0, outputs: null, error: null };
    });
  }

  async *follow(caller: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    this.order.push("follow");
    let batches: (readonly CallState[])[] = [];
    let wake = Promise.withResolvers<void>();
    const push = (states: readonly CallState[]): void => {
      batches.push(states);
      wake.resolve();
    };
    this.#followers.set(attemptId(caller), { push });
    signal.addEventListener("abort", () => wake.resolve());
    while (!signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers();
      yield* batches.splice(0);
    }
    this.#followers.delete(attemptId(caller));
    batches = [];
    this.order.push("unfollow");
  }

  async attach(_: AttemptRef, attach: Parameters<TaskCalls["attach"]>[1]): Promise<void> {
    this.attached.push(attach.type);
  }

  async abortCalls(): Promise<void> {}

  end(name: string, text: string): void {
    const caller = this.#callers.get(name);
    if (caller === undefined) return;
    this.pending.delete(name);
    this.#followers.get(attemptId(caller))?.push([stateOf(name, text)]);
  }
}

const stateOf = (name: string, text: string): CallState => ({
  name,
  phase: "succeeded",
  attempt: 1,
  outputs: { type: "inline", text },
  error: null,
});

type Bench = {
  readonly pool: WorkerPool;
  readonly control: SmallControl;
  readonly dir: string;
  readonly texts: string[];
  readonly printed: Map<string, string[]>;
  /** Outcomes as they come, in their order. */
  readonly outcomes: Outcome[];
  launch(task: string, input?: string, action?: string): Launch;
  /** The text or the error of these actions, when all of them have ended. */
  ends(...launches: readonly Launch[]): Promise<readonly string[]>;
  until(condition: () => boolean): Promise<void>;
  marks(): readonly string[];
};

function bench(t: TestContext, options: Partial<PoolOptions> = {}): Bench {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  const control = new SmallControl();
  const texts: string[] = [];
  const printed = new Map<string, string[]>();
  const outcomes: Outcome[] = [];
  const byId = new Map<AttemptId, Outcome>();
  let changed = Promise.withResolvers<void>();
  const notify = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const pool = workerPool({
    dataDir: dir,
    workers: 1,
    calls: control,
    logs: {
      append: ({ action }, lines) => {
        const known = printed.get(action) ?? [];
        known.push(...lines.map(({ stream, text }) => `${stream} ${text}`));
        printed.set(action, known);
      },
    },
    onText: (text) => {
      texts.push(text);
      notify();
    },
    program: fixture,
    ...options,
  });
  pool.start(() => {
    for (const outcome of pool.takeOutcomes(10_000)) {
      outcomes.push(outcome);
      byId.set(attemptId(outcome), outcome);
    }
    notify();
  });
  const until = async (condition: () => boolean): Promise<void> => {
    // What happens in a worker is not announced here: look again soon, too.
    while (!condition()) await Promise.race([changed.promise, new Promise((resolve) => setTimeout(resolve, 5))]);
  };
  t.after(async () => {
    await pool.close();
    rmSync(dir, { recursive: true });
  });
  let actions = 0;
  return {
    pool,
    control,
    dir,
    texts,
    printed,
    outcomes,
    until,
    launch: (task, input = "", action = `n${++actions}`) => launchOf(dir, task, input, action),
    ends: async (...launches) => {
      const ids = launches.map(attemptId);
      await until(() => ids.every((id) => byId.has(id)));
      return ids.map((id) => textOf(byId.get(id) as Outcome));
    },
    marks: () => {
      try {
        return readFileSync(join(dir, "marks"), "utf8").trim().split("\n");
      } catch {
        return [];
      }
    },
  };
}

function launchOf(dir: string, task: string, input: string, action: string): Launch {
  return {
    run: 1,
    runName: "r",
    project: "default",
    domain: "development",
    action,
    attempt: 1,
    depth: 0,
    bundle: "b",
    projectDir: dir,
    spec: { name: task, target: { type: "typescript" } } as Launch["spec"],
    inputs: { type: "inline", text: input },
    seed: 1,
    checkpoint: null,
  };
}

function textOf({ result }: Outcome): string {
  if (result.type === "succeeded") return result.outputs.type === "inline" ? result.outputs.text : "blob";
  if (result.type === "failed") return `${result.error.kind} ${result.error.code}: ${result.error.message}`;
  return result.type;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const pidOf = async (pool: WorkerPool): Promise<number> => Number((await pool.describe("b", "/")).entry.slice(3));

test("an attempt's outcome is what its task returned or threw", async (t) => {
  const { pool, launch, ends } = bench(t);
  const good = launch("echo", "hello");
  const bad = launch("throws", "no");
  pool.ensureLaunched([good, bad]);
  assert.deepEqual(await ends(good, bad), ["hello", "user TypeError: no"]);
  assert.deepEqual(pool.running(), []);
});

test("what is launched twice runs once, also while its outcome has not been taken", async (t) => {
  const { pool, launch, until, outcomes, marks } = bench(t);
  const one = launch("hang");
  pool.ensureLaunched([one, one]);
  pool.ensureLaunched([one]);
  await until(() => marks().length > 0);
  pool.ensureLaunched([one]);
  assert.deepEqual(pool.running(), [{ run: 1, action: one.action, attempt: 1 }]);
  pool.stop([one], "enough");
  await until(() => pool.running().length === 0);
  assert.deepEqual(outcomes, []);
  assert.deepEqual(marks(), ["hang"]);
});

test("1,000 trivial attempts run once each, many ahead in each worker", async (t) => {
  const { pool, launch, outcomes, until } = bench(t, { workers: 2 });
  const waiting = Array.from({ length: 1_000 }, (_, index) => launch("echo", `${index}`));
  const wanted = new Map(
    waiting.map((one) => [one.action, textOf({ ...one, result: { type: "succeeded", outputs: one.inputs } })]),
  );
  let mostAtOnce = 0;
  while (outcomes.length < 1_000) {
    const next = waiting.splice(0, pool.free());
    mostAtOnce = Math.max(mostAtOnce, next.length);
    pool.ensureLaunched(next);
    const before = outcomes.length;
    await until(() => outcomes.length > before || (pool.free() > 0 && waiting.length > 0));
  }
  assert.equal(new Set(outcomes.map(({ action }) => action)).size, 1_000);
  for (const outcome of outcomes) assert.equal(textOf(outcome), wanted.get(outcome.action));
  assert.ok(mostAtOnce > 2, `at most ${mostAtOnce} were taken at once`);
});

test("places follow the pace: one each until tasks have proved quick, then many, then one again", async (t) => {
  const { pool, launch, ends, until } = bench(t);
  assert.equal(pool.free(), 1);
  for (let round = 0; round < 8; round++) {
    const one = launch("moody");
    pool.ensureLaunched([one]);
    await ends(one);
  }
  await until(() => pool.free() === maxAhead);
  const slow = launch("moody", "slow");
  pool.ensureLaunched([slow]);
  await ends(slow);
  assert.equal(pool.free(), 1);
});

test("a slow attempt does not hold up those queued behind it while another worker idles", async (t) => {
  const { pool, launch, ends, outcomes } = bench(t, { workers: 2 });
  for (let round = 0; round < 10; round++) {
    const both = [launch("moody"), launch("moody")];
    pool.ensureLaunched(both);
    await ends(...both);
  }
  const slow = launch("moody", "slow");
  const others = Array.from({ length: 40 }, () => launch("moody"));
  pool.ensureLaunched([slow, ...others]);
  await ends(slow, ...others);
  assert.equal(outcomes.at(-1)?.action, slow.action);
});

test("a task that is not known to be quick goes behind no other", async (t) => {
  const { pool, launch, until, ends, marks } = bench(t);
  const hanging = launch("hang");
  const next = launch("echo", "next");
  pool.ensureLaunched([hanging, next]);
  await until(() => marks().length === 1);
  assert.equal(pool.free(), 0);
  pool.stop([hanging], "go on");
  assert.deepEqual(await ends(next), ["next"]);
});

test("attempts that wait for their calls hold no place, ten deep in one worker", async (t) => {
  const { pool, control, launch, ends } = bench(t);
  const children = new Map<string, Launch>();
  control.onCall = (name) => {
    const depth = Number(name.slice(1));
    const child = depth === 10 ? launch("echo", "bottom", name) : launch("parent", `d${depth + 1}`, name);
    children.set(name, child);
    pool.ensureLaunched([child]);
    void ends(child).then(([text]) => control.end(name, `${text}<`));
  };
  const root = launch("parent", "d1");
  pool.ensureLaunched([root]);
  assert.deepEqual(await ends(root), [`bottom${"<".repeat(10)}`]);
  assert.equal(control.order[0], "follow");
  assert.equal(control.order.filter((word) => word === "unfollow").length, 10);
});

test("1,200 attempts that wait in the only worker do not keep it from what they wait for", async (t) => {
  const { pool, control, launch, ends, until } = bench(t);
  const parents = Array.from({ length: 1_200 }, (_, index) => launch("parent", `c${index}`));
  const queue = [...parents];
  while (control.pending.size < 1_200) {
    pool.ensureLaunched(queue.splice(0, pool.free()));
    const before = control.pending.size;
    await until(() => control.pending.size > before || (queue.length > 0 && pool.free() > 0));
  }
  assert.equal(pool.free(), 1, "beyond the bound one at a time");
  const child = launch("echo", "child");
  pool.ensureLaunched([child]);
  assert.deepEqual(await ends(child), ["child"]);
  for (const name of [...control.pending]) control.end(name, name);
  assert.equal((await ends(...parents)).length, 1_200);
});

test("calls known at once and calls refused come back to the caller", async (t) => {
  const { pool, launch, ends } = bench(t);
  const known = launch("parent", "known1 known2");
  const refused = launch("parent", "refuse");
  pool.ensureLaunched([known, refused]);
  const [first, second] = await ends(known, refused);
  assert.equal(first, "known1,known2");
  assert.match(second as string, /too many calls/);
});

test("a worker killed by kill -9 costs the active attempt, and interrupts the waiting ones", async (t) => {
  const { pool, control, launch, ends, until, marks } = bench(t);
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1 && pool.free() === 1);
  const active = launch("deaf");
  pool.ensureLaunched([active]);
  await until(() => marks().length === 1);
  process.kill(pid, "SIGKILL");
  assert.deepEqual(await ends(active, parent), [
    "system WorkerLost: The worker process was killed by SIGKILL (out of memory?).",
    "interrupted",
  ]);
  const next = launch("echo", "again");
  pool.ensureLaunched([next]);
  assert.deepEqual(await ends(next), ["again"]);
  assert.notEqual(await pidOf(pool), pid);
});

test("a task that takes its process down at once is the one that fails", async (t) => {
  const { pool, launch, ends } = bench(t);
  const killed = launch("killed");
  const exits = launch("exits", "3");
  const dies = launch("calls and dies");
  const garbles = launch("breaks the stream");
  pool.ensureLaunched([killed, exits, dies, garbles]);
  const [first, second, third, fourth] = await ends(killed, exits, dies, garbles);
  assert.match(first as string, /^system WorkerLost: .*SIGKILL/);
  assert.match(
    second as string,
    /^system WorkerLost: The task's code called process\.exit\(3\) at .*pool\.fixture\.ts/,
  );
  assert.match(third as string, /^system WorkerLost: .*SIGABRT/);
  assert.match(fourth as string, /^system WorkerLost: The worker process sent what cannot be read .*this is no JSON/);
});

test("a task that fills the heap fails with a code of its own", async (t) => {
  process.env["NODE_OPTIONS"] = "--max-old-space-size=40";
  t.after(() => delete process.env["NODE_OPTIONS"]);
  const { pool, launch, ends } = bench(t);
  const full = launch("fills the heap");
  pool.ensureLaunched([full]);
  const [text] = await ends(full);
  assert.match(text as string, /^system OutOfMemory: .*--max-old-space-size/);
});

test("an error that nobody caught ends the attempt that it belongs to, and no other", async (t) => {
  const { pool, control, launch, ends, until } = bench(t);
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1);
  const later = launch("throws later", "late");
  const aside = launch("rejects aside", "aside");
  pool.ensureLaunched([later, aside]);
  assert.deepEqual(await ends(later, aside), ["user RangeError: late", "user RangeError: aside"]);
  control.end("c1", "one");
  assert.deepEqual(await ends(parent), ["one"]);
  assert.equal(await pidOf(pool), pid);
});

test("a stopped attempt is told, and has no outcome", async (t) => {
  const { pool, launch, outcomes, until, marks } = bench(t);
  const pid = await pidOf(pool);
  const hanging = launch("hang");
  const behind = launch("echo");
  pool.ensureLaunched([hanging, behind]);
  await until(() => marks().length === 1);
  pool.stop([behind, hanging], "aborted by the user");
  await until(() => pool.running().length === 0);
  assert.deepEqual(outcomes, []);
  assert.equal(await pidOf(pool), pid, "the worker lives on");
});

test("a busy loop that is stopped takes its worker with it; others are interrupted, not charged", async (t) => {
  const { pool, control, launch, ends, outcomes, until, marks } = bench(t, { stopGraceMs: 50 });
  const pid = await pidOf(pool);
  const parent = launch("parent", "c1");
  pool.ensureLaunched([parent]);
  await until(() => control.pending.size === 1 && pool.free() === 1);
  const spinning = launch("spin");
  pool.ensureLaunched([spinning]);
  await until(() => marks().length === 1);
  pool.stop([spinning], "timed out");
  assert.deepEqual(await ends(parent), ["interrupted"]);
  assert.deepEqual(
    outcomes.map(({ action }) => action),
    [parent.action],
  );
  assert.equal(isAlive(pid), false);
});

test("what is printed is kept with the attempt that printed it, line by line", async (t) => {
  const { pool, printed, texts, launch, ends } = bench(t);
  const both = [launch("prints", "a"), launch("prints", "b"), launch("child prints", "of a child")];
  pool.ensureLaunched(both);
  await ends(...both);
  const lines = (name: string) => [
    `stdout out ${name}`,
    `stderr err ${name}`,
    `stdout log ${name}`,
    "stdout no end of line",
  ];
  assert.deepEqual(printed.get("n1"), lines("a"));
  assert.deepEqual(printed.get("n2"), lines("b"));
  assert.deepEqual(printed.get("n3"), ["stdout of a child"]);
  await pool.describe("b", "/");
  assert.deepEqual(texts, ["loading b"]);
});

test("20 MB printed in one turn all arrive before the outcome", async (t) => {
  const { pool, printed, launch, ends } = bench(t);
  const flood = launch("floods", "20000");
  pool.ensureLaunched([flood]);
  await ends(flood);
  assert.equal(printed.get("n1")?.length, 20_000);
});

test("code is described and inputs are checked in a worker; what is wrong with them is an error", async (t) => {
  const { pool } = bench(t);
  assert.equal((await pool.describe("b", "/")).bundle, "b");
  assert.deepEqual(await pool.check("b", "/", "train", { depth: { type: "none" } }), ["train: depth"]);
  await assert.rejects(pool.describe("bad", "/"), { code: "invalid_argument", message: "The file does not parse." });
  await assert.rejects(pool.describe("exits", "/"), { code: "failed_precondition", message: /process\.exit\(4\)/ });
  assert.equal((await pool.describe("b", "/")).bundle, "b", "after its worker was replaced");
});

test("workers that cannot start are given up after a few tries, with their own words", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = join(dir, "broken.ts");
  writeFileSync(program, `console.error("cannot work here");\nprocess.exit(9);\n`);
  const { pool, launch, ends } = bench(t, { program: new URL(`file://${program}`) });
  const one = launch("echo");
  pool.ensureLaunched([one]);
  const described = assert.rejects(pool.describe("b", "/"), { code: "unavailable", message: /cannot work here/ });
  const [text] = await ends(one);
  assert.match(text as string, new RegExp(`cannot be started \\(tried ${maxStartFailures} times\\).*code 9`));
  await described;
});

test("no process is left after close, not even of a busy loop", async (t) => {
  const { pool, launch, until, marks } = bench(t, { workers: 2 });
  const pid = await pidOf(pool);
  pool.ensureLaunched([launch("spin"), launch("hang")]);
  await until(() => marks().length === 2);
  await pool.close();
  assert.equal(isAlive(pid), false);
  assert.deepEqual(pool.running(), []);
  assert.equal(pool.free(), 0);
  await assert.rejects(pool.describe("b", "/"), { code: "unavailable" });
});

test("no worker outlives a pool's process that is killed by kill -9", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-pool-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = `
    import { workerPool } from ${JSON.stringify(new URL("./pool.ts", import.meta.url).href)};
    const pool = workerPool({ dataDir: "/", workers: 1, calls: {}, logs: { append() {} }, program: new URL(${JSON.stringify(fixture.href)}) });
    const { entry } = await pool.describe("b", "/");
    pool.ensureLaunched([${JSON.stringify(launchOf(dir, "spin", "", "a"))}]);
    console.log(entry.slice(3));
  `;
  const parent = spawn(process.execPath, ["--conditions=source", "--input-type=module", "--eval", program]);
  const pid = Number(String((await once(parent.stdout, "data"))[0]));
  assert.ok(isAlive(pid));
  parent.kill("SIGKILL");
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
});
