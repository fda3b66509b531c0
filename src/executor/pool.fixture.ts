// A worker for the pool's tests: the real process, with a program whose tasks are named after what
// they do to it. A task's input is text.
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import fs, { appendFileSync, existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type ActionError, isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { AttemptRef, Call, CallState, Launch, Outcome } from "../core/messages.ts";
import { type Host, startWorker } from "../worker/worker.ts";

type Task = (input: string, attempt: { launch: Launch; host: Host; signal: AbortSignal }) => Promise<string>;

const never = new Promise<string>(() => undefined);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Until `AbortSignal` says so: what a test lets go of. */
const stopped = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve("stopped"), { once: true }));

function mark(launch: Launch, text: string): void {
  appendFileSync(join(launch.projectDir, "marks"), `${text}\n`);
}

/** Calls tasks as the SDK's session does, and waits for their ends. */
async function callAll(names: readonly string[], { launch, host }: { launch: Launch; host: Host }): Promise<string> {
  const ends = new Map<string, PromiseWithResolvers<CallState>>();
  for (const name of names) ends.set(name, Promise.withResolvers());
  const settle = (state: CallState): void => {
    if (state.phase !== null && isTerminal(state.phase)) ends.get(state.name)?.resolve(state);
  };
  const following = new AbortController();
  const read = async (): Promise<void> => {
    for await (const batch of host.calls.follow(launch, following.signal)) for (const state of batch) settle(state);
  };
  const reading = read();
  host.onState("waiting");
  const calls = names.map((name) => ({ type: "task", name, task: name }) as unknown as Call);
  for (const answer of await host.calls.call(launch, calls)) {
    if ("refused" in answer) throw new Error(answer.refused.message);
    settle(answer);
  }
  const states = await Promise.all([...ends.values()].map(({ promise }) => promise));
  host.onState("active");
  following.abort();
  await reading;
  return states.map(({ outputs }) => (outputs?.type === "inline" ? outputs.text : "none")).join(",");
}

/** Has a trace recorded, as the SDK's session does. */
async function record(name: string, { launch, host }: { launch: Launch; host: Host }): Promise<void> {
  host.onState("recording");
  await host.calls.call(launch, [{ type: "trace", name } as Call]);
  host.onState("active");
}

const tasks: { readonly [name: string]: Task } = {
  echo: async (input) => input,
  throws: async (input) => Promise.reject(new TypeError(input)),
  parent: (input, attempt) => callAll(input.split(" "), attempt),
  /** Input: the names of traces, one after the other; "killed" among them is its end. */
  traces: async (input, attempt) => {
    for (const name of input.split(" ")) {
      if (name === "killed") process.kill(process.pid, "SIGKILL");
      await record(name, attempt);
    }
    return String(process.pid);
  },
  hang: async (_, { launch, signal }) => {
    mark(launch, "hang");
    return stopped(signal);
  },
  deaf: async (_, { launch }) => {
    mark(launch, "deaf");
    return never;
  },
  spin: async (_, { launch }) => {
    mark(launch, "spin");
    for (;;);
  },
  /** Input: milliseconds. */
  "spins for": async (input, { launch }) => {
    mark(launch, "spins for");
    const untilMs = performance.now() + Number(input);
    while (performance.now() < untilMs);
    return input;
  },
  /** Until there is a file of that name. */
  gate: async (input, { launch }) => {
    mark(launch, `${process.pid}`);
    while (!existsSync(join(launch.projectDir, input))) await pause(5);
    return `through in ${process.pid}`;
  },
  /** Says when it begins and ends, and with what. */
  works: async (input, { launch }) => {
    const { action, resources } = launch;
    const gpus = process.env.CUDA_VISIBLE_DEVICES ?? "none";
    mark(launch, `begin ${action} ${resources.cpuMillis} ${gpus}`);
    await pause(Number(input));
    mark(launch, `end ${action}`);
    return `${process.pid} ${gpus}`;
  },
  /** Input: how many MiB it takes, at once or piece by piece. */
  "takes at once": async (input) => String(Buffer.alloc(Number(input) * 2 ** 20, 1).length),
  takes: async (input) => {
    const kept: Buffer[] = [];
    for (; kept.length < Number(input) / 10; await pause(10)) kept.push(Buffer.alloc(10 * 2 ** 20, 1));
    return String(kept.length);
  },
  /** Quick, unless told otherwise. */
  moody: async (input) => {
    if (input === "slow") await pause(700);
    return input;
  },
  exits: async (input) => process.exit(Number(input)),
  killed: async () => {
    process.kill(process.pid, "SIGKILL");
    return never;
  },
  "calls and dies": async (_, attempt) => {
    attempt.host.onState("waiting");
    process.abort();
  },
  "fills the heap": async () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length));
  },
  "throws later": async (input) => {
    setTimeout(() => {
      throw new RangeError(input);
    }, 1);
    return never;
  },
  "rejects aside": async (input) => {
    Promise.reject(new RangeError(input));
    return never;
  },
  prints: async (input, { host }) => {
    console.log(`out ${input}`);
    console.error(`err ${input}`);
    host.log({ atMs: 1, stream: "stdout", text: `log ${input}` });
    process.stdout.write("no end of line");
    return "";
  },
  "child prints": (input) =>
    new Promise((resolve) => {
      spawn("sh", ["-c", `echo "$0"`, input], { stdio: "inherit" }).on("exit", () => setTimeout(resolve, 20, ""));
    }),
  floods: async (input) => {
    for (let line = 0; line < Number(input); line++) console.log(`${line} ${"x".repeat(1_000)}`);
    return "";
  },
  "reports and dies": async (input) => dyingAtReport(1, input),
  "dies reporting": async (input) => dyingAtReport(0.5, input),
  "breaks the stream": async () => {
    const { writeSync } = await import("node:fs");
    writeSync(4, "this is no JSON\n");
    return never;
  },
};

/** Ends the process with SIGKILL when that share of its next report of outcomes is in the pipe. */
function dyingAtReport<T>(share: number, result: T): T {
  const { writeSync } = fs;
  fs.writeSync = ((fd: number, bytes: Buffer, ...rest: never[]) => {
    if (!(bytes instanceof Uint8Array) || !bytes.includes('"outcomes"')) return writeSync(fd, bytes, ...rest);
    writeSync(fd, bytes.subarray(0, Math.floor(bytes.length * share)));
    return process.kill(process.pid, "SIGKILL");
  }) as typeof writeSync;
  syncBuiltinESMExports();
  return result;
}

const current = new AsyncLocalStorage<AttemptRef>();

function errorOf(thrown: unknown): ActionError {
  const error = thrown as Error;
  return {
    code: error.name,
    message: error.message,
    kind: "user",
    recoverable: true,
    stack: error.stack ?? null,
    location: null,
    origin: null,
  };
}

startWorker({
  open: async () => ({
    async runAttempt(launch, host, { signal }): Promise<Outcome> {
      const { run, action, attempt } = launch;
      const task = tasks[launch.spec.name] as Task;
      const input = launch.inputs.type === "inline" ? launch.inputs.text : "";
      const text = await current.run({ run, action, attempt }, () => task(input, { launch, host, signal }));
      return { run, action, attempt, result: { type: "succeeded", outputs: { type: "inline", text } } };
    },
    async describe(bundle) {
      if (bundle === "bad") throw new GodwitError("invalid_argument", "The file does not parse.");
      if (bundle === "exits") process.exit(4);
      console.log(`loading ${bundle}`);
      return { bundle, entry: `in ${process.pid}`, tasks: [] };
    },
    check: async (_bundle, _projectDir, task, inputs) => [`${task}: ${Object.keys(inputs).join(" ")}`],
  }),
  currentAttempt: () => current.getStore() ?? null,
  errorOf,
});
