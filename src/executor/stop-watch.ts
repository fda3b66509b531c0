// Notices that a process was stopped (SIGSTOP) and is not continued: it is alive, so its end never
// comes, and what it holds would be held for ever.
//
// R1  Lost is who was found stopped at every one of `looksPerLease` looks in a row and has used no
//     processor time meanwhile. A busy loop runs, as the system sees it, for as long as it likes.
// R2  What counts is looks, not time: while this process was stopped itself, or the machine slept,
//     nobody's lease ran out.
import { processState } from "./process-state.ts";

export type StopWatchOptions = {
  readonly pid: number;
  readonly leaseMs: number;
  /** Whether the process holds anything; while it does not, nothing is looked at. */
  readonly isNeeded: () => boolean;
  readonly onLost: () => void;
};

/** How long a worker may be stopped. */
export const stoppedLeaseMs = 30_000;

const looksPerLease = 6;

export class StopWatch {
  readonly #options: StopWatchOptions;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #stoppedLooks = 0;
  #processorTime = "";

  constructor(options: StopWatchOptions) {
    this.#options = options;
  }

  /** Said whenever it may be needed; it rests by itself. */
  start(): void {
    if (this.#timer !== null || this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#look(), this.#options.leaseMs / looksPerLease).unref();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const state = await processState(this.#options.pid);
    this.#timer = null;
    const isStill =
      state?.isStopped === true && (this.#stoppedLooks === 0 || state.processorTime === this.#processorTime);
    this.#stoppedLooks = isStill ? this.#stoppedLooks + 1 : 0;
    this.#processorTime = state?.processorTime ?? "";
    if (this.#isClosed) return;
    if (!this.#options.isNeeded()) this.#stoppedLooks = 0;
    else if (this.#stoppedLooks <= looksPerLease) this.start();
    else this.#options.onLost();
  }
}
