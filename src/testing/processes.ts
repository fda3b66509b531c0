// What tests ask of the system about processes.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Whether the process lives. A zombie does not: it only waits for its parent to take note. */
export function isRunning(pid: number): boolean {
  const state = existsSync("/proc/self/stat")
    ? stateInProc(pid)
    : spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout;
  return state.trim() !== "" && !state.trim().startsWith("Z");
}

/** Slim containers have no `ps`. */
function stateInProc(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.slice(0, 1) ?? "";
  } catch {
    return ""; // There is no such process.
  }
}
