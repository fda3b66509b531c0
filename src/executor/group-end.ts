// When the last process of a killed group has ended. A process that has much memory takes some time to be cleared
// away, and may outlast the guard that was killed with it.
import { setTimeout as delay } from "node:timers/promises";
import { Groups, hasProc } from "./group-memory.ts";
import { processState } from "./process-state.ts";

const pollMs = 5;
/** One that the system holds for longer (a disk that does not answer) runs no line of its program any more. */
const limitMs = 10_000;

/** Of a group that has been sent SIGKILL, guard and all. Never rejects. */
export async function groupEnded(group: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while ((await hasLiving(group)) && performance.now() < untilMs) await delay(pollMs);
}

async function hasLiving(group: number): Promise<boolean> {
  try {
    process.kill(-group, 0);
  } catch {
    return false; // ESRCH: nobody is left. EPERM: macOS says so of a group of which only the dead are left.
  }
  if (!hasProc) return true;
  // The dead are in it as well, until their parent takes note.
  const states = await Promise.all(membersOf(group).map(processState));
  return states.some((state) => state !== null && !state.hasEnded);
}

function membersOf(group: number): readonly number[] {
  try {
    return new Groups().look().get(group) ?? [];
  } catch {
    return []; // No descriptor is left to look with: the guard's end has to do.
  }
}
