// When time alone changes something in a run: a backoff ends, a timeout comes. Kept per run as the
// earliest moment that may matter; one that does not any more costs a look.
import type { Action } from "../core/action.ts";

export class Moments {
  readonly #byRun = new Map<number, number>();

  note(action: Action): void {
    if (action.dueAtMs !== null) this.add(action.run, action.dueAtMs);
  }

  add(run: number, atMs: number): void {
    const known = this.#byRun.get(run);
    if (known === undefined || atMs < known) this.#byRun.set(run, atMs);
  }

  remove(run: number): void {
    this.#byRun.delete(run);
  }

  /** Runs whose moment has come; they are looked at, and noted again with their next one. */
  take(nowMs: number): readonly number[] {
    const come: number[] = [];
    for (const [run, atMs] of this.#byRun) if (atMs <= nowMs) come.push(run);
    for (const run of come) this.#byRun.delete(run);
    return come;
  }

  get nextMs(): number | null {
    let next: number | null = null;
    for (const atMs of this.#byRun.values()) if (next === null || atMs < next) next = atMs;
    return next;
  }
}
