// Shell tasks for tests: builds them, runs them in a real executor, and reads what came of it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { openFileBlobs } from "../blob/files.ts";
import { type ActionError, noTimeouts } from "../core/action.ts";
import type { Launch, LogLine, Outcome } from "../core/messages.ts";
import type { Machine, Resources } from "../core/resources.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Literals, LiteralType, Payload, Variable } from "../core/value.ts";
import { describeParquet } from "../idl/idl.ts";
import { Capacity } from "./capacity.ts";
import type { Executor } from "./executor.ts";
import { outcomes } from "./outcomes.fixture.ts";
import { processExecutor } from "./process.ts";

export const dir = mkdtempSync(join(tmpdir(), "godwit-process-"));
after(() => rmSync(dir, { recursive: true, force: true }));

export const float: LiteralType = { type: "simple", simple: "float" };

export type Task = {
  readonly command: string | readonly string[];
  readonly inputs?: { readonly [name: string]: LiteralType };
  readonly outputs?: { readonly [name: string]: LiteralType };
  readonly values?: Literals;
  readonly payload?: Payload;
  readonly env?: { readonly [name: string]: string };
  readonly resources?: Partial<Resources>;
  readonly taskEnv?: { readonly [name: string]: string };
};

const variables = (types: { readonly [name: string]: LiteralType } = {}): Variable[] =>
  Object.entries(types).map(([name, type]) => ({
    name,
    type,
    required: type.type !== "union",
    description: null,
    defaultText: null,
  }));

let count = 0;
export const launchOf = (task: Task): Launch => ({
  run: 1,
  runName: "swift-run",
  project: "default",
  domain: "development",
  action: `a${count++}`,
  attempt: 2,
  depth: 0,
  isRecovery: false,
  bundle: "b",
  projectDir: dir,
  seed: 42,
  resources: { cpuMillis: 1000, memoryBytes: null, ...task.resources },
  checkpoint: null,
  inputs: task.payload ?? { type: "inline", text: JSON.stringify(task.values ?? {}) },
  spec: {
    name: "etl.sort",
    shortName: "sort",
    environment: "etl",
    description: null,
    location: { file: "etl.ts", line: 3, column: 1 },
    interface: { inputs: variables(task.inputs), outputs: variables(task.outputs) },
    target: { type: "shell", command: task.command, env: task.taskEnv ?? {} },
    resources: { cpuMillis: 1000, memoryBytes: null },
    retries: defaultRetries,
    timeouts: noTimeouts,
    cache: { type: "off" },
    env: task.env ?? {},
    code: { type: "unknown", reason: "a test" },
  },
});

const machine: Machine = { cpuMillis: 0, memoryBytes: 2 ** 30, diskBytes: 2 ** 30, gpus: [], tokens: {} };

export const blobs = await openFileBlobs(join(dir, "blobs"));
export const logged: LogLine[] = [];
export const openExecutor = (cores = 4, tmpDir = join(dir, "tmp"), has: Partial<Machine> = {}): Executor =>
  processExecutor({
    blobs,
    logs: { append: (_, lines) => logged.push(...lines) },
    clock: { nowMs: () => 77 },
    capacity: new Capacity({ machine: { ...machine, cpuMillis: cores * 1_000, ...has }, limits: {} }),
    tmpDir,
    describeTable: describeParquet,
  });

/** How many more attempts could be reserved now, up to 10. */
export function free(executor: Executor): number {
  const taken: Launch[] = [];
  while (taken.length < 10) {
    const wanted = launchOf({ command: "true" });
    if (executor.reserve({ ...wanted, maxConcurrency: null }, null) !== null) break;
    taken.push(wanted);
  }
  executor.release(taken);
  return taken.length;
}

export async function run(task: Task): Promise<Outcome["result"]> {
  const executor = openExecutor();
  executor.ensureLaunched([launchOf(task)]);
  const [outcome] = await outcomes(executor, 1);
  await executor.close();
  return (outcome as Outcome).result;
}

export async function succeeds(task: Task): Promise<Literals> {
  const result = await run(task);
  assert.equal(result.type, "succeeded", JSON.stringify(result));
  const payload = (result as { readonly outputs: Payload }).outputs;
  return JSON.parse(
    payload.type === "inline" ? payload.text : Buffer.from(await blobs.read(payload.digest)).toString(),
  ) as Literals;
}

export async function fails(task: Task, code: string, message: RegExp): Promise<ActionError> {
  const result = await run(task);
  assert.equal(result.type, "failed", JSON.stringify(result));
  const { error } = result as Extract<Outcome["result"], { type: "failed" }>;
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return error;
}
