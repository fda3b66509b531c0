// A clock that moves only when told to.
import type { Clock } from "../core/clock.ts";
import { type Duration, durationMs } from "../core/quantities.ts";

type Alarm = { readonly atMs: number; readonly callback: () => void };

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #alarms = new Set<Alarm>();

  /** `startMs`: Unix milliseconds; by default the first moment of 2026 in UTC. */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, callback: () => void): () => void {
    const alarm = { atMs, callback };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** The next moment that somebody waits for, or null. */
  nextAlarmMs(): number | null {
    const moments = [...this.#alarms].map(({ atMs }) => atMs);
    return moments.length === 0 ? null : Math.min(...moments);
  }

  /** Moves on, and calls back whoever waited for a moment up to then. */
  advance(duration: Duration): void {
    this.advanceTo(this.#nowMs + durationMs(duration, "advance"));
  }

  advanceTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    for (const alarm of [...this.#alarms].filter((each) => each.atMs <= this.#nowMs)) {
      this.#alarms.delete(alarm);
      alarm.callback();
    }
  }
}
