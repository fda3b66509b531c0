// What a process of one attempt alone is started with, which follows from what the attempt asks for.
import type { Machine, Resources } from "../core/resources.ts";

/** A task that asks for memory or a GPU gets a process of its own; others share warm workers. */
export const needsOwnProcess = ({ memoryBytes, gpus }: Resources): boolean =>
  memoryBytes !== null || (gpus !== undefined && gpus.count > 0);

const mebibyte = 1024 * 1024;

/** What a worker takes beside the heap: the runtime, code, buffers. */
const besideHeapMiB = 48;
/** Less than this, and not even the worker's own code can be loaded. */
const leastHeapMiB = 32;

/** So that V8 collects before the limit is reached. The young generation takes up to three semi-spaces. */
export function heapArgs(memoryBytes: number): readonly string[] {
  const limitMiB = Math.floor(memoryBytes / mebibyte);
  const semiSpaceMiB = Math.min(16, Math.max(1, Math.floor(limitMiB / 64)));
  const oldSpaceMiB = Math.max(leastHeapMiB, limitMiB - besideHeapMiB - 3 * semiSpaceMiB);
  return [`--max-old-space-size=${oldSpaceMiB}`, `--max-semi-space-size=${semiSpaceMiB}`];
}

/**
 * Which GPUs a process may use. Whoever asked for none sees none: libraries take what they see. On a machine
 * without GPUs nothing is said.
 */
export function gpuVariables({ gpus }: Machine, devices: readonly number[]): { readonly [name: string]: string } {
  if (gpus.length === 0) return {};
  if (devices.length === 0) return { CUDA_VISIBLE_DEVICES: "", NVIDIA_VISIBLE_DEVICES: "void" };
  const list = devices.join(",");
  return { CUDA_VISIBLE_DEVICES: list, NVIDIA_VISIBLE_DEVICES: list };
}
