// What Linux's control groups, in both their versions, let this process and its children use.
//
// R1  A limit holds for all that lies below it: the smallest on the way to the root counts.
// R2  In a container the path may be one of the host's, which is not there: its own group is then the root.
import { join } from "node:path/posix";

/** The content of a file, or null if it cannot be read. */
export type ReadText = (path: string) => string | null;

const root = "/sys/fs/cgroup";

/** Thousandths of a core. Null: no limit. */
export function cpuLimitMillis(read: ReadText): number | null {
  return smallest(
    groupDirs(read, "cpu").map((dir) => {
      const [quota, period] = (read(join(dir, "cpu.max"))?.trim() ?? "").split(" ");
      return millis(quota, period) ?? millis(read(join(dir, "cpu.cfs_quota_us")), read(join(dir, "cpu.cfs_period_us")));
    }),
  );
}

/** Bytes. Null: no limit. */
export const memoryLimitBytes = (read: ReadText): number | null =>
  smallest(
    groupDirs(read, "memory").map(
      (dir) => positive(read(join(dir, "memory.max"))) ?? positive(read(join(dir, "memory.limit_in_bytes"))),
    ),
  );

/** The directories that may hold files of this controller's, from the process's own group up to the root. */
function groupDirs(read: ReadText, controller: string): readonly string[] {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    const ways = ancestors(path);
    if (controllers === "") return [root, `${root}/unified`].flatMap((mount) => ways.map((way) => join(mount, way)));
    if (!controllers.split(",").includes(controller)) return [];
    return [...new Set([controllers, controller])].flatMap((name) => ways.map((way) => join(root, name, way)));
  });
}

/** R1: `/a/b` → `/a/b`, `/a`, `/`. */
function ancestors(path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return Array.from({ length: names.length + 1 }, (_, left) => `/${names.slice(0, names.length - left).join("/")}`);
}

const positive = (text: string | null | undefined): number | null => {
  const value = Number(text?.trim() || Number.NaN);
  return value > 0 ? value : null; // "max", "-1" and nothing at all mean that there is no limit.
};

function millis(quota: string | null | undefined, period: string | null | undefined): number | null {
  const [over, per] = [positive(quota), positive(period)];
  return over === null || per === null ? null : Math.round((over / per) * 1_000);
}

function smallest(limits: readonly (number | null)[]): number | null {
  const known = limits.filter((limit) => limit !== null);
  return known.length === 0 ? null : Math.min(...known);
}
