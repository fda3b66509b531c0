// What an executor keeps of attempts that each stand alone, whatever it does with them: shares set aside before
// they are launched, those that are under way, and outcomes until somebody takes them.
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome, refOf } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Capacity } from "./capacity.ts";
import type { Kept, Wanted } from "./executor.ts";

export class AttemptBooks<Held extends { readonly launch: Launch }> {
  readonly held = new Map<AttemptId, Held>();
  readonly #capacity: Capacity;
  readonly #reserved = new Set<AttemptId>();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => {};
  #stopListening: () => void = () => {};
  #isClosed = false;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    if (this.#isClosed) return { type: "turn" };
    const reason = this.#capacity.take(wanted, kept);
    if (reason === null) this.#reserved.add(attemptId(wanted));
    return reason;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const id of attempts.map(attemptId)) if (this.#reserved.delete(id)) this.#capacity.give(id);
  }

  /** Takes in those that are not here yet, one after the other, as `make` makes them; none after the close. */
  *hold(launches: readonly Launch[], make: (launch: Launch) => Held): Iterable<Held> {
    if (this.#isClosed) return;
    const ended = new Set(this.#outcomes.map(attemptId));
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      if (this.held.has(id) || ended.has(id)) continue;
      const held = make(launch);
      this.held.set(id, held);
      yield held;
    }
  }

  /** It has ended and gives its share back. `outcome` null: nobody wants it. */
  end(attempt: AttemptRef, outcome: Outcome | null): void {
    this.drop(attemptId(attempt));
    if (outcome !== null) this.#outcomes.push(outcome);
    this.#wake();
  }

  drop(id: AttemptId): void {
    this.held.delete(id);
    this.#capacity.give(id);
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...[...this.held.values()].map(({ launch }) => launch), ...this.#outcomes].map(refOf);
  }

  /** Forgets what they have reserved and their outcomes; those of them that are still under way. */
  withdraw(attempts: readonly AttemptRef[]): readonly Held[] {
    this.release(attempts);
    const ids = new Set(attempts.map(attemptId));
    this.#outcomes = this.#outcomes.filter((outcome) => !ids.has(attemptId(outcome)));
    return [...ids].map((id) => this.held.get(id)).filter((held) => held !== undefined);
  }

  wake(): void {
    this.#wake();
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#stopListening();
    this.#stopListening = this.#capacity.onRoom(wake);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopListening();
  }
}
