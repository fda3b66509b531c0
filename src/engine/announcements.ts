// What the engine tells other processes of itself: the machine, what of it is used, who waits for what.
// The first is said with its registration. Then it is written when it has changed, and not more often than
// people read: others hear of each commit.
import type { EngineStatus } from "../core/engine-status.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Capacity } from "../executor/capacity.ts";
import type { EngineParts } from "./parts.ts";

/** Of who waits, and for what. */
const waitsIntervalMs = 500;

/** Of what is used: with every attempt it is something else. */
const usedIntervalMs = 5_000;

/** To find out what has changed costs more than an idle round of the engine. */
const lookIntervalMs = 50;

/** Lanes that are told of. */
const maxWaits = 200;

export const statusOf = (capacity: Capacity, atMs: number, waits: EngineStatus["waits"] = []): EngineStatus => ({
  atMs,
  machine: capacity.machine,
  used: Object.fromEntries(Object.entries(capacity.usage()).map(([resource, { used }]) => [resource, used])),
  waits,
});

export class Announcements {
  readonly #parts: EngineParts;
  #told: EngineStatus;
  #waitsToldAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#told = statusOf(parts.capacity, parts.nowMs());
  }

  /** The moment at which to try again, or null if all is told. */
  async tell(): Promise<number | null> {
    const { nowMs, capacity, store, id } = this.#parts;
    const atMs = nowMs();
    const nextLookMs = this.#lookedAtMs + lookIntervalMs;
    // A clock that was set back must not silence it.
    if (atMs >= this.#lookedAtMs && atMs < nextLookMs) return nextLookMs;
    this.#lookedAtMs = atMs;
    const told = this.#told;
    const status = statusOf(capacity, atMs, this.#waits());
    const hasOtherWaits = !isSame(status.waits, told.waits);
    const hasOtherUse = !isSame([status.used, status.machine], [told.used, told.machine]);
    const dueMs = Math.min(
      hasOtherWaits ? this.#waitsToldAtMs + waitsIntervalMs : Number.POSITIVE_INFINITY,
      hasOtherUse ? told.atMs + usedIntervalMs : Number.POSITIVE_INFINITY,
    );
    if (dueMs === Number.POSITIVE_INFINITY) return null;
    if (status.atMs < dueMs) return dueMs;
    this.#told = status;
    this.#waitsToldAtMs = status.atMs;
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

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
