// Container tasks for tests: real tasks of Flyte's SDK, run by a real executor, and what came of them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { TestPython } from "../../test/python.ts";
import { openFileBlobs } from "../blob/files.ts";
import { type ActionError, noTimeouts } from "../core/action.ts";
import type { Attach, AttemptRef, Launch, LogLine, Outcome } from "../core/messages.ts";
import type { Machine, Resources } from "../core/resources.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Literal, Literals, LiteralType, Payload, Variable } from "../core/value.ts";
import { openStorage } from "../storage/storage.ts";
import { Capacity } from "./capacity.ts";
import type { Executor } from "./executor.ts";
import type { LoneExecutor } from "./lone-attempts.ts";
import { outcomes } from "./outcomes.fixture.ts";
import { type PythonExecutorOptions, pythonExecutor } from "./python.ts";

export const dir = mkdtempSync(join(tmpdir(), "godwit-python-"));
after(() => rmSync(dir, { recursive: true, force: true }));

export const integer: LiteralType = { type: "simple", simple: "integer" };
export const text: LiteralType = { type: "simple", simple: "string" };

export const blobs = await openFileBlobs(join(dir, "blobs"));
export const storage = await openStorage({ root: join(dir, "storage"), blobs });
export const logged: LogLine[] = [];
export const attached: (AttemptRef & { readonly attach: Attach })[] = [];

/** The code bundle of test/fixtures/python, as the SDK packs it. */
const bundle = join(dir, "bundle.tar.gz");
execFileSync("tar", ["-czf", bundle, "-C", join(import.meta.dirname, "../../test/fixtures/python"), "."]);

export type Task = {
  /** A function of basics.py. */
  readonly function: string;
  readonly x?: number;
  readonly output?: LiteralType;
  readonly env?: { readonly [name: string]: string };
  readonly runEnv?: { readonly [name: string]: string };
  readonly resources?: Partial<Resources>;
  readonly action?: string;
  readonly attempt?: number;
  readonly image?: string;
  readonly args?: readonly string[];
};

const variable = (name: string, type: LiteralType): Variable => ({
  name,
  type,
  required: true,
  description: null,
  defaultText: null,
});

let count = 0;
export const launchOf = (task: Task): Launch => ({
  run: 1,
  runName: "swift-run",
  project: "flytesnacks",
  domain: "development",
  action: task.action ?? `action${count++}`,
  attempt: task.attempt ?? 1,
  depth: 0,
  isRecovery: false,
  bundle: "",
  projectDir: "",
  seed: 42,
  resources: { cpuMillis: 1000, memoryBytes: null, ...task.resources },
  checkpoint: null,
  inputs: { type: "inline", text: JSON.stringify({ x: { type: "integer", value: String(task.x ?? 21) } }) },
  origin: { env: task.runEnv ?? {}, runStartAtMs: Date.UTC(2026, 7, 1) },
  spec: {
    name: `basics.${task.function}`,
    shortName: task.function,
    environment: "basics",
    description: null,
    location: null,
    interface: { inputs: [variable("x", integer)], outputs: [variable("o0", task.output ?? integer)] },
    target: {
      type: "container",
      image: task.image ?? "auto",
      command: [],
      args: task.args ?? argsOf(task.function),
      env: task.env ?? {},
      taskType: "python",
      message: "",
    },
    resources: { cpuMillis: 1000, memoryBytes: null },
    retries: defaultRetries,
    timeouts: noTimeouts,
    cache: { type: "off" },
    env: {},
    code: { type: "unknown", reason: "a test" },
  },
});

/** As the SDK writes them into a task's spec. */
const argsOf = (name: string): readonly string[] => [
  "a0",
  ...["--inputs", "{{.input}}", "--outputs-path", "{{.outputPrefix}}", "--version", "v1"],
  ...["--raw-data-path", "{{.rawOutputDataPrefix}}", "--checkpoint-path", "{{.checkpointOutputPrefix}}"],
  ...["--prev-checkpoint", "{{.prevCheckpointPrefix}}", "--run-name", "{{.runName}}", "--name", "{{.actionName}}"],
  ...["--run-start-time", "{{.runStartTime}}", "--tgz", bundle, "--dest", "."],
  ...["--resolver", "flyte._internal.resolvers.default.DefaultTaskResolver", "mod", "basics", "instance", name],
];

const machine: Machine = { cpuMillis: 4_000, memoryBytes: 2 ** 32, diskBytes: 2 ** 30, gpus: [], tokens: {} };

export function openExecutor(python: TestPython, options: Partial<PythonExecutorOptions> = {}): LoneExecutor {
  const tmpDir = join(dir, "tmp");
  mkdirSync(tmpDir, { recursive: true });
  const executor = pythonExecutor({
    blobs,
    storage,
    logs: { append: (_, lines) => logged.push(...lines) },
    calls: { attach: async (caller, attach) => void attached.push({ ...caller, attach }) },
    capacity: new Capacity({ machine, limits: {} }),
    tmpDir,
    endpoint: () => "localhost:1",
    environments: { resolve: async () => ({ python: python.python }) },
    ...options,
  });
  opened.push(executor);
  return executor;
}

const opened: LoneExecutor[] = [];

/** Also after a test that has failed: an interpreter that is left would keep the test's process alive. */
export async function closeExecutors(): Promise<void> {
  await Promise.all(opened.splice(0).map((executor) => executor.close()));
}

export async function run(executor: Executor, task: Task): Promise<Outcome> {
  executor.ensureLaunched([launchOf(task)]);
  const [outcome] = await outcomes(executor, 1);
  return outcome as Outcome;
}

/** The task's only output. */
export async function succeeds(executor: Executor, task: Task): Promise<Literal> {
  const { result } = await run(executor, task);
  assert.equal(result.type, "succeeded", JSON.stringify(result));
  const payload = (result as { readonly outputs: Payload }).outputs;
  const json = payload.type === "inline" ? payload.text : Buffer.from(await blobs.read(payload.digest)).toString();
  return (JSON.parse(json) as Literals).o0 as Literal;
}

export async function fails(executor: Executor, task: Task, code: string, message: RegExp): Promise<ActionError> {
  const { result } = await run(executor, task);
  assert.equal(result.type, "failed", JSON.stringify(result));
  const { error } = result as Extract<Outcome["result"], { type: "failed" }>;
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return error;
}
