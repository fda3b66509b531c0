// A clock as machines have it: time passes, and alarms go off; or it is set back or forward, and they
// go off when as much time has passed as there was to wait.
import type { Clock } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/clock.ts";

export class JumpingClock implements Clock {
  readonly #passing = new FakeClock(1_000_000_000_000);
  #setByMs = 0;

  nowMs(): number {
    return this.#passing.nowMs() + this.#setByMs;
  }

  at(atMs: number, callback: () => void): () => void {
    return this.#passing.at(atMs - this.#setByMs, callback);
  }

  nextAlarmMs(): number | null {
    const atMs = this.#passing.nextAlarmMs();
    return atMs === null ? null : atMs + this.#setByMs;
  }

  pass(ms: number): void {
    this.#passing.advanceTo(this.#passing.nowMs() + ms);
  }

  set(byMs: number): void {
    this.#setByMs += byMs;
  }
}
