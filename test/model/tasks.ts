// The tasks, inputs and calls of the model's runs: few, and one of each kind.
import { type Action, noTimeouts, type Policy } from "../../src/core/action.ts";
import { hashInputs } from "../../src/core/cache.ts";
import type { Call } from "../../src/core/messages.ts";
import { defaultRetries } from "../../src/core/retry.ts";
import { type Manifest, specDigest, type TaskSpec } from "../../src/core/task.ts";
import { hashLiterals, type Literals } from "../../src/core/value.ts";

const taskSpec = (shortName: string, part: Partial<TaskSpec>): TaskSpec => ({
  name: `m.${shortName}`,
  shortName,
  environment: "m",
  description: null,
  location: null,
  interface: { inputs: [], outputs: [] },
  target: { type: "typescript" },
  resources: { cpuMillis: 1_000, memoryBytes: null },
  retries: { user: 1, system: 2, backoff: { baseMs: 1_000, factor: 2, capMs: 1_500 } },
  timeouts: noTimeouts,
  cache: { type: "off" },
  env: {},
  code: { type: "known", modules: {}, packages: {} },
  ...part,
});

const cache: TaskSpec["cache"] = { type: "version", version: "1", ignoredInputs: [] };
const mib = 2 ** 20;

export const taskSpecs: readonly TaskSpec[] = [
  taskSpec("plain", {}),
  taskSpec("cached", { cache }),
  taskSpec("timed", { timeouts: { attemptMs: 10_000, queuedMs: 60_000, deadlineMs: 100_000 } }),
  taskSpec("hasty", { cache, timeouts: { ...noTimeouts, attemptMs: 5_000, queuedMs: 20_000 } }),
  taskSpec("hungry", {
    resources: { cpuMillis: 1_000, memoryBytes: mib },
    retries: {
      user: 1,
      system: 0,
      backoff: { baseMs: 0, factor: 1, capMs: 0 },
      onOom: { factor: 2, maxBytes: 3 * mib },
    },
  }),
];

const specs = new Map(taskSpecs.map((spec) => [specDigest(spec), spec]));

export function policyOf(action: Pick<Action, "type" | "spec" | "identity">): Policy {
  if (action.type === "task") {
    const spec = specs.get(action.spec ?? "") as TaskSpec;
    return { retries: spec.retries, timeouts: spec.timeouts, memoryBytes: spec.resources.memoryBytes };
  }
  const deadlineMs =
    action.type === "condition" ? (JSON.parse(action.identity.slice("approve ".length)) as number | null) : null;
  return { retries: defaultRetries, timeouts: { ...noTimeouts, deadlineMs } };
}

export const manifest: Manifest = { bundle: "model", entry: "model.ts", tasks: taskSpecs };

export const inputsOf = (n: number): Literals => ({ n: { type: "integer", value: String(n) } });

/** Kinds of calls that `callOf` knows. */
export const callKinds = taskSpecs.length + 5;

/** By what their calls are told as (`textOf`). */
export const kindOf = (text: string): number =>
  Array.from({ length: callKinds }, (_, kind) => kind).find((kind) =>
    textOf(callOf("x", kind, 0)).startsWith(`x = ${text}`),
  ) as number;

/** The call under that name; `kind` and `n` say which. */
export function callOf(name: string, kind: number, n: number): Call {
  const task = taskSpecs[kind];
  const inputs = inputsOf(n);
  const inputsHash = hashLiterals(inputs);
  if (task !== undefined) {
    return {
      type: "task",
      name,
      isNamed: true,
      task: task.name,
      overrides: {},
      group: null,
      identity: task.name,
      inputs: { type: "inline", text: JSON.stringify(inputs) },
      inputsHash,
      inputHashes: hashInputs(inputs),
    };
  }
  const trace = { type: "trace", name, label: "step", identity: "step", inputsHash } as const;
  const times = { startedAtMs: 1, endedAtMs: 2 };
  switch (kind - taskSpecs.length) {
    case 0:
      return {
        ...trace,
        result: { ...times, outputs: { type: "inline", text: '{"o0":{"type":"none"}}' }, error: null },
      };
    case 1:
      return { ...trace, result: { ...times, outputs: null, error: traceError } };
    case 2:
      return { ...trace, result: null };
    default:
      return conditionOf(name, kind === callKinds - 1 ? 50_000 : null);
  }
}

const conditionOf = (name: string, timeoutMs: number | null): Call => ({
  type: "condition",
  name,
  label: "approve",
  identity: `approve ${timeoutMs}`,
  condition: { name: "approve", valueType: "boolean", prompt: null, timeoutMs },
});

const traceError = {
  code: "RangeError",
  message: "the step broke",
  kind: "user",
  recoverable: true,
  stack: null,
  location: null,
  origin: null,
} as const;

export const textOf = (call: Call): string => {
  const detail = call.type === "task" ? call.task.slice(2) : call.type === "trace" ? traceText(call) : call.identity;
  const n =
    call.type === "task" ? `(${/"value":"(\d+)"/.exec(JSON.stringify(call.inputs).replaceAll("\\", ""))?.[1]})` : "";
  return `${call.name} = ${detail}${n}`;
};

const traceText = ({ result }: Extract<Call, { type: "trace" }>): string =>
  result === null ? "trace?" : result.error === null ? "trace" : "failed trace";
