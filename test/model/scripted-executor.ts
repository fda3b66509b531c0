// An executor that starts nothing: attempts end when, as often and as untimely as the test says.
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome } from "../../src/core/messages.ts";
import type { WaitReason } from "../../src/core/resources.ts";
import type { Executor, Wanted } from "../../src/executor/executor.ts";

export class ScriptedExecutor implements Executor {
  /** Attempts for which there is room. */
  #places = Number.POSITIVE_INFINITY;
  readonly #holding = new Set<AttemptId>();
  readonly #running = new Map<AttemptId, AttemptRef>();
  readonly #onLaunch: (launch: Launch) => void;
  #outcomes: Outcome[] = [];
  #wake: () => void = () => undefined;
  isOpen = true;

  constructor(onLaunch: (launch: Launch) => void) {
    this.#onLaunch = onLaunch;
  }

  set places(places: number) {
    this.#places = places;
    this.#wake();
  }

  get hasRoom(): boolean {
    return this.#holding.size < this.#places;
  }

  /** Of attempts that have a place and do not run. */
  get idleReservations(): readonly AttemptId[] {
    return [...this.#holding].filter((id) => !this.#running.has(id));
  }

  /** Attempts that run, or have an outcome, and have no place. */
  get unplaced(): readonly AttemptId[] {
    return [...this.#running.keys()].filter((id) => !this.#holding.has(id));
  }

  report(outcome: Outcome): void {
    this.#outcomes.push(outcome);
    this.#wake();
  }

  accepts(): boolean {
    return true;
  }

  reserve(wanted: Wanted): WaitReason | null {
    const id = attemptId(wanted);
    if (this.#holding.has(id) || !this.hasRoom) return { type: "turn" };
    this.#holding.add(id);
    return null;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) this.#holding.delete(attemptId(attempt));
    this.#wake();
  }

  ensureLaunched(launches: readonly Launch[]): void {
    for (const launch of launches) {
      const id = attemptId(launch);
      if (this.#running.has(id)) continue;
      this.#holding.add(id);
      this.#running.set(id, { run: launch.run, action: launch.action, attempt: launch.attempt });
      this.#onLaunch(launch);
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    const taken = this.#outcomes.splice(0, limit);
    this.#end(taken);
    return taken;
  }

  running(): readonly AttemptRef[] {
    return [...this.#running.values()];
  }

  stop(attempts: readonly AttemptRef[]): void {
    this.#end(attempts);
    this.#wake();
  }

  start(wake: () => void): void {
    this.#wake = wake;
  }

  close(): Promise<void> {
    this.isOpen = false;
    this.#end(this.running());
    return Promise.resolve();
  }

  #end(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) {
      this.#running.delete(attemptId(attempt));
      this.#holding.delete(attemptId(attempt));
    }
  }
}
