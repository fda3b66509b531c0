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

  add(outcomes: readonly Outcome[]): void {
    if (outcomes.length === 0) return;
    this.#outcomes += outcomes.length;
    const batch: Promise<void> = settleOutcomes(this.#parts, outcomes).then(
      () => this.#end(batch, outcomes.length),
      (error: unknown) => {
        this.#end(batch, outcomes.length);
        this.#on.onError(error);
      },
    );
    this.#batches.add(batch);
  }

  async drained(): Promise<void> {
    while (this.#batches.size > 0) await Promise.all(this.#batches);
  }

  #end(batch: Promise<void>, outcomes: number): void {
    this.#batches.delete(batch);
    this.#outcomes -= outcomes;
    this.#on.onSettled();
  }
}
