// The most memory that all measured processes held together at one moment.
import { readFileSync } from "node:fs";
import { descendantsOf, processes } from "./gauge.ts";

/** Often enough for what takes a second, seldom enough to cost nothing. */
const sampleMs = 200;

export type MemoryWatch = {
  /** Ends the watch. Null where the kernel does not tell. */
  peakMib(): number | null;
};

export function watchMemory(root: number): MemoryWatch {
  let peakKib = 0;
  const sample = (): void => {
    peakKib = Math.max(peakKib, residentKib(root));
  };
  sample();
  const timer = setInterval(sample, sampleMs);
  timer.unref();
  return {
    peakMib: () => {
      clearInterval(timer);
      sample();
      return peakKib === 0 ? null : peakKib / 1024;
    },
  };
}

/** Memory that processes share (Postgres's buffers) counts once: as much as the one that has most of it. */
function residentKib(root: number): number {
  const all = descendantsOf(root, processes()).map(({ pid }) => residentOf(pid));
  return all.reduce((sum, { own }) => sum + own, 0) + Math.max(0, ...all.map(({ shared }) => shared));
}

function residentOf(pid: number): { readonly own: number; readonly shared: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { own: kib("RssAnon") + kib("RssFile"), shared: kib("RssShmem") };
  } catch {
    return { own: 0, shared: 0 }; // Ended meanwhile.
  }
}
