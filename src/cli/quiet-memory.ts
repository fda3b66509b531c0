// Gives memory back to the system when a server has become quiet. V8 collects garbage when it needs room, so that one
// who has worked, if only to load its code, keeps the room of its busiest moment for as long as it is left alone.
//
// R1  Once after each time of work, and never while there is work.
// R2  Nobody waits for long because of it: a heap that would take long to go through is left as it is.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Between two looks: what was quiet for so long may stay so. */
const lookMs = 5_000;

/** Of the time, in the main thread; an idle server's own looks around take a tenth of it. */
const quietUtilization = 0.03;

/** R2. About a fifth of a second. */
const maxHeapBytes = 256 * 1024 * 1024;

/** Until the function that it returns is called. */
export function giveBackWhenQuiet(): () => void {
  const quiet = new Quiet();
  let last = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (quiet.look(utilization) && process.memoryUsage().heapUsed <= maxHeapBytes) collect();
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** R1. It has worked before it was looked at: it has started. */
export class Quiet {
  #hasWorked = true;

  /** Whether the time of quiet has just begun. */
  look(utilization: number): boolean {
    const isQuiet = utilization < quietUtilization;
    const hasBegun = isQuiet && this.#hasWorked;
    this.#hasWorked = !isQuiet;
    return hasBegun;
  }
}

/**
 * The kind of collection that gives the room back, too. V8 lets it be asked for where a flag says so, which contexts
 * made after it obey. The inspector could be asked as well, but its answer can hold the process for ever.
 */
function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  gc({ type: "major", flavor: "last-resort", execution: "sync" });
}
