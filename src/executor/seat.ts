// Where attempts take turns on one thread, such as those of one worker. However many there are, the
// machine's processors see one of them at a time: together they need the CPU of the largest.
import type { WaitReason } from "../core/resources.ts";
import { shortOf } from "./ask.ts";

/** Seats that may be taken at once, whatever CPU there is. */
export type SeatGroup = { readonly limit: number; taken: number };

export class Seat {
  readonly group: SeatGroup | null;
  /** Of the largest that sits here. */
  cpuMillis = 0;
  /** CPU share → how many ask for just that. */
  readonly #shares = new Map<number, number>();

  constructor(group: SeatGroup | null = null) {
    this.group = group;
  }

  /** CPU that somebody who comes here needs beyond what is held here. */
  lacks(cpuMillis: number): number {
    return Math.max(0, cpuMillis - this.cpuMillis);
  }

  get isTaken(): boolean {
    return this.#shares.size > 0;
  }

  add(cpuMillis: number): void {
    if (!this.isTaken && this.group !== null) this.group.taken += 1;
    this.#shares.set(cpuMillis, (this.#shares.get(cpuMillis) ?? 0) + 1);
    this.cpuMillis = Math.max(this.cpuMillis, cpuMillis);
  }

  remove(cpuMillis: number): void {
    const left = (this.#shares.get(cpuMillis) ?? 0) - 1;
    if (left > 0) {
      this.#shares.set(cpuMillis, left);
      return;
    }
    this.#shares.delete(cpuMillis);
    this.cpuMillis = Math.max(0, ...this.#shares.keys());
    if (!this.isTaken && this.group !== null) this.group.taken -= 1;
  }
}

/** The CPU of the machine, by seats. */
export class Processors {
  readonly totalMillis: number;
  usedMillis = 0;

  constructor(totalMillis: number) {
    this.totalMillis = totalMillis;
  }

  get freeMillis(): number {
    return this.totalMillis - this.usedMillis;
  }

  impossible(cpuMillis: number): WaitReason | null {
    return cpuMillis > this.totalMillis ? shortOf("cpu", cpuMillis, this.freeMillis, this.totalMillis) : null;
  }

  short(cpuMillis: number, seat: Seat): WaitReason | null {
    if (seat.lacks(cpuMillis) > this.freeMillis) return shortOf("cpu", cpuMillis, this.freeMillis, this.totalMillis);
    const { group, isTaken } = seat;
    return group !== null && !isTaken && group.taken >= group.limit ? shortOf("worker", 1, 0, group.limit) : null;
  }

  join(cpuMillis: number, seat: Seat): void {
    this.usedMillis -= seat.cpuMillis;
    seat.add(cpuMillis);
    this.usedMillis += seat.cpuMillis;
  }

  leave(cpuMillis: number, seat: Seat): void {
    this.usedMillis -= seat.cpuMillis;
    seat.remove(cpuMillis);
    this.usedMillis += seat.cpuMillis;
  }

  /** False if that takes what is not there. */
  move(cpuMillis: number, from: Seat, to: Seat): boolean {
    if (from === to) return true;
    this.leave(cpuMillis, from);
    const isRoom = this.short(cpuMillis, to) === null;
    this.join(cpuMillis, isRoom ? to : from);
    return isRoom;
  }
}
