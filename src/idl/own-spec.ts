// Specs of our own tasks as text, which is how they travel in the protocol's `custom`: whoever deploys may have
// written it, so nothing of its form is taken on trust.
import { maxGpus } from "../core/quantities.ts";
import type { TaskSpec } from "../core/task.ts";

export const ownSpecText = (spec: TaskSpec): string => JSON.stringify(spec);

/** Null if the text is no spec. Types of variables are not looked into: the caller compares them with others. */
export function ownSpecOf(text: unknown): TaskSpec | null {
  const json = parsed(text);
  return isSpec(json) ? (json as TaskSpec) : null;
}

function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : null;
  } catch {
    return null; // Then it is no spec.
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isBoolean: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isWhole: Check = Number.isSafeInteger;
const isNumber: Check = (value) => Number.isFinite(value) && (value as number) >= 0;

const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);

/** These members and no other: what is not known here would be run as if it were not there. */
const record =
  (members: { readonly [name: string]: Check }): Check =>
  (value) =>
    isObject(value) &&
    Object.entries(members).every(([name, check]) => check(value[name])) &&
    Object.keys(value).every((name) => Object.hasOwn(members, name));

const choice =
  (variants: { readonly [type: string]: { readonly [name: string]: Check } }): Check =>
  (value) => {
    if (!isObject(value) || typeof value.type !== "string" || !Object.hasOwn(variants, value.type)) return false;
    return record({ type: isText, ...variants[value.type] })(value);
  };

const isVariable = record({
  name: isText,
  type: isObject,
  required: isBoolean,
  description: orNull(isText),
  defaultText: orNull(isText),
});

const isTarget = choice({
  typescript: {
    bundle: optional(record({ digest: (text) => /^[0-9a-f]{64}$/.test(String(text)), projectDir: isText })),
  },
  shell: { command: (value) => isText(value) || listOf(isText)(value), env: mapOf(isText) },
  image: {},
});

const isResources = record({
  cpuMillis: isCount,
  memoryBytes: orNull(isCount),
  gpus: optional(record({ count: (value) => isCount(value) && (value as number) <= maxGpus, model: orNull(isText) })),
  diskBytes: optional(isCount),
  tokens: optional(mapOf(isCount)),
});

const isRetries = record({
  user: isCount,
  system: isCount,
  backoff: record({ baseMs: isNumber, factor: isNumber, capMs: isNumber }),
  onOom: optional(record({ factor: isNumber, maxBytes: isCount })),
});

/** Whoever gives a spec another member has to say here what it may be. */
const members: { readonly [name in keyof Required<TaskSpec>]: Check } = {
  name: isText,
  shortName: isText,
  environment: isText,
  description: orNull(isText),
  location: orNull(record({ file: isText, line: isCount, column: isCount })),
  interface: record({ inputs: listOf(isVariable), outputs: listOf(isVariable) }),
  target: isTarget,
  resources: isResources,
  retries: isRetries,
  timeouts: record({ attemptMs: orNull(isCount), queuedMs: orNull(isCount), deadlineMs: orNull(isCount) }),
  cache: choice({
    off: {},
    auto: { ignoredInputs: listOf(isText) },
    version: { version: isText, ignoredInputs: listOf(isText) },
  }),
  env: mapOf(isText),
  code: choice({ known: { modules: mapOf(isText), packages: mapOf(isText) }, unknown: { reason: isText } }),
  priority: optional(isWhole),
  concurrency: optional(isCount),
  environmentConcurrency: optional(isCount),
};

const isSpec = record(members);
