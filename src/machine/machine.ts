// What this machine has for tasks: cores, memory and disk, as far as this process may use them, and GPUs.
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Machine } from "../core/resources.ts";
import { cpuLimitMillis, memoryLimitBytes, type ReadText } from "./control-groups.ts";

export { listGpus } from "./gpus.ts";

/** What is found at once; GPUs take a while, and tokens are the operator's word. */
export type Basics = Pick<Machine, "cpuMillis" | "memoryBytes" | "diskBytes">;

/** `dir` is on the file system where tasks work; it need not exist yet. */
export const readBasics = (dir: string): Basics => ({
  cpuMillis: cpuMillisOf(readText, availableParallelism()),
  memoryBytes: memoryBytesOf(readText, totalmem()),
  diskBytes: diskBytesOf(freeBytes(dir)),
});

/** Never less than one core: what asks for nothing in particular asks for one. */
export function cpuMillisOf(read: ReadText, parallelism: number): number {
  const cores = allowedCores(read("/proc/self/status")) ?? parallelism;
  const limit = cpuLimitMillis(read) ?? Number.POSITIVE_INFINITY;
  return Math.max(1_000, Math.min(cores * 1_000, limit));
}

/** Those that the process may run on: what taskset and cpusets leave of the machine's. */
function allowedCores(status: string | null): number | null {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? "")?.[1];
  if (list === undefined) return null;
  let count = 0;
  for (const range of list.split(",")) {
    const [from, to = from] = range.split("-").map(Number);
    count += (to as number) - (from as number) + 1;
  }
  return Number.isInteger(count) && count > 0 ? count : null;
}

/** Of memory, a tenth is kept back for Godwit itself and the system, but not less than this. */
const leastKeptBytes = 256 * 2 ** 20;

/** What control groups leave of the machine's, less what is kept back; at least half. */
export function memoryBytesOf(read: ReadText, installedBytes: number): number {
  const kibibytes = /^MemTotal:\s*(\d+) kB$/m.exec(read("/proc/meminfo") ?? "")?.[1];
  const installed = kibibytes === undefined ? installedBytes : Number(kibibytes) * 1_024;
  const total = Math.min(installed, memoryLimitBytes(read) ?? Number.POSITIVE_INFINITY);
  return Math.floor(total - Math.min(total / 2, Math.max(total / 10, leastKeptBytes)));
}

/** Of free disk, a tenth is kept back for the database and what tasks give back, but not less than this. */
const leastKeptDiskBytes = 2 ** 30;

export const diskBytesOf = (free: number): number =>
  Math.floor(Math.max(0, free - Math.max(free / 10, leastKeptDiskBytes)));

function freeBytes(dir: string): number {
  for (let at = dir; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = statfsSync(at);
      return bavail * bsize;
    } catch {
      if (dirname(at) === at) return 0; // Not made yet: it will lie where its parent does.
    }
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // Another version of Linux, or another system.
  }
}
