// What the engine tells other processes of itself: the machine, what of it is used, who waits for what.
// Written when it has changed, and not more often than people read.
import type { EngineStatus } from "../core/engine-status.ts";
import type { WaitReason } from "../core/resources.ts";
import type { EngineParts } from "./parts.ts";

const intervalMs = 500;

/** Lanes that are told of. */
const maxWaits = 200;

export class Announcements {
  readonly #parts: EngineParts;
  #told = "";
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** The moment at which to try again, or null if all is told. */
  async tell(): Promise<number | null> {
    const { nowMs, capacity, store, id } = this.#parts;
    const waits = this.#waits();
    const text = JSON.stringify(waits);
    if (text === this.#told || (this.#told === "" && waits.length === 0)) return null;
    const atMs = nowMs();
    if (atMs < this.#toldAtMs + intervalMs) return this.#toldAtMs + intervalMs;
    this.#told = text;
    this.#toldAtMs = atMs;
    const used = Object.fromEntries(Object.entries(capacity.usage()).map(([resource, { used }]) => [resource, used]));
    const status: EngineStatus = { atMs, machine: capacity.machine, used, waits };
    await store.publish(id, JSON.stringify(status));
    return null;
  }

  #waits(): EngineStatus["waits"] {
    const waits: { run: number; lane: number; reason: WaitReason }[] = [];
    for (const { run, lanes } of this.#parts.queue.runs) {
      for (const lane of lanes.values()) {
        if (waits.length >= maxWaits) return waits;
        if (lane.refusal !== null && lane.peek() !== null && lane.refusal.reason.type !== "turn")
          waits.push({ run: run.id, lane: lane.lane, reason: lane.refusal.reason });
      }
    }
    return waits;
  }
}
