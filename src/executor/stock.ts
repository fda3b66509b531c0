// What is counted by amount: memory, disk and tokens. How much there is, and how much of it is taken, here
// and by other processes.
import type { Machine, WaitReason } from "../core/resources.ts";
import { type Ask, shortOf } from "./ask.ts";

/** Of resources by name. */
export type Amounts = { readonly [resource: string]: number };

export class Stock {
  readonly #totals: ReadonlyMap<string, number>;
  readonly #used = new Map<string, number>();
  #others: Amounts = {};
  #memoryHolders = 0;
  /** In the memory of processes whose attempts are paused. */
  parkedBytes = 0;

  constructor({ memoryBytes, diskBytes, tokens }: Machine) {
    this.#totals = new Map([
      ["memory", memoryBytes],
      ["disk", diskBytes],
      ...Object.entries(tokens).map(([name, count]) => [`token:${name}`, count] as const),
    ]);
  }

  total(name: string): number {
    return this.#totals.get(name) ?? 0;
  }

  free(name: string): number {
    return Math.max(0, this.total(name) - (this.#used.get(name) ?? 0) - (this.#others[name] ?? 0));
  }

  /** More than there will ever be. */
  impossible({ amounts }: Ask): WaitReason | null {
    for (const [name, amount] of amounts) {
      if (amount > this.total(name)) return shortOf(name, amount, this.free(name), this.total(name));
    }
    return null;
  }

  /** More than is free now. `ownParkedBytes` are of the one that asks (capacity.ts R6). */
  short({ amounts }: Ask, ownParkedBytes: number): WaitReason | null {
    for (const [name, amount] of amounts) {
      const parked = name === "memory" && this.#memoryHolders > 0 ? this.parkedBytes - ownParkedBytes : 0;
      const free = Math.max(0, this.free(name) - parked);
      if (amount > free) return shortOf(name, amount, free, this.total(name));
    }
    return null;
  }

  take({ amounts }: Ask): void {
    for (const [name, amount] of amounts) this.#change(name, amount, 1);
  }

  give({ amounts }: Ask): void {
    for (const [name, amount] of amounts) this.#change(name, -amount, -1);
  }

  #change(name: string, amount: number, holders: number): void {
    this.#used.set(name, (this.#used.get(name) ?? 0) + amount);
    if (name === "memory") this.#memoryHolders += holders;
  }

  /** Of this process alone. */
  used(): Amounts {
    return Object.fromEntries([...this.#used].filter(([, amount]) => amount > 0));
  }

  totals(): Amounts {
    return Object.fromEntries(this.#totals);
  }

  /** True if there is less of anything than before. */
  setOthers(others: Amounts): boolean {
    const isLess = Object.entries(this.#others).some(([name, amount]) => (others[name] ?? 0) < amount);
    this.#others = others;
    return isLess;
  }
}
