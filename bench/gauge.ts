// What a measured program reads about itself: the processor time of its whole system, how often the disk was
// made to sync, and percentiles.
//
// A system under measurement is every process that descends from the benchmark's own: one system runs at
// a time, so what its processes have used between two moments is what the work between them has cost,
// wherever it was done. The kernel's own threads are in nobody's account.
import { readdirSync, readFileSync } from "node:fs";

/** The benchmark's own process; whatever descends from it is measured. */
export const rootVariable = "GODWIT_BENCH_ROOT";

/** Processor time, user and system, of the measured processes so far. Null where the kernel does not tell. */
export function processorMs(root = Number(process.env[rootVariable] ?? 0)): number | null {
  if (root === 0) return null;
  const all = processes();
  if (all.length === 0) return null;
  return descendantsOf(root, all).reduce((sum, { ticks }) => sum + ticks, 0) * msPerTick;
}

// What the kernel shows to programs is in hundredths of a second, whatever it counts in itself.
const msPerTick = 10;

export type Process = {
  readonly pid: number;
  readonly parent: number;
  /** Of itself and of the children that it has waited for. */
  readonly ticks: number;
};

export function descendantsOf(root: number, all: readonly Process[]): readonly Process[] {
  const children = Map.groupBy(all, ({ parent }) => parent);
  const found: Process[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** Every process of the machine; none where there is no /proc. */
export function processes(): readonly Process[] {
  let entries: readonly string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return []; // Not Linux.
  }
  return entries.filter((entry) => /^\d+$/.test(entry)).flatMap((entry) => readProcess(Number(entry)));
}

function readProcess(pid: number): readonly Process[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name is in parentheses and may have spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ pid, parent: Number(fields[1]), ticks }];
  } catch {
    return []; // Ended meanwhile.
  }
}

/** The disk of the data directory, by its name in /proc/diskstats. */
export const diskVariable = "GODWIT_BENCH_DISK";

/** How often the disk was told to make good what it holds in its cache, by anybody on the machine. */
export function diskFlushes(disk = process.env[diskVariable] ?? ""): number | null {
  if (disk === "") return null;
  const line = readFileSync("/proc/diskstats", "utf8")
    .split("\n")
    .map((text) => text.trim().split(/\s+/))
    .find((fields) => fields[2] === disk);
  return line?.[18] === undefined ? null : Number(line[18]);
}

/** Value below which this part of the values lies; they need not be in order. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
