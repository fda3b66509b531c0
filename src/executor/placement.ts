// Which worker an attempt goes to.
//
// R1  Behind another attempt in a worker go only tasks that are known to be quick (pace.ts). All
//     others get a worker in which nothing is active.
// R2  A task that is not known to be quick stays away from workers in which others wait, as long as there
//     are, or can be, others: who waits there could not go on while it computes.
// R3  A worker with many waiting attempts is spared while another is not; but if all have many they go
//     on taking work, one at a time, because what waits may wait for that work.
import type { Launch } from "../core/messages.ts";
import type { Crew } from "./crew.ts";
import { maxAhead, type Pace } from "./pace.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Attempts that wait for their calls in one worker, before others are preferred (R3). */
export const maxWaiting = 1_000;

/** Without progress for this long, what is queued behind an attempt is asked back. */
export const stallMs = 50;

/** `new`: one should be started for it. */
export type Place = WorkerProcess | "new" | null;

export type Sought = {
  readonly isQuick: boolean;
  readonly cpuMillis: number;
  /** What the attempt could take beyond what its worker holds. Null: it has its share already. */
  readonly freeMillis: number | null;
};

export class Placement {
  readonly #crew: Crew;
  readonly #pace: Pace;
  /** Attempts that are about to be sent. */
  readonly #chosen: ReadonlyMap<WorkerProcess, readonly Launch[]>;

  constructor(crew: Crew, pace: Pace, chosen: ReadonlyMap<WorkerProcess, readonly Launch[]>) {
    this.#crew = crew;
    this.#pace = pace;
    this.#chosen = chosen;
  }

  /** Null: it has to wait. */
  find(sought: Sought): Place {
    const { isQuick, cpuMillis } = sought;
    const freeMillis = sought.freeMillis ?? Number.POSITIVE_INFINITY;
    let best: WorkerProcess | null = null;
    let bestRank = Number.POSITIVE_INFINITY;
    let isOneStarting = false;
    for (const worker of this.#open()) {
      const load = this.#load(worker) + worker.planned;
      const isStarting = worker.state === "starting";
      if (isStarting && load === 0) isOneStarting = true;
      if (
        load > 0 ? !isQuick || !this.#isRoomBehind(worker, load, cpuMillis) : worker.seat.lacks(cpuMillis) > freeMillis
      )
        continue;
      // One that is still starting comes last: a quick attempt is over before it has begun.
      const late = isStarting ? (isQuick ? maxAhead : 0.5) : 0;
      const rank = load + late + (!isQuick && worker.waiting > 0 ? 1 + worker.waiting : 0);
      if (rank < bestRank) [best, bestRank] = [worker, rank];
    }
    if (bestRank < 1 || (isQuick && isOneStarting)) return best;
    const { seats, canStartShared } = this.#crew;
    const isRoom = sought.freeMillis === null || (seats.taken < seats.limit && cpuMillis <= freeMillis);
    return canStartShared && isRoom ? "new" : best;
  }

  /** Whether a worker that was chosen before is still right. */
  fits(worker: WorkerProcess | null, { isQuick, cpuMillis }: Sought): worker is WorkerProcess {
    if (worker === null || worker.state === "leaving") return false;
    const load = this.#load(worker);
    return load === 0 || (isQuick && this.#isRoomBehind(worker, load, cpuMillis));
  }

  /** R1. */
  #isRoomBehind(worker: WorkerProcess, load: number, cpuMillis: number): boolean {
    const { ahead, isRecentlyQuick } = this.#pace;
    if (!isRecentlyQuick || load >= ahead || worker.waiting >= maxWaiting) return false;
    return takesQuick(worker) && worker.seat.lacks(cpuMillis) === 0;
  }

  #load(worker: WorkerProcess): number {
    return worker.load + (this.#chosen.get(worker)?.length ?? 0);
  }

  /** R3. */
  #open(): readonly WorkerProcess[] {
    const workers = this.#crew.shared();
    const spared = workers.filter(({ waiting }) => waiting < maxWaiting);
    return spared.length > 0 || this.#crew.canStartShared ? spared : workers;
  }
}

/** Whether quick attempts may be queued here: all that is here is quick, and it goes on. */
export function takesQuick(worker: WorkerProcess): boolean {
  if (worker.load > 0 && performance.now() - worker.progressAtMs > stallMs) return false;
  return worker.isQuick && worker.plannedSlow === 0;
}
