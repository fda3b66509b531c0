// Outcomes on their way into the store. The engine's loop goes on while they are synced: what they free
// is free already, and what they decide comes back as changes of the store.
import type { Outcome } from "../core/messages.ts";
import { settleOutcomes } from "./outcomes.ts";
import type { EngineParts } from "./parts.ts";

/** Outcomes that are being committed; beyond, they stay with their executors. */
const maxSettling = 10_000;

export class Settling {
  readonly #parts: EngineParts;
  readonly #on: { readonly onSettled: () => void; readonly onError: (error: unknown) => void };
  readonly #batches = new Set<Promise<void>>();
  /** Run → action → outcomes of it. */
  readonly #actions = new Map<number, Map<string, number>>();
  #outcomes = 0;

  constructor(parts: EngineParts, on: { readonly onSettled: () => void; readonly onError: (error: unknown) => void }) {
    this.#parts = parts;
    this.#on = on;
  }

  get isEmpty(): boolean {
    return this.#batches.size === 0;
  }

  get isFull(): boolean {
    return this.#outcomes >= maxSettling;
  }

  has(run: number, action: string): boolean {
    return this.#actions.get(run)?.has(action) === true;
  }

  add(outcomes: readonly Outcome[]): void {
    if (outcomes.length === 0) return;
    this.#outcomes += outcomes.length;
    for (const outcome of outcomes) this.#count(outcome, 1);
    const batch: Promise<void> = settleOutcomes(this.#parts, outcomes).then(
      () => this.#end(batch, outcomes),
      (error: unknown) => {
        this.#end(batch, outcomes);
        this.#on.onError(error);
      },
    );
    this.#batches.add(batch);
  }

  async drained(): Promise<void> {
    while (this.#batches.size > 0) await Promise.all(this.#batches);
  }

  #count({ run, action }: Outcome, change: number): void {
    const ofRun = this.#actions.get(run) ?? new Map<string, number>();
    const count = (ofRun.get(action) ?? 0) + change;
    if (count > 0) this.#actions.set(run, ofRun.set(action, count));
    else if (ofRun.delete(action) && ofRun.size === 0) this.#actions.delete(run);
  }

  #end(batch: Promise<void>, outcomes: readonly Outcome[]): void {
    this.#batches.delete(batch);
    this.#outcomes -= outcomes.length;
    for (const outcome of outcomes) this.#count(outcome, -1);
    this.#on.onSettled();
  }
}
