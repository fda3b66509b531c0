// What one attempt asks for, in the terms of the books (capacity.ts).
import type { GpuRequest, Resources, WaitReason } from "../core/resources.ts";

export type Ask = {
  readonly cpuMillis: number;
  /** "memory", "disk", "token:<name>", and how much of it; only what is more than nothing. */
  readonly amounts: readonly (readonly [string, number])[];
  readonly gpus: GpuRequest | null;
};

/** Launches of one spec share their resources: what follows from these is made out once. */
const asks = new WeakMap<Resources, Ask>();

export function askOf(resources: Resources): Ask {
  const known = asks.get(resources);
  if (known !== undefined) return known;
  const { cpuMillis, memoryBytes, diskBytes, gpus, tokens = {} } = resources;
  const amounts: (readonly [string, number])[] = [
    ...Object.entries(tokens).map(([name, count]) => [`token:${name}`, count] as const),
    ["memory", memoryBytes ?? 0],
    ["disk", diskBytes ?? 0],
  ];
  const ask: Ask = {
    cpuMillis,
    amounts: amounts.filter(([, amount]) => amount > 0),
    gpus: gpus === undefined || gpus.count === 0 ? null : gpus,
  };
  asks.set(resources, ask);
  return ask;
}

export const amountOf = ({ amounts }: Ask, name: string): number => amounts.find(([other]) => other === name)?.[1] ?? 0;

export const gpuName = ({ model }: GpuRequest): string => (model === null ? "gpu" : `gpu:${model}`);

export const shortOf = (resource: string, asked: number, free: number, total: number): WaitReason => ({
  type: "resource",
  resource,
  asked,
  free,
  total,
});
