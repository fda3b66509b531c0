// For how long attempts keep their thread, from one wait for a call or a record to the next, by task: what
// tells whether one may be queued behind others in a worker.
//
// R1  Only attempts that have been short in this are put behind one another. So one that computes for long
//     never keeps others waiting in its worker while another worker has nothing to do.

/** Below this, handing over one attempt at a time would cost more than the attempt. */
const quickMs = 5;

/** What is put ahead of a worker lasts about this long: some rounds of commits, and no long wait for whoever is behind. */
const aheadMs = 50;

/** Attempts ahead in one worker. */
const minAhead = 10;
export const maxAhead = 512;

/** Half of what is known comes from the last attempt: the first one, which loads the code, is soon outweighed. */
const weight = 0.5;

/** Tasks remembered; the one not seen for longest is forgotten. */
const maxTasks = 10_000;

export class Pace {
  readonly #averageMs = new Map<string, number>();
  #recentMs = Number.POSITIVE_INFINITY;

  note(task: string, stretchMs: number): void {
    const known = this.#averageMs.get(task);
    this.#averageMs.delete(task);
    this.#averageMs.set(task, blend(known, stretchMs));
    if (this.#averageMs.size > maxTasks) {
      const [oldest] = this.#averageMs.keys();
      if (oldest !== undefined) this.#averageMs.delete(oldest);
    }
    this.#recentMs = blend(Number.isFinite(this.#recentMs) ? this.#recentMs : undefined, stretchMs);
  }

  /** The task took a process down: from now on it goes alone, until it has proved itself again. */
  distrust(task: string): void {
    this.#averageMs.delete(task);
  }

  /** R1. */
  isQuick(task: string): boolean {
    return (this.#averageMs.get(task) ?? Number.POSITIVE_INFINITY) < quickMs;
  }

  /** Quick attempts to put into one worker, from the last ones: some at least, as they may have been of another task. */
  get ahead(): number {
    return Math.min(maxAhead, Math.max(minAhead, Math.floor(aheadMs / this.#recentMs)));
  }

  /** Whether the last attempts, of whatever task, were quick. */
  get isRecentlyQuick(): boolean {
    return this.#recentMs < quickMs;
  }
}

const blend = (known: number | undefined, next: number): number =>
  known === undefined ? next : known * (1 - weight) + next * weight;
