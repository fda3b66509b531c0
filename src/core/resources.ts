// What attempts ask for, what a machine has, and what somebody has to wait for when it is not enough.
//
// R1  What is admitted together never asks for more than there is, in any kind of resource.
// R2  An attempt that only waits for its calls holds nothing; before it goes on, it is admitted again.
import { sha256Hex } from "./hash.ts";
import type { OomPolicy } from "./retry.ts";

/** What a task asks for. Amounts are whole numbers: thousandths of a core, and bytes. */
export type Resources = {
  readonly cpuMillis: number;
  /** Null: no limit was asked for, and nothing is set aside. */
  readonly memoryBytes: number | null;
  readonly gpus?: GpuRequest;
  /** Room for its working files. */
  readonly diskBytes?: number;
  /** What operators give out by name (licences, connections) → how many it holds while it runs. */
  readonly tokens?: { readonly [name: string]: number };
};

export type GpuRequest = {
  /** Whole devices. */
  readonly count: number;
  /** As the device calls itself, without regard to case or spaces: "A100" fits "NVIDIA A100-SXM4-40GB". Null: any. */
  readonly model: string | null;
};

export type Gpu = {
  /** What CUDA_VISIBLE_DEVICES takes. */
  readonly index: number;
  readonly model: string;
  readonly memoryBytes: number | null;
};

/** What attempts on this machine may hold together. */
export type Machine = {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly gpus: readonly Gpu[];
  readonly tokens: { readonly [name: string]: number };
};

/** Attempts that may be active at once, by what they belong to. What is not named has no limit. */
export type ConcurrencyLimits = {
  /** Of any one run that does not say otherwise. */
  readonly run?: number;
  readonly projects?: { readonly [project: string]: number };
  /** By environment's name. */
  readonly environments?: { readonly [environment: string]: number };
  /** By full task name. */
  readonly tasks?: { readonly [task: string]: number };
};

/** Of a project: twice the share of one with half of it. Default 1. */
export type Shares = { readonly [project: string]: number };

/** Why an action that is queued does not run. */
export type WaitReason =
  | {
      readonly type: "resource";
      /** "cpu", "memory", "disk", "gpu", or a token's name after "token:". For a GPU with the model asked for. */
      readonly resource: string;
      /** Thousandths of a core, bytes, devices, or tokens. */
      readonly asked: number;
      readonly free: number;
      /** If it is less than what was asked for, waiting does not help. */
      readonly total: number;
    }
  | {
      readonly type: "limit";
      readonly of: "run" | "task" | "environment" | "project";
      readonly name: string;
      readonly limit: number;
    }
  /** Somebody that waits for long is next to get what it asks for. */
  | { readonly type: "reserved"; readonly resource: string; readonly action: string }
  /** Others come first. */
  | { readonly type: "turn" };

/** See `GpuRequest.model`. As a word of its name: an "A10" is no "A100". */
export function fitsModel(device: string, asked: string | null): boolean {
  if (asked === null) return true;
  const letters = [...asked.replaceAll(/\s+/g, "")].map((letter) => letter.replace(/[^A-Za-z0-9]/, "\\$&"));
  return new RegExp(`(?<![a-z0-9])${letters.join("\\s*")}(?![a-z0-9])`, "i").test(device);
}

/** What of a task's spec decides where and with what it may start. */
export type Demand = {
  readonly name: string;
  readonly environment: string;
  readonly target: { readonly type: string };
  readonly resources: Resources;
  readonly retries: { readonly onOom?: OomPolicy };
  readonly concurrency?: number;
  readonly environmentConcurrency?: number;
};

/** Attempts after a first that ran out of memory get more of it (retry.ts R3). */
export function effectiveResources(spec: Pick<Demand, "resources" | "retries">, oomFailures: number): Resources {
  const { memoryBytes } = spec.resources;
  const { onOom } = spec.retries;
  if (oomFailures === 0 || memoryBytes === null || onOom === undefined) return spec.resources;
  const grown = Math.floor(memoryBytes * onOom.factor ** oomFailures);
  return { ...spec.resources, memoryBytes: Math.max(memoryBytes, Math.min(grown, onOom.maxBytes)) };
}

/** More memory than this often is not tried: sixteen doublings are past any machine. */
export const maxOomFailures = 15;

/**
 * Actions of one run that are alike to whoever admits them: what is refused to one is refused to all.
 * 48 bits of a hash, the lowest four of which count the attempts that ran out of memory.
 */
export function laneOf(spec: Demand): number {
  const { resources, concurrency, environmentConcurrency, target, name, environment } = spec;
  const alike = JSON.stringify([
    name,
    environment,
    target.type,
    resources.cpuMillis,
    resources.memoryBytes,
    resources.gpus?.count ?? 0,
    resources.gpus?.model ?? "",
    resources.diskBytes ?? 0,
    Object.entries(resources.tokens ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    concurrency ?? 0,
    environmentConcurrency ?? 0,
  ]);
  return Number.parseInt(sha256Hex(alike).slice(0, 11), 16) * (maxOomFailures + 1);
}
