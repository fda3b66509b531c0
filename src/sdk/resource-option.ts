// What users write about the resources of a task, turned into what core understands.
import { GodwitError } from "../core/error.ts";
import { checkName, didYouMean } from "../core/names.ts";
import {
  type ByteAmount,
  byteAmount,
  byteText,
  counts,
  cpuMillis,
  type GpuAmount,
  gpuRequest,
  wholeNumber,
} from "../core/quantities.ts";
import type { Resources } from "../core/resources.ts";
import type { OomPolicy, RetryPolicy } from "../core/retry.ts";

export type ResourcesOption = {
  /** Cores: 2, 0.5 or "500m". Default 1. */
  readonly cpu?: number | string;
  /** Bytes: "512Mi", "4Gi". It gets no more: a task over it ends as `OOMKilled`. Default: no limit. */
  readonly memory?: ByteAmount;
  /** Whole devices: 1, "A100:2" or `{ count: 2, model: "A100" }`. Default: none. */
  readonly gpu?: GpuAmount;
  /** Bytes of working files: "20Gi". Default: none set aside. */
  readonly disk?: ByteAmount;
  /** What operators give out by name (docs/resources.md): `{ licence: 1 }`. Held while it runs. */
  readonly tokens?: { readonly [name: string]: number };
};

export type OomOption = {
  /** How many times as much the next attempt gets: "x2", "x1.5". */
  readonly memory: string;
  /** It never gets more than this. */
  readonly max: ByteAmount;
};

export const defaultResources: Resources = { cpuMillis: 1_000, memoryBytes: null };

const names = ["cpu", "memory", "gpu", "disk", "tokens"];

/** What is not asked for is left out, so that specs are the same as before there was such a thing. */
export function resourcesOf(option: ResourcesOption, what: string, base: Resources): Resources {
  const unknown = Object.keys(option).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: there is no resource "${unknown}".${didYouMean(unknown, names)} Resources: ${names.join(", ")}.`,
    );
  }
  const { cpu, memory } = option;
  const gpus = option.gpu === undefined ? base.gpus : gpuRequest(option.gpu, `${what}: resources.gpu`);
  const disk = option.disk === undefined ? base.diskBytes : byteAmount(option.disk, `${what}: resources.disk`);
  const tokens = option.tokens === undefined ? base.tokens : tokensOf(option.tokens, what);
  return {
    cpuMillis: cpu === undefined ? base.cpuMillis : cpuMillis(cpu, `${what}: resources.cpu`),
    memoryBytes: memory === undefined ? base.memoryBytes : byteAmount(memory, `${what}: resources.memory`),
    ...(gpus == null ? {} : { gpus }),
    ...(disk === undefined ? {} : { diskBytes: disk }),
    ...(tokens === undefined || Object.keys(tokens).length === 0 ? {} : { tokens }),
  };
}

function tokensOf(option: NonNullable<ResourcesOption["tokens"]>, what: string): NonNullable<Resources["tokens"]> {
  return Object.fromEntries(
    Object.entries(option)
      .map(([name, count]) => [
        checkName("token", name),
        wholeNumber(count, { least: 0, most: counts.most }, `${what}: resources.tokens.${name}`),
      ])
      .filter(([, count]) => count !== 0),
  );
}

export function oomPolicy({ memory, max }: OomOption, what: string): OomPolicy {
  const factor = Number(/^x(\d+(?:\.\d+)?)$/.exec(String(memory).trim())?.[1]);
  if (!(factor > 1 && factor <= 100)) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: retries.onOom.memory has to be a factor above 1 and up to 100, such as "x2", not ${JSON.stringify(memory)}.`,
    );
  }
  if (max === undefined) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: retries.onOom.max is missing: say how much memory it may get at most, such as "8Gi".`,
    );
  }
  return { factor, maxBytes: byteAmount(max, `${what}: retries.onOom.max`) };
}

/** What two settings say of one thing has to fit together. */
export function checkOom(resources: Resources, { onOom }: RetryPolicy, what: string): void {
  if (onOom === undefined) return;
  const { memoryBytes } = resources;
  if (memoryBytes === null) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: retries.onOom needs resources.memory: without a limit, a task does not run out of memory. Say what its first attempt gets.`,
    );
  }
  if (onOom.maxBytes < memoryBytes) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: retries.onOom.max (${byteText(onOom.maxBytes)}) is less than resources.memory (${byteText(memoryBytes)}).`,
    );
  }
}
