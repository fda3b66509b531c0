// The books of what this machine has for attempts and who holds it. All executors of an engine share one.
//
// R1  What is held together is never more than there is, in any kind: CPU, memory, disk, tokens, GPUs
//     by device, places under limits (core/resources.ts R1).
// R2  Whoever is paused holds nothing. So a caller can never be in the way of what it waits for, and
//     nesting of any depth comes to its end on the smallest machine.
// R3  Those that wait to resume go first, in the order in which they came: nobody takes what the first
//     of them still needs. So each of them is the first at some time, and then gets it: all that is in its way is
//     active, and ends.
// R4  What is kept for somebody is left free by all that is taken meanwhile, in each kind that it asks
//     for; of other kinds whoever comes may take.
// R5  The GPUs of an attempt are its own until it has ended, as its process has been told of them: one
//     that is paused gives them away and waits for the very same.
// R6  What a paused attempt's process still has in memory is charged too, but only against attempts that
//     are not needed to go on: when no other holds memory, the next one is let in all the same.
import { type AttemptId, attemptId } from "../core/messages.ts";
import type { ConcurrencyLimits, Gpu, GpuRequest, Machine, WaitReason } from "../core/resources.ts";
import { type Ask, amountOf, askOf, gpuName, shortOf } from "./ask.ts";
import { Devices } from "./devices.ts";
import type { Kept, Wanted } from "./executor.ts";
import { type Place, Places } from "./places.ts";
import { Processors, Seat } from "./seat.ts";
import { type Amounts, Stock } from "./stock.ts";

export type CapacityOptions = { readonly machine: Machine; readonly limits: ConcurrencyLimits };

/** What is used, by other processes too, of what there is. */
export type Usage = { readonly [resource: string]: { readonly used: number; readonly total: number } };

type Holding = {
  readonly id: AttemptId;
  readonly action: string;
  readonly ask: Ask;
  readonly places: readonly Place[];
  seat: Seat;
  state: "held" | "paused" | "resuming" | "confirming";
  devices: readonly number[];
  parkedBytes: number;
  readonly resumed: PromiseWithResolvers<void>[];
};

/** What must be left free, and for whom. */
type Reserve = {
  readonly action: string;
  readonly cpuMillis: number;
  readonly ask: Ask;
  /** If it has to be these. */
  readonly devices: readonly number[];
};

/** Of those that wait to resume, how many behind the first are looked at. */
const maxLook = 100;

export class Capacity {
  machine: Machine;
  readonly limits: ConcurrencyLimits;
  /**
   * Asks whether what is held now (`held`) is granted beside what other processes hold, when one that was
   * paused takes memory, disk, GPUs or tokens again. Null: there are no other processes.
   */
  confirm: (() => Promise<boolean>) | null = null;
  readonly #holdings = new Map<AttemptId, Holding>();
  readonly #processors: Processors;
  readonly #stock: Stock;
  readonly #devices: Devices;
  readonly #places: Places;
  readonly #listeners = new Set<() => void>();
  #resuming: Holding[] = [];
  #isTelling = false;
  #expectsGpus = false;

  constructor({ machine, limits }: CapacityOptions) {
    this.machine = machine;
    this.limits = limits;
    this.#devices = new Devices(machine.gpus);
    this.#places = new Places(limits);
    this.#processors = new Processors(machine.cpuMillis);
    this.#stock = new Stock(machine);
  }

  /** The driver takes its time, and most runs need none: until it has told, only who asks for GPUs waits. */
  expectGpus(told: Promise<readonly Gpu[]>): void {
    this.#expectsGpus = true;
    void told.then((gpus) => {
      this.#expectsGpus = false;
      this.machine = { ...this.machine, gpus };
      this.#devices.set(gpus);
      this.#settle();
    });
  }

  /** Null: taken, under the attempt, and sitting there. One that holds already is not given more. */
  take(wanted: Wanted, kept: Kept | null, seat: Seat = new Seat()): WaitReason | null {
    const id = attemptId(wanted);
    if (this.#holdings.has(id)) return { type: "turn" };
    const holding = this.#holding(wanted, seat);
    const reserves = this.#reserves(kept);
    const reason = this.#refusal(holding, reserves);
    if (reason !== null) return reason;
    this.#holdings.set(id, holding);
    this.#hold(holding, reserves);
    return null;
  }

  /** What `take` would answer. */
  check(wanted: Wanted, kept: Kept | null, seat: Seat): WaitReason | null {
    return this.#refusal(this.#holding(wanted, seat), this.#reserves(kept));
  }

  /** For attempts that have to run, though nothing was taken for them: they are known, and have to `resume`. */
  enter(wanted: Wanted, seat: Seat = new Seat()): void {
    const id = attemptId(wanted);
    if (!this.#holdings.has(id)) this.#holdings.set(id, { ...this.#holding(wanted, seat), state: "paused" });
  }

  /** Nothing if it holds nothing. */
  give(attempt: AttemptId): void {
    const holding = this.#holdings.get(attempt);
    if (holding === undefined) return;
    this.#holdings.delete(attempt);
    this.#letGo(holding);
    for (const { resolve } of holding.resumed) resolve();
    this.#settle();
  }

  /** R2. `parkedBytes`: what its process keeps in memory meanwhile (R6). */
  pause(attempt: AttemptId, parkedBytes = 0): void {
    const holding = this.#holdings.get(attempt);
    if (holding?.state !== "held") return;
    this.#letGo(holding);
    holding.state = "paused";
    this.#park(holding, parkedBytes);
    this.#settle();
  }

  /** True if it holds again, or has never been paused; else it has to wait in `resume`. */
  tryResume(attempt: AttemptId): boolean {
    const holding = this.#holdings.get(attempt);
    if (holding === undefined || holding.state === "held") return true;
    if (holding.state !== "paused" || this.#mustConfirm(holding)) return false;
    const reserves = this.#reserves(null);
    if (this.#refusal(holding, reserves, true) !== null) return false;
    this.#hold(holding, reserves);
    return true;
  }

  /** Resolves when the attempt holds again, or when it is given back meanwhile. `seat`: if it is to be another. */
  resume(attempt: AttemptId, seat?: Seat): Promise<void> {
    const holding = this.#holdings.get(attempt);
    if (holding?.state === "paused" && seat !== undefined) holding.seat = seat;
    if (holding === undefined || this.tryResume(attempt)) return Promise.resolve();
    const resumed = Promise.withResolvers<void>();
    holding.resumed.push(resumed);
    if (holding.state === "paused") {
      holding.state = "resuming";
      this.#resuming.push(holding);
      this.#settle();
    }
    return resumed.promise;
  }

  readonly isHeld = (attempt: AttemptId): boolean => this.#holdings.get(attempt)?.state === "held";

  /** Moves what is held to another seat, unless that takes CPU or a worker that is not there. */
  sit(attempt: AttemptId, seat: Seat): boolean {
    const holding = this.#holdings.get(attempt);
    if (holding?.state !== "held") return false;
    if (holding.seat === seat) return true;
    if (!this.#processors.move(holding.ask.cpuMillis, holding.seat, seat)) return false;
    holding.seat = seat;
    return true;
  }

  get freeMillis(): number {
    return this.#processors.freeMillis;
  }

  /** Whether any limit on what is active at once applies to it. */
  readonly isLimited = (wanted: Wanted): boolean => this.#places.of(wanted).length > 0;

  /** R5. Indices of the GPUs that are its own. */
  devices(attempt: AttemptId): readonly number[] {
    return this.#holdings.get(attempt)?.devices ?? [];
  }

  /** What other processes must know of: "memory", "disk", "gpu:<index>", "token:<name>". */
  held(): Amounts {
    return {
      ...this.#stock.used(),
      ...Object.fromEntries(this.#devices.held().map((index) => [`gpu:${index}`, 1])),
    };
  }

  /** The most of each of these. */
  totals(): Amounts {
    return {
      ...this.#stock.totals(),
      ...Object.fromEntries(this.machine.gpus.map(({ index }) => [`gpu:${index}`, 1])),
    };
  }

  /** What other processes hold of the same: not free here. */
  setOthers(others: Amounts): void {
    const isLess = this.#stock.setOthers(others);
    const gpus = Object.entries(others).filter(([name, amount]) => amount > 0 && name.startsWith("gpu:"));
    this.#devices.setElsewhere(new Set(gpus.map(([name]) => Number(name.slice("gpu:".length)))));
    if (isLess) this.#settle();
  }

  usage(): Usage {
    const { gpus } = this.machine;
    return {
      cpu: { used: this.#processors.usedMillis, total: this.machine.cpuMillis },
      ...Object.fromEntries(
        Object.entries(this.#stock.totals()).map(([name, total]) => [
          name,
          { used: total - this.#stock.free(name), total },
        ]),
      ),
      gpu: { used: gpus.length - this.#devices.free({ model: null }).length, total: gpus.length },
    };
  }

  /** Called, soon, when something was given back. Returns how to stop. */
  onRoom(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #holding(wanted: Wanted, seat: Seat): Holding {
    return {
      id: attemptId(wanted),
      action: wanted.action,
      ask: askOf(wanted.resources),
      places: this.#places.of(wanted),
      seat,
      state: "held",
      devices: [],
      parkedBytes: 0,
      resumed: [],
    };
  }

  /** R3, R4. */
  #reserves(kept: Kept | null): readonly Reserve[] {
    const reserves: Reserve[] = [];
    const [first] = this.#resuming;
    if (first !== undefined) reserves.push(reserveOf(first));
    if (kept !== null) {
      const ask = askOf(kept.resources);
      // What can never be given is not waited for.
      if (this.#impossible(ask) === null)
        reserves.push({ action: kept.action, cpuMillis: ask.cpuMillis, ask, devices: [] });
    }
    return reserves;
  }

  /** Why it may not hold now; the most telling reason first. */
  #refusal(holding: Holding, reserves: readonly Reserve[], isResuming = false): WaitReason | null {
    const { ask, seat, places } = holding;
    if (ask.gpus !== null && this.#expectsGpus) return { type: "turn" };
    return (
      this.#impossible(ask) ??
      this.#places.full(places) ??
      this.#gpuShort(holding) ??
      this.#stock.short(ask, holding.parkedBytes) ??
      this.#processors.short(ask.cpuMillis, seat) ??
      // One that resumes beside others that are active takes nothing from anybody; one that comes anew
      // keeps the seat from becoming free.
      this.#reserved(holding, reserves, isResuming ? seat.lacks(ask.cpuMillis) : ask.cpuMillis)
    );
  }

  #impossible(ask: Ask): WaitReason | null {
    const { gpus } = ask;
    const impossible = this.#processors.impossible(ask.cpuMillis) ?? this.#stock.impossible(ask);
    if (impossible !== null || gpus === null || gpus.count <= this.#devices.total(gpus)) return impossible;
    return shortOf(gpuName(gpus), gpus.count, this.#devices.free(gpus).length, this.#devices.total(gpus));
  }

  #gpuShort({ ask: { gpus }, devices }: Holding): WaitReason | null {
    if (gpus === null) return null;
    const free = devices.length > 0 ? devices.filter((index) => this.#devices.isFree(index)) : this.#devices.free(gpus);
    return free.length >= gpus.count
      ? null
      : shortOf(gpuName(gpus), gpus.count, free.length, this.#devices.total(gpus));
  }

  #reserved({ ask, seat, devices }: Holding, reserves: readonly Reserve[], touchedMillis: number): WaitReason | null {
    const leftMillis = this.#processors.freeMillis - seat.lacks(ask.cpuMillis);
    for (const { action, cpuMillis, ask: needed, devices: neededDevices } of reserves) {
      const reserved = (resource: string): WaitReason => ({ type: "reserved", resource, action });
      if (touchedMillis > 0 && leftMillis < cpuMillis) return reserved("cpu");
      for (const [name, amount] of ask.amounts) {
        const kept = amountOf(needed, name);
        if (kept > 0 && this.#stock.free(name) - amount < kept) return reserved(name);
      }
      if (ask.gpus === null || needed.gpus === null) continue;
      const chosen = devices.length > 0 ? devices : this.#choose(ask.gpus, reserves);
      const isTaken = neededDevices.some((index) => chosen.includes(index));
      if (chosen.length < ask.gpus.count || isTaken) return reserved(gpuName(needed.gpus));
      if (neededDevices.length === 0 && this.#devices.free(needed.gpus, chosen).length < needed.gpus.count)
        return reserved(gpuName(needed.gpus));
    }
    return null;
  }

  #choose(gpus: GpuRequest, reserves: readonly Reserve[]): readonly number[] {
    const spoken = reserves.flatMap(({ devices }) => devices);
    const spared = reserves.find(({ ask, devices }) => ask.gpus !== null && devices.length === 0)?.ask.gpus ?? null;
    return this.#devices.choose(gpus, { spared, without: spoken });
  }

  /** `reserves`: as in the decision that it may. */
  #hold(holding: Holding, reserves: readonly Reserve[]): void {
    const { ask, id, seat, places } = holding;
    this.#stock.parkedBytes -= holding.parkedBytes;
    holding.parkedBytes = 0;
    this.#processors.join(ask.cpuMillis, seat);
    this.#places.take(places);
    this.#stock.take(ask);
    if (ask.gpus !== null && holding.devices.length === 0) holding.devices = this.#choose(ask.gpus, reserves);
    this.#devices.hold(holding.devices, id);
    holding.state = "held";
  }

  /** Whatever its state is. */
  #letGo(holding: Holding): void {
    const { ask, state } = holding;
    if (state === "resuming") this.#resuming = this.#resuming.filter((one) => one !== holding);
    this.#stock.parkedBytes -= holding.parkedBytes;
    holding.parkedBytes = 0;
    if (state !== "held" && state !== "confirming") return;
    this.#processors.leave(ask.cpuMillis, holding.seat);
    this.#places.give(holding.places);
    this.#stock.give(ask);
    this.#devices.letGo(holding.devices);
  }

  /** Something may have become free: R3, then all others. */
  #settle(): void {
    let first: Holding | null = null;
    for (const holding of this.#resuming.slice(0, maxLook)) {
      const reserves = first === null ? [] : [reserveOf(first)];
      if (this.#refusal(holding, reserves, true) === null) this.#goOn(holding, reserves);
      else first ??= holding;
    }
    if (this.#isTelling || this.#listeners.size === 0) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #goOn(holding: Holding, reserves: readonly Reserve[]): void {
    const { parkedBytes } = holding;
    this.#resuming = this.#resuming.filter((one) => one !== holding);
    this.#hold(holding, reserves);
    if (this.#mustConfirm(holding)) void this.#askOthers(holding, parkedBytes);
    else this.#resolve(holding);
  }

  async #askOthers(holding: Holding, parkedBytes: number): Promise<void> {
    holding.state = "confirming";
    // If the database fails, whoever asks it next tells so. It is tried again when something changes.
    const isGranted = await this.confirm?.().catch(() => false);
    if (this.#holdings.get(holding.id) !== holding) return;
    if (isGranted === true) {
      holding.state = "held";
      this.#resolve(holding);
      return;
    }
    this.#letGo(holding);
    holding.state = "resuming";
    this.#park(holding, parkedBytes);
    this.#resuming.unshift(holding);
  }

  #park(holding: Holding, parkedBytes: number): void {
    holding.parkedBytes = parkedBytes;
    this.#stock.parkedBytes += parkedBytes;
  }

  #resolve(holding: Holding): void {
    for (const { resolve } of holding.resumed.splice(0)) resolve();
  }

  #mustConfirm({ ask }: Holding): boolean {
    return this.confirm !== null && (ask.amounts.length > 0 || ask.gpus !== null);
  }
}

const reserveOf = ({ action, ask, seat, devices }: Holding): Reserve => ({
  action,
  cpuMillis: seat.lacks(ask.cpuMillis),
  ask,
  devices,
});
