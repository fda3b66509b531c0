// How much memory the processes of a group hold, as the system counts it.
//
// Counted is what they have to themselves (anonymous and shared memory), not what is mapped from files:
// that is mostly program code, and the system takes it back when it needs the room.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

export type ProcessMemory = {
  readonly residentBytes: number;
  /** The most at any time, from files and all, where the system keeps it; else null. */
  readonly peakBytes: number | null;
  readonly mappedBytes: number;
};

export const hasProc = existsSync("/proc/self/status");

/** Null if there is no such process, or it cannot be told. */
export function processMemory(pid: number): ProcessMemory | null {
  const status = readText(`/proc/${pid}/status`);
  const bytes = (name: string): number | null => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
    return found === undefined ? null : Number(found) * 1024;
  };
  const resident = bytes("VmRSS");
  // A zombie has none.
  if (resident === null) return null;
  const mapped = bytes("RssFile") ?? 0;
  return { residentBytes: resident - mapped, peakBytes: bytes("VmHWM"), mappedBytes: mapped };
}

/** Without what several of them share, counted once: slow, for when it matters. Null if it cannot be told. */
export function proportionalBytes(pid: number): number | null {
  const text = readText(`/proc/${pid}/smaps_rollup`);
  const parts = [...text.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB/gm)];
  return parts.length === 0 ? null : parts.reduce((sum, [, kibibytes]) => sum + Number(kibibytes) * 1024, 0);
}

/** Starts the count of the most anew. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Not allowed here, or gone: the old one stands.
  }
}

/** Times that the system ended a process of this control group for want of memory; null if that is not known. */
export function systemKills(): number | null {
  const path = /^0::(.+)$/m.exec(readText("/proc/self/cgroup"))?.[1];
  const events = path === undefined ? "" : readText(`/sys/fs/cgroup${path}/memory.events`);
  const kills = /^oom_kill (\d+)$/m.exec(events)?.[1];
  return kills === undefined ? null : Number(kills);
}

/** Which processes belong to which group: looked up again and again, while few change. */
export class Groups {
  #known = new Map<string, number>();
  #looks = 0;

  /** Group → its processes. */
  look(): ReadonlyMap<number, readonly number[]> {
    // Numbers of processes are given anew, though seldom: all are read again from time to time.
    const known = this.#looks++ % relook === 0 ? new Map<string, number>() : this.#known;
    const next = new Map<string, number>();
    const groups = new Map<number, number[]>();
    for (const name of readdirSync("/proc")) {
      if (name < "1" || name > "9~") continue;
      const group = known.get(name) ?? groupOf(name);
      next.set(name, group);
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [Number(name)]);
      else members.push(Number(name));
    }
    this.#known = next;
    return groups;
  }
}

const relook = 20;

/** The third field after the name, which may hold anything. */
const groupOf = (pid: string): number => Number(readText(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ")[2] ?? -1);

/** Where there is no /proc: group → resident bytes of all its processes. */
export function groupsByPs(): Promise<ReadonlyMap<number, number>> {
  return new Promise((resolve) => {
    execFile("ps", ["-A", "-o", "pgid=,rss="], (_error, text) => {
      const groups = new Map<number, number>();
      for (const line of text.split("\n")) {
        const [group, kibibytes] = line.trim().split(/\s+/).map(Number);
        if (group !== undefined && kibibytes !== undefined)
          groups.set(group, (groups.get(group) ?? 0) + kibibytes * 1024);
      }
      resolve(groups);
    });
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It has ended meanwhile, or is not ours to see.
  }
}
