// What is ready to start in the runs that this engine serves. It hears of every change that this process
// commits, so that a call on its way costs no read; what others may have changed is read again.
//
// R1  It may hold what is not queued any more, and then claiming it is refused by its revision. What is
//     queued it holds, or knows that it has to read, or has said when it will be ready. (What was ready
//     need not be so any more: clocks are set back.)
import type { Action } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { Store } from "../store/store.ts";
import { LaneQueue, maxPerLane } from "./lane-queue.ts";

/** Lanes of a run that are looked at; others follow when one of these is empty. */
const maxLanes = 1_000;

/** Rows read at once when a lane has run out. */
const pageSize = maxPerLane / 2;

export class RunQueue {
  readonly lanes = new Map<number, LaneQueue>();
  readonly run: Run;
  /** The lanes have to be read. */
  isStale = true;
  /** There were more lanes than are looked at. */
  hasMoreLanes = false;

  constructor(run: Run) {
    this.run = run;
  }

  /** An action that is due goes in, any other comes out. */
  note(action: Action, isReady: boolean): void {
    const lane = this.lanes.get(action.lane);
    if (!isReady) {
      lane?.remove(action.name);
      return;
    }
    if (lane !== undefined) lane.put(action);
    else if (this.isStale || this.hasMoreLanes) this.isStale = true;
    else if (this.lanes.size >= maxLanes) this.hasMoreLanes = true;
    else {
      const added = new LaneQueue(action.lane, true);
      added.put(action);
      this.lanes.set(action.lane, added);
    }
  }
}

type QueueStore = Pick<Store, "lanes" | "claimable" | "nextMomentMs">;

export class ReadyQueue {
  readonly #store: QueueStore;
  readonly #onLater: (run: number, atMs: number) => void;
  readonly #runs = new Map<number, RunQueue>();

  /** `onLater` is told when something that is queued will be ready. */
  constructor(store: QueueStore, onLater: (run: number, atMs: number) => void) {
    this.#store = store;
    this.#onLater = onLater;
  }

  get runs(): Iterable<RunQueue> {
    return this.#runs.values();
  }

  /** Whether nothing that is known, or has to be looked for, waits to be started. */
  get isEmpty(): boolean {
    for (const { isStale, hasMoreLanes, lanes } of this.#runs.values()) {
      if (isStale || hasMoreLanes) return false;
      for (const lane of lanes.values()) if (!lane.isWhole || lane.peek() !== null) return false;
    }
    return true;
  }

  open(run: Run): void {
    this.#runs.set(run.id, new RunQueue(run));
  }

  close(run: number): void {
    this.#runs.delete(run);
  }

  note(action: Action, nowMs: number): void {
    const isQueued = action.phase === "queued";
    this.#runs.get(action.run)?.note(action, isQueued && action.readyAtMs <= nowMs);
    if (isQueued && action.readyAtMs > nowMs) this.#onLater(action.run, action.readyAtMs);
  }

  /** Others may have changed what is queued there, or its time has come. */
  doubt(run: number): void {
    const queue = this.#runs.get(run);
    if (queue !== undefined) queue.isStale = true;
  }

  /** Reads what has to be read. */
  async refill(nowMs: number): Promise<void> {
    for (const queue of [...this.#runs.values()]) {
      if (queue.isStale) await this.#readLanes(queue);
      for (const lane of [...queue.lanes.values()]) {
        if (lane.peek() !== null) continue;
        if (!lane.isWhole) await this.#readLane(queue, lane, nowMs);
        if (lane.isWhole && lane.peek() === null) queue.lanes.delete(lane.lane);
      }
      if (queue.hasMoreLanes && queue.lanes.size < maxLanes) queue.isStale = true;
    }
  }

  async #readLanes(queue: RunQueue): Promise<void> {
    queue.isStale = false;
    const found = await this.#store.lanes(queue.run.id, maxLanes);
    queue.hasMoreLanes = found.length === maxLanes;
    for (const { lane } of found) {
      const known = queue.lanes.get(lane);
      // Read anew: what it holds is too old, or not all.
      const fresh = new LaneQueue(lane, false);
      fresh.refusal = known?.refusal ?? null;
      queue.lanes.set(lane, fresh);
    }
  }

  async #readLane(queue: RunQueue, lane: LaneQueue, nowMs: number): Promise<void> {
    lane.startReading();
    const read = await this.#store.claimable({ run: queue.run.id, lane: lane.lane }, nowMs, pageSize);
    lane.endReading(read, read.length < pageSize);
    if (read.length > 0) return;
    const nextMs = await this.#store.nextMomentMs([queue.run.id], nowMs);
    if (nextMs !== null) this.#onLater(queue.run.id, nextMs);
  }
}
