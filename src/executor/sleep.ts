// Sleeps of Flyte's protocol (`core-sleep`): an attempt that waits for as long as its only input says, and
// succeeds without outputs. It has no process and holds nothing of the machine, so thousands may sleep at
// once; limits on what may be active at once count it like others.
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import { errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import { emptyPayload } from "../core/value.ts";
import type { Capacity } from "./capacity.ts";
import type { Executor, Kept, Wanted } from "./executor.ts";
import { refOf } from "./lone-attempts.ts";
import { systemFailure, userFailure } from "./process-end.ts";

export type SleepExecutorOptions = {
  readonly blobs: BlobStore;
  readonly capacity: Capacity;
  readonly clock: Clock;
};

export const sleepExecutor = (options: SleepExecutorOptions): Executor => new SleepExecutor(options);

type Sleeping = { readonly launch: Launch; cancel: () => void };

class SleepExecutor implements Executor {
  readonly #options: SleepExecutorOptions;
  readonly #sleeping = new Map<AttemptId, Sleeping>();
  readonly #reserved = new Set<AttemptId>();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => {};
  #stopListening: () => void = () => {};
  #isClosed = false;

  constructor(options: SleepExecutorOptions) {
    this.#options = options;
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "sleep";
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    if (this.#isClosed) return { type: "turn" };
    const reason = this.#options.capacity.take({ ...wanted, resources: nothing }, kept);
    if (reason === null) this.#reserved.add(attemptId(wanted));
    return reason;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const id of attempts.map(attemptId)) if (this.#reserved.delete(id)) this.#options.capacity.give(id);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#isClosed) return;
    const ended = new Set(this.#outcomes.map(attemptId));
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      if (this.#sleeping.has(id) || ended.has(id)) continue;
      const sleeping: Sleeping = { launch, cancel: () => {} };
      this.#sleeping.set(id, sleeping);
      void this.#begin(sleeping);
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...[...this.#sleeping.values()].map(({ launch }) => launch), ...this.#outcomes].map(refOf);
  }

  stop(attempts: readonly AttemptRef[]): void {
    this.release(attempts);
    const stopped = new Set(attempts.map(attemptId));
    this.#outcomes = this.#outcomes.filter((outcome) => !stopped.has(attemptId(outcome)));
    for (const id of stopped) {
      const sleeping = this.#sleeping.get(id);
      if (sleeping === undefined) continue;
      sleeping.cancel();
      this.#sleeping.delete(id);
      this.#options.capacity.give(id);
    }
    if (stopped.size > 0) this.#wake();
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#stopListening();
    this.#stopListening = this.#options.capacity.onRoom(wake);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.stop(this.running());
  }

  async #begin(sleeping: Sleeping): Promise<void> {
    const { clock, blobs } = this.#options;
    const { launch } = sleeping;
    try {
      const literals = await fromPayload(launch.inputs, blobs);
      const [duration, ...more] = Object.values(literals);
      if (duration?.type !== "duration" || more.length > 0) {
        const message = "A sleep takes one input, a duration, and nothing else.";
        return this.#end(sleeping, {
          type: "failed",
          error: userFailure(launch, errorCodes.inputInvalid, message, false),
        });
      }
      this.#waitUntil(sleeping, clock.nowMs() + Math.ceil(Number(duration.value) / 1e6));
    } catch (error) {
      this.#end(sleeping, { type: "failed", error: systemFailure(launch, error) });
    }
  }

  /** A clock may call early, when the time is longer than its timers are. */
  #waitUntil(sleeping: Sleeping, atMs: number): void {
    const { clock } = this.#options;
    if (!this.#isSleeping(sleeping)) return;
    if (clock.nowMs() >= atMs) this.#end(sleeping, { type: "succeeded", outputs: emptyPayload });
    else sleeping.cancel = clock.at(atMs, () => this.#waitUntil(sleeping, atMs));
  }

  #end(sleeping: Sleeping, result: Outcome["result"]): void {
    if (!this.#isSleeping(sleeping)) return;
    const id = attemptId(sleeping.launch);
    this.#sleeping.delete(id);
    this.#options.capacity.give(id);
    this.#outcomes.push({ ...refOf(sleeping.launch), result });
    this.#wake();
  }

  /** It may have been stopped meanwhile. */
  #isSleeping(sleeping: Sleeping): boolean {
    return this.#sleeping.get(attemptId(sleeping.launch)) === sleeping;
  }
}

const nothing = { cpuMillis: 0, memoryBytes: null } as const;
