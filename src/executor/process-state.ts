// What the system says about a process: whether it was stopped, and how much it has done.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export type ProcessState = {
  /** By SIGSTOP or its like, until SIGCONT. One that a debugger holds is not. */
  readonly isStopped: boolean;
  /** A zombie, which only waits for its parent to take note; the first process of many containers never does. */
  readonly hasEnded: boolean;
  /** Grows while it works; to be compared only. */
  readonly processorTime: string;
};

/** Null: there is no such process, or nothing can be told about it. */
export const processState = (pid: number): Promise<ProcessState | null> =>
  process.platform === "linux" ? stateInProc(pid) : stateByPs(pid);

async function stateInProc(pid: number): Promise<ProcessState | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null); // It has ended.
  // The name, in parentheses, may have anything in it. Behind it: state, 10 numbers, utime, stime.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields === undefined ? null : { ...stateOf(fields[0] ?? ""), processorTime: `${fields[11]} ${fields[12]}` };
}

/** macOS has no /proc; slim containers, on Linux, have no `ps`. */
async function stateByPs(pid: number): Promise<ProcessState | null> {
  const asked = await promisify(execFile)("ps", ["-o", "stat=,time=", "-p", String(pid)]).catch(() => null);
  const [state, processorTime] = asked?.stdout.trim().split(/\s+/) ?? [];
  return state === undefined || state === "" ? null : { ...stateOf(state), processorTime: processorTime ?? "" };
}

const stateOf = (state: string): Pick<ProcessState, "isStopped" | "hasEnded"> => ({
  isStopped: state.startsWith("T"),
  hasEnded: /^[ZX]/.test(state),
});
