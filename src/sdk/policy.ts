// What users write about retries, timeouts, caching and resources, turned into what core understands.
import { noTimeouts } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { type Duration, durationMs, priorities, wholeNumber } from "../core/quantities.ts";
import type { Resources } from "../core/resources.ts";
import { defaultBackoff, defaultRetries, type RetryPolicy } from "../core/retry.ts";
import type { CachePolicy, Overrides, Timeouts } from "../core/task.ts";
import { defaultResources, type OomOption, oomPolicy, type ResourcesOption, resourcesOf } from "./resource-option.ts";

export type RetriesOption =
  /** Tries after the first, for errors that the task throws. */
  | number
  | {
      readonly user?: number;
      /** Tries after the first when the system fails (a lost worker). Default 3. */
      readonly system?: number;
      /** Default: 1 s, doubled each time, at most 1 min, less a jitter of up to half. */
      readonly backoff?: { readonly base?: Duration; readonly factor?: number; readonly cap?: Duration };
      /** An attempt that ran out of the memory it asked for is followed by one with more: `{ memory: "x2", max: "8Gi" }`. */
      readonly onOom?: OomOption;
    };

export type TimeoutOption =
  /** One attempt's running time. */
  | Duration
  | {
      readonly attempt?: Duration;
      /** From the call to the first start. */
      readonly queued?: Duration;
      /** From the call to the end, all attempts together. */
      readonly deadline?: Duration;
    };

export type CacheOption =
  | "off"
  /** The key covers the code that the task reaches, the versions of its packages, and its inputs by content. */
  | "auto"
  /** The key covers this word in the place of the code. `ignoreInputs`: names of inputs that are not in the key. */
  | { readonly version: string; readonly ignoreInputs?: readonly string[] }
  | { readonly auto: true; readonly ignoreInputs?: readonly string[] };

/** What a task's definition and a call's `override` have in common. */
export type PolicyOptions = {
  /** `{ cpu: 2, memory: "4Gi", gpu: 1 }`. Default: those of the environment. See docs/resources.md. */
  readonly resources?: ResourcesOption;
  /** Tries after the first: `2` for errors that the task throws, or `{ user, system, backoff, onOom }`. Default: none, and 3 when the system fails. */
  readonly retries?: RetriesOption;
  /** `"10m"` for each attempt, or `{ attempt, queued, deadline }`. Default: none. */
  readonly timeout?: TimeoutOption;
  /** Whether a result of the same work is reused: `"auto"`, or `{ version: "v1" }`. Default `"off"`. See docs/cache.md. */
  readonly cache?: CacheOption;
  /** -100 to 100: higher goes first within a project. Default: as the caller, and for a root as the run. */
  readonly priority?: number;
};

/** Only what was given; `what` names the task, for errors. */
export function overridesOf(options: PolicyOptions, what: string, base: Resources = defaultResources): Overrides {
  return {
    ...(options.resources === undefined ? {} : { resources: resourcesOf(options.resources, what, base) }),
    ...(options.retries === undefined ? {} : { retries: retriesOf(options.retries, what) }),
    ...(options.timeout === undefined ? {} : { timeouts: timeoutsOf(options.timeout, what) }),
    ...(options.cache === undefined ? {} : { cache: cacheOf(options.cache, what) }),
    ...(options.priority === undefined
      ? {}
      : { priority: wholeNumber(options.priority, priorities, `${what}: priority`) }),
  };
}

function retriesOf(option: RetriesOption, what: string): RetryPolicy {
  if (typeof option === "number") return { ...defaultRetries, user: retryCount(option, `${what}: retries`) };
  const { backoff } = option;
  const factor = backoff?.factor ?? defaultBackoff.factor;
  if (!(factor >= 1 && factor <= 100)) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: retries.backoff.factor has to be from 1 to 100, not ${factor}.`,
    );
  }
  return {
    user: retryCount(option.user ?? 0, `${what}: retries.user`),
    system: retryCount(option.system ?? defaultRetries.system, `${what}: retries.system`),
    backoff: {
      baseMs:
        backoff?.base === undefined ? defaultBackoff.baseMs : durationMs(backoff.base, `${what}: retries.backoff.base`),
      factor,
      capMs:
        backoff?.cap === undefined ? defaultBackoff.capMs : durationMs(backoff.cap, `${what}: retries.backoff.cap`),
    },
    ...(option.onOom === undefined ? {} : { onOom: oomPolicy(option.onOom, what) }),
  };
}

/** The most retries that a task may ask for. */
const maxRetries = 1_000;

function retryCount(count: number, what: string): number {
  if (Number.isInteger(count) && count >= 0 && count <= maxRetries) return count;
  throw new GodwitError("invalid_argument", `${what} has to be a whole number from 0 to ${maxRetries}, not ${count}.`);
}

function timeoutsOf(option: TimeoutOption, what: string): Timeouts {
  if (typeof option !== "object") return { ...noTimeouts, attemptMs: durationMs(option, `${what}: timeout`) };
  const part = (name: "attempt" | "queued" | "deadline"): number | null =>
    option[name] === undefined ? null : durationMs(option[name], `${what}: timeout.${name}`);
  return { attemptMs: part("attempt"), queuedMs: part("queued"), deadlineMs: part("deadline") };
}

function cacheOf(option: CacheOption, what: string): CachePolicy {
  if (option === "off") return { type: "off" };
  if (option === "auto") return { type: "auto", ignoredInputs: [] };
  const ignoredInputs = [...(option.ignoreInputs ?? [])].sort();
  if ("auto" in option) return { type: "auto", ignoredInputs };
  if (typeof option.version !== "string" || option.version === "") {
    throw new GodwitError(
      "invalid_argument",
      `${what}: cache.version has to be a text such as "v1". For "whenever the code changes" write cache: "auto".`,
    );
  }
  return { type: "version", version: option.version, ignoredInputs };
}
