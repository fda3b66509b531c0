// What is ready in one lane, as far as it is kept in memory: its first so many, in the order in which
// they go. The rest stays in the store, and is read when these have gone.
import type { Action } from "../core/action.ts";
import type { WaitReason } from "../core/resources.ts";

/** Actions of a lane in memory. */
export const maxPerLane = 2_000;

export class LaneQueue {
  readonly lane: number;
  /** Whether all that is ready in the lane is here. */
  isWhole: boolean;
  /** The largest part of any kind of resource that each of them asks for. */
  weight = 0;
  /** Why its first was refused when it was last asked for; null: it was not. */
  refusal: Refusal | null = null;
  #actions = new Map<string, Action>();
  // In order. Entries that are not in the map any more are passed over.
  #order: Action[] = [];
  #first = 0;
  // What was put while the lane was being read: the read may not have seen it.
  #missed: Action[] | null = null;

  constructor(lane: number, isWhole: boolean) {
    this.lane = lane;
    this.isWhole = isWhole;
  }

  peek(): Action | null {
    for (; this.#first < this.#order.length; this.#first++) {
      const action = this.#order[this.#first] as Action;
      if (this.#actions.get(action.name) === action) return action;
    }
    this.#order = [];
    this.#first = 0;
    return null;
  }

  /** The first of them, in order. */
  *entries(): Generator<Action> {
    for (let at = this.#first; at < this.#order.length; at++) {
      const action = this.#order[at] as Action;
      if (this.#actions.get(action.name) === action) yield action;
    }
  }

  remove(name: string): void {
    this.#actions.delete(name);
  }

  /** If it comes behind all that is here and there are more in the store, it is one of those. */
  put(action: Action): void {
    this.#missed?.push(action);
    const last = this.#order.at(-1);
    if (last === undefined || this.#actions.size === 0 || goesBefore(last, action)) {
      if (!this.isWhole) return;
      this.#actions.set(action.name, action);
      this.#order.push(action);
    } else {
      this.#actions.set(action.name, action);
      this.#order.splice(this.#placeOf(action), 0, action);
    }
    if (this.#actions.size > maxPerLane) this.#cut();
  }

  /** What was read from the store, in its order, in the place of all that was here. */
  #fill(actions: readonly Action[], isWhole: boolean): void {
    this.#actions = new Map(actions.map((action) => [action.name, action]));
    this.#order = [...actions];
    this.#first = 0;
    this.isWhole = isWhole;
  }

  startReading(): void {
    this.#missed = [];
  }

  endReading(actions: readonly Action[], isWhole: boolean): void {
    const missed = this.#missed ?? [];
    this.#missed = null;
    this.#fill(actions, isWhole);
    for (const action of missed) if (!this.#actions.has(action.name)) this.put(action);
  }

  #cut(): void {
    const kept = [...this.entries()].slice(0, maxPerLane / 2);
    this.#fill(kept, false);
  }

  #placeOf(action: Action): number {
    let low = this.#first;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (goesBefore(action, this.#order[middle] as Action)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** `lacked`: the kinds of resource that were missing, one after the other. */
export type Refusal = { readonly sinceMs: number; readonly reason: WaitReason; readonly lacked: ReadonlySet<string> };

/** The order of `Store.claimable`; of equals, the one that was there first. */
export const goesBefore = (a: Action, b: Action): boolean =>
  a.priority !== b.priority
    ? a.priority > b.priority
    : a.depth !== b.depth
      ? a.depth > b.depth
      : a.readyAtMs < b.readyAtMs;
