// What a call costs in the worker, the SDK and the pipes between worker and pool: real worker processes,
// under a control in memory that answers at once. So nothing that is measured here is the store's.
//
//   node --conditions=source bench/worker-half.ts [fan|last|map|child|chain …] [--count 100000]
//
// fan: one task makes all calls at once, and each ends soon. last: each ends after all were made. map: a
// thousand at a time. child: trivial attempts, as the pool sends them. chain: one call after the other.
// Arguments for the worker's Node, such as --cpu-prof, go into NODE_OPTIONS and come to both processes.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openFileBlobs } from "../src/blob/files.ts";
import type { AttemptRef, Call, CallAnswer, CallState, Launch, TaskCalls } from "../src/core/messages.ts";
import { Capacity } from "../src/executor/capacity.ts";
import { Seat } from "../src/executor/seat.ts";
import { WorkerProcess } from "../src/executor/worker-process.ts";
import { bundleFile, storeBundle } from "../src/sdk/bundle.ts";

const pipeline = `import { environment, map } from "godwit";
import { z } from "zod";
const env = environment({ name: "bench" });
const input = z.object({ n: z.int() });
const output = z.int();
export const leaf = env.task({ name: "leaf", input, output }, async ({ n }) => n + 1);
export const fan = env.task({ name: "fan", input, output }, async ({ n }) => {
  const results = await Promise.all(Array.from({ length: n }, (_, i) => leaf({ n: i })));
  return results.length;
});
function* numbers(n: number) { for (let i = 0; i < n; i++) yield { n: i }; }
export const mapped = env.task({ name: "mapped", input, output }, async ({ n }) => {
  const results = await map(leaf, numbers(n), { concurrency: 1000 });
  return results.length;
});
export const chain = env.task({ name: "chain", input, output }, async ({ n }) => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += await leaf({ n: i });
  return sum;
});
`;

/** Every call ends well: soon after it was made, or once `endsAfter` calls were made. */
class InstantControl implements TaskCalls {
  readonly gapsMs: number[] = [];
  calls = 0;
  readonly #endsAfter: number;
  #ended: CallState[] = [];
  #wake = Promise.withResolvers<void>();
  #toldAtMs = 0;

  constructor(endsAfter: number) {
    this.#endsAfter = endsAfter;
  }

  async call(_: AttemptRef, calls: readonly Call[]): Promise<readonly CallAnswer[]> {
    if (this.#toldAtMs > 0) this.gapsMs.push(performance.now() - this.#toldAtMs);
    this.calls += calls.length;
    for (const { name } of calls) this.#ended.push({ name, phase: "succeeded", attempt: 1, outputs, error: null });
    if (this.calls >= this.#endsAfter) setImmediate(() => this.#wake.resolve());
    return calls.map(({ name }) => ({ name, phase: "queued", attempt: 0, outputs: null, error: null }));
  }

  async *follow(_: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    signal.addEventListener("abort", () => this.#wake.resolve());
    while (!signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      const ended = this.#ended;
      this.#ended = [];
      this.#toldAtMs = performance.now();
      for (let from = 0; from < ended.length; from += 1_000) yield ended.slice(from, from + 1_000);
    }
  }

  async attach(): Promise<void> {}
  async abortCalls(): Promise<void> {}
}

const outputs = { type: "inline", text: '{"o0":{"type":"integer","value":"7"}}' } as const;

const shared = { seat: new Seat(), own: null, isReusable: true, memory: null };
const machine = { cpuMillis: 1_000, memoryBytes: 0, diskBytes: 0, gpus: [], tokens: {} };

type Bench = {
  readonly worker: WorkerProcess;
  /** Of Node itself, in the worker. */
  readonly pid: number;
  readonly control: InstantControl;
  launchOf(task: string, n: number): Launch;
  /** Called with the number of attempts that have just ended. */
  onEnds: (count: number) => void;
  close(): Promise<void>;
};

async function open(endsAfter: number): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), "godwit-bench-"));
  const file = join(dir, "pipeline.ts");
  writeFileSync(file, pipeline);
  symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), join(dir, "node_modules"));
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
  const bundle = await storeBundle(await bundleFile(file, dir), await openFileBlobs(join(dir, "blobs")));
  const control = new InstantControl(endsAfter);
  const ready = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const worker = new WorkerProcess({
    args: [
      "--enable-source-maps",
      "--conditions=source",
      fileURLToPath(new URL("../src/worker/main.ts", import.meta.url)),
    ],
    env: process.env,
    dataDir: dir,
    capacity: new Capacity({ machine, limits: {} }),
    ...shared,
    calls: control,
    logs: { append: (_, lines) => console.error(lines) },
    onText: (text) => console.error(text),
    onReady: () => ready.resolve(),
    onOutcomes: (ended) => {
      for (const { measured } of ended) {
        const { result } = measured.outcome;
        if (result.type !== "succeeded") throw new Error(JSON.stringify(result));
      }
      bench.onEnds(ended.length);
    },
    onChange: () => undefined,
    onGone: () => gone.resolve(),
  });
  await ready.promise;
  const described = await worker.ask({ type: "describe", bundle, projectDir: dir });
  if (described.type !== "described") throw new Error("the bundle could not be loaded");
  const specs = new Map(described.manifest.tasks.map((spec) => [spec.shortName, spec]));
  let actions = 0;
  const bench: Bench = {
    worker,
    pid: worker.pid,
    control,
    launchOf: (task, n) => ({
      run: 1,
      runName: "r",
      project: "default",
      domain: "development",
      action: actionName(actions++),
      attempt: 1,
      depth: 0,
      isRecovery: false,
      bundle,
      projectDir: dir,
      spec: specs.get(task) as Launch["spec"],
      resources: { cpuMillis: 1_000, memoryBytes: null },
      inputs: { type: "inline", text: `{"n":{"type":"integer","value":"${n}"}}` },
      seed: 1,
      checkpoint: null,
    }),
    onEnds: () => undefined,
    close: async () => {
      worker.end("The benchmark is over.");
      await gone.promise;
      rmSync(dir, { recursive: true });
    },
  };
  return bench;
}

const actionName = (index: number): string => `n${String(index).padStart(24, "0")}`;

/** User and system time, in the kernel's ticks of 10 ms. */
function processorMs(pid: number | "self"): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

async function measured(bench: Bench, body: () => Promise<void>): Promise<Figures> {
  const before = {
    worker: processorMs(bench.pid),
    pool: processorMs("self"),
    atMs: performance.now(),
    mb: peakMb(bench.pid),
  };
  await body();
  return {
    wallMs: performance.now() - before.atMs,
    workerMs: processorMs(bench.pid) - before.worker,
    poolMs: processorMs("self") - before.pool,
    peakMb: peakMb(bench.pid),
    baseMb: before.mb,
  };
}

type Figures = {
  readonly wallMs: number;
  readonly workerMs: number;
  readonly poolMs: number;
  readonly peakMb: number;
  readonly baseMb: number;
};

function print(what: string, calls: number, figures: Figures): void {
  const each = (ms: number): string => `${((ms * 1_000) / calls).toFixed(1)} µs`;
  const { wallMs, workerMs, poolMs } = figures;
  const kb = ((figures.peakMb - figures.baseMb) * 1024) / calls;
  console.log(
    `${what.padEnd(6)} ${calls} calls: wall ${each(wallMs)}, worker ${each(workerMs)}, pool ${each(poolMs)} a call; ` +
      `worker at most ${figures.peakMb.toFixed(0)} MB, ${kb.toFixed(2)} KB a call over its ${figures.baseMb.toFixed(0)}`,
  );
}

const percentile = (values: readonly number[], part: number): string =>
  `${((values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? 0) * 1_000).toFixed(0)} µs`;

/** Attempts one at a time: the parent, or children that are timed. */
const runOne = (bench: Bench, task: string, n: number): Promise<void> =>
  new Promise((resolve) => {
    bench.onEnds = () => resolve();
    bench.worker.launch([{ launch: bench.launchOf(task, n), isQuick: false }]);
  });

/** As the pool does: `ahead` in the worker, and as many sent as have ended. */
const runChildren = (bench: Bench, count: number, ahead: number): Promise<void> =>
  new Promise((resolve) => {
    let sent = 0;
    let ended = 0;
    const send = (places: number): void => {
      const launches = Array.from({ length: Math.min(places, count - sent) }, () => ({
        launch: bench.launchOf("leaf", sent++),
        isQuick: true,
      }));
      if (launches.length > 0) bench.worker.launch(launches);
    };
    bench.onEnds = (ends) => {
      ended += ends;
      if (ended === count) resolve();
      else send(ends);
    };
    send(ahead);
  });

async function runCase(name: string, count: number): Promise<void> {
  const bench = await open(name === "last" ? count : 0);
  if (name === "child") {
    await runChildren(bench, 2_000, 512);
    print(name, count, await measured(bench, () => runChildren(bench, count, 512)));
    const gaps: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const atMs = performance.now();
      await runOne(bench, "leaf", i);
      gaps.push(performance.now() - atMs);
    }
    console.log(`       launch to outcome: p50 ${percentile(gaps, 0.5)}, p99 ${percentile(gaps, 0.99)}`);
  } else if (name === "chain") {
    const calls = Math.min(count, 10_000);
    await runOne(bench, "chain", 1_000);
    bench.control.gapsMs.length = 0;
    print(name, calls, await measured(bench, () => runOne(bench, "chain", calls)));
    const { gapsMs } = bench.control;
    console.log(`       end to next call: p50 ${percentile(gapsMs, 0.5)}, p99 ${percentile(gapsMs, 0.99)}`);
  } else {
    print(name, count, await measured(bench, () => runOne(bench, name === "map" ? "mapped" : "fan", count)));
  }
  await bench.close();
}

const { values, positionals } = parseArgs({
  options: { count: { type: "string", default: "100000" } },
  allowPositionals: true,
});
for (const name of positionals.length > 0 ? positionals : ["fan", "last", "map", "child", "chain"])
  await runCase(name, Number(values.count));
