// The worker processes of the pool: starts them, and ends those that have had nothing to do for a while.
//
// R1  A worker that dies is replaced when there is work. Workers that cannot even start are not tried
//     for ever: after `maxStartFailures` in a row what waits for them is given up, with their words.
// R2  While no worker is idle there is no timer here, and none that keeps this process alive.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { TaskCalls } from "../core/messages.ts";
import type { Resources } from "../core/resources.ts";
import type { Capacity } from "./capacity.ts";
import type { LogSink } from "./executor.ts";
import { type Loss, lossText } from "./loss.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { gpuVariables, heapArgs } from "./own-process.ts";
import { Seat, type SeatGroup } from "./seat.ts";
import type { WorkerOptions } from "./worker-options.ts";
import { WorkerProcess } from "./worker-process.ts";

export type CrewOptions = {
  readonly dataDir: string;
  readonly calls: TaskCalls;
  readonly logs: LogSink;
  readonly capacity: Capacity;
  /** Workers that share attempts: active ones, and processes, at most. */
  readonly maxActive: number;
  readonly maxShared: number;
  readonly program?: URL | undefined;
  readonly idleMs?: number | undefined;
  /** See `WorkerOptions`. */
  readonly stoppedLeaseMs?: number | undefined;
  readonly onText: (text: string) => void;
  readonly onChange: () => void;
  readonly onOutcomes: (worker: WorkerProcess, ended: Parameters<WorkerOptions["onOutcomes"]>[0]) => void;
  /** `isStartFailure`: it has never been ready, and was not told to end. */
  readonly onGone: (worker: WorkerProcess, loss: Loss, isStartFailure: boolean) => void;
  /** R1. */
  readonly onGivenUp: (message: string) => void;
};

export const maxStartFailures = 5;
const firstBackoffMs = 50;

/** Long enough for somebody who runs one thing after another; a worker starts in a fraction of a second. */
const defaultIdleMs = 60_000;

/** Workers that served one task alone are of use to that one only. */
const maxIdleOwn = 4;

/** For a worker that does not end by itself. */
const endGraceMs = 1_000;

export class Crew {
  readonly workers = new Set<WorkerProcess>();
  readonly seats: SeatGroup;
  readonly #options: CrewOptions;
  readonly #watch = new MemoryWatch();
  readonly #idleSinceMs = new Map<WorkerProcess, number>();
  readonly #ending = new Set<NodeJS.Timeout>();
  #idleTimer: NodeJS.Timeout | null = null;
  #startFailures = 0;
  #startsAgain: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.seats = { limit: options.maxActive, taken: 0 };
  }

  shared(): readonly WorkerProcess[] {
    return [...this.workers].filter(({ own, state }) => own === null && state !== "leaving");
  }

  /** Active ones that serve one task alone. */
  ownCount(): number {
    return [...this.workers].filter(({ own, load, planned }) => own !== null && load + planned > 0).length;
  }

  get canStartShared(): boolean {
    return !this.#isClosed && !this.isBackingOff && this.shared().length < this.#options.maxShared;
  }

  /** The last start failed; the next is tried soon. */
  get isBackingOff(): boolean {
    return this.#startsAgain !== null;
  }

  startShared(seat: Seat = new Seat(this.seats)): WorkerProcess | null {
    return this.canStartShared ? this.#start({ seat, own: null, isReusable: true, memory: null }, [], []) : null;
  }

  /** For one attempt, and for others after it under the same key. */
  startOwn(key: string, { memoryBytes }: Resources, devices: readonly number[]): WorkerProcess | null {
    if (this.#isClosed || this.isBackingOff) return null;
    const memory = memoryBytes === null ? null : { limitBytes: memoryBytes, watch: this.#watch };
    const args = memoryBytes === null ? [] : heapArgs(memoryBytes);
    const isReusable = devices.length === 0;
    return this.#start({ seat: new Seat(), own: key, isReusable, memory }, args, devices);
  }

  idleOwn(key: string): WorkerProcess | null {
    for (const worker of this.workers)
      if (worker.own === key && worker.isReusable && worker.state !== "leaving" && isIdle(worker)) return worker;
    return null;
  }

  /** After something has ended or was sent. */
  noteIdle(): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    for (const worker of this.workers) {
      if (worker.state === "leaving" || !isIdle(worker)) this.#idleSinceMs.delete(worker);
      else if (!this.#idleSinceMs.has(worker)) this.#idleSinceMs.set(worker, nowMs);
    }
    const idleOwn = [...this.#idleSinceMs.keys()].filter(({ own }) => own !== null);
    for (const worker of idleOwn.slice(0, Math.max(0, idleOwn.length - maxIdleOwn))) this.end(worker);
    this.#planEnd();
  }

  /** Lets it end by itself, and by force if it does not. */
  end(worker: WorkerProcess, why = "it has nothing to do."): void {
    this.#idleSinceMs.delete(worker);
    worker.end(why);
    const forced = setTimeout(() => {
      this.#ending.delete(forced);
      if (this.workers.has(worker)) worker.kill(why);
    }, endGraceMs);
    this.#ending.add(forced);
  }

  close(why: string): void {
    this.#isClosed = true;
    if (this.#startsAgain !== null) clearTimeout(this.#startsAgain);
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    for (const worker of this.workers) this.end(worker, why);
  }

  #planEnd(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    const [sinceMs] = this.#idleSinceMs.values();
    if (sinceMs === undefined) return;
    const idleMs = this.#options.idleMs ?? defaultIdleMs;
    this.#idleTimer = setTimeout(() => this.#endIdle(), Math.max(1, sinceMs + idleMs - performance.now()));
    this.#idleTimer.unref();
  }

  #endIdle(): void {
    const idleMs = this.#options.idleMs ?? defaultIdleMs;
    const nowMs = performance.now();
    for (const [worker, sinceMs] of this.#idleSinceMs) {
      // Something may have been planned for it or asked of it since.
      if (!isIdle(worker)) this.#idleSinceMs.delete(worker);
      else if (nowMs - sinceMs >= idleMs) this.end(worker);
    }
    this.#planEnd();
  }

  #start(
    what: Pick<WorkerOptions, "seat" | "own" | "isReusable" | "memory">,
    args: readonly string[],
    devices: readonly number[],
  ): WorkerProcess | null {
    const { dataDir, calls, logs, capacity, onText, onChange, program, stoppedLeaseMs } = this.#options;
    try {
      const worker: WorkerProcess = new WorkerProcess({
        ...what,
        args: [...args, ...workerArgs(program ?? defaultProgram())],
        env: { ...process.env, ...gpuVariables(capacity.machine, devices) },
        dataDir,
        calls,
        logs,
        capacity,
        stoppedLeaseMs,
        onText,
        onReady: () => {
          this.#startFailures = 0;
          onChange();
        },
        onOutcomes: (ended) => this.#options.onOutcomes(worker, ended),
        onChange,
        onGone: (loss) => this.#gone(worker, loss),
      });
      this.workers.add(worker);
      return worker;
    } catch (error) {
      this.#noteStartFailure(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #gone(worker: WorkerProcess, loss: Loss): void {
    const isStartFailure = !worker.hasStarted && loss.endedFor === null && loss.oom === null;
    this.workers.delete(worker);
    this.#idleSinceMs.delete(worker);
    this.#options.onGone(worker, loss, isStartFailure);
    if (isStartFailure && !this.#isClosed) this.#noteStartFailure(lossText(loss));
    if (this.workers.size === 0) for (const forced of this.#ending) clearTimeout(forced);
  }

  /** R1. */
  #noteStartFailure(words: string): void {
    this.#startFailures += 1;
    if (this.#startFailures < maxStartFailures) {
      const delayMs = firstBackoffMs * 2 ** (this.#startFailures - 1);
      this.#startsAgain = setTimeout(() => {
        this.#startsAgain = null;
        this.#options.onChange();
      }, delayMs);
      return;
    }
    // Whoever asks next gets one more try.
    this.#startFailures = maxStartFailures - 1;
    this.#options.onGivenUp(`Worker processes cannot be started (tried ${maxStartFailures} times). ${words}`);
  }
}

const isIdle = ({ load, planned, held }: WorkerProcess): boolean => load + planned + held.size === 0;

const defaultProgram = (): URL => new URL(`../worker/main${extname(import.meta.filename)}`, import.meta.url);

/** From sources, packages of this repository are taken from their sources too. */
function workerArgs(program: URL): readonly string[] {
  const conditions = program.pathname.endsWith(".ts") ? ["--conditions=source"] : [];
  return ["--enable-source-maps", ...conditions, fileURLToPath(program)];
}
