// The machine under the figures: without it they say nothing.
import { closeSync, fdatasyncSync, openSync, readFileSync, realpathSync, rmSync, statSync, writeSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { basename, dirname, join } from "node:path";
import { percentile } from "./gauge.ts";

export type Machine = {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  /** In /proc/diskstats; empty if the directory is on nothing that is there. */
  readonly disk: string;
};

export type SyncTimes = { readonly p50Ms: number; readonly p99Ms: number };

export function describeMachine(dir: string): Machine {
  const mount = mountOf(dir);
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memoryGib: totalmem() / 2 ** 30,
    kernel: `${type()} ${release()}`,
    node: process.versions.node,
    fileSystem: mount === null ? "unknown" : `${mount.type} (${mount.options})`,
    disk: diskOf(dir),
  };
}

const syncs = 200;

/** A page is appended and synced with fdatasync, again and again, as the log of a database is. */
export function measureSyncs(dir: string): SyncTimes {
  const path = join(dir, "sync-probe");
  const file = openSync(path, "w");
  const page = Buffer.alloc(4096, 1);
  const times: number[] = [];
  try {
    for (let index = 0; index < syncs; index++) {
      writeSync(file, page);
      const startedAt = performance.now();
      fdatasyncSync(file);
      times.push(performance.now() - startedAt);
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** A file system in memory syncs nothing, and figures taken on it are no figures. */
export const isInMemory = ({ fileSystem }: Machine): boolean => /^(tmpfs|ramfs)\b/.test(fileSystem);

type Mount = { readonly at: string; readonly type: string; readonly options: string };

function mountOf(dir: string): Mount | null {
  try {
    const path = realpathSync(dir);
    const mounts = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .map(([, at = "", kind = "", options = ""]): Mount => ({ at, type: kind, options }))
      .filter(({ at }) => at !== "" && (path === at || path.startsWith(at.endsWith("/") ? at : `${at}/`)));
    // Of several at one place the last one is on top.
    return mounts.reduce<Mount | null>(
      (best, one) => (best === null || one.at.length >= best.at.length ? one : best),
      null,
    );
  } catch {
    return null; // Not Linux.
  }
}

function diskOf(dir: string): string {
  try {
    const { dev } = statSync(dir);
    const major = ((dev >>> 8) & 0xfff) | 0;
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    const device = realpathSync(`/sys/dev/block/${major}:${minor}`);
    // Syncs are counted on the whole disk, not on its partitions.
    return statSync(join(device, "partition"), { throwIfNoEntry: false }) === undefined
      ? basename(device)
      : basename(dirname(device));
  } catch {
    return ""; // A file system without a disk of its own, or not Linux.
  }
}
