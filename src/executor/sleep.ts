// Sleeps of Flyte's protocol (`core-sleep`): an attempt that waits for as long as its only input says, and
// succeeds without outputs. It has no process and holds nothing of the machine, so thousands may sleep at
// once; limits on what may be active at once count it like others.
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import { errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { type AttemptRef, attemptId, type Launch, type Outcome, refOf } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import { emptyPayload } from "../core/value.ts";
import { AttemptBooks } from "./attempt-books.ts";
import type { Capacity } from "./capacity.ts";
import type { Executor, Kept, Wanted } from "./executor.ts";
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
  readonly #books: AttemptBooks<Sleeping>;

  constructor(options: SleepExecutorOptions) {
    this.#options = options;
    this.#books = new AttemptBooks(options.capacity);
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "sleep";
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    return this.#books.reserve({ ...wanted, resources: nothing }, kept);
  }

  release(attempts: readonly AttemptRef[]): void {
    this.#books.release(attempts);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    const begun = this.#books.hold(launches, (launch) => ({ launch, cancel: () => {} }));
    for (const sleeping of begun) void this.#begin(sleeping);
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#books.takeOutcomes(limit);
  }

  running(): readonly AttemptRef[] {
    return this.#books.running();
  }

  stop(attempts: readonly AttemptRef[]): void {
    for (const sleeping of this.#books.withdraw(attempts)) {
      sleeping.cancel();
      this.#books.drop(attemptId(sleeping.launch));
    }
    if (attempts.length > 0) this.#books.wake();
  }

  start(wake: () => void): void {
    this.#books.start(wake);
  }

  async close(): Promise<void> {
    this.#books.close();
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
    this.#books.end(sleeping.launch, { ...refOf(sleeping.launch), result });
  }

  /** It may have been stopped meanwhile. */
  #isSleeping(sleeping: Sleeping): boolean {
    return this.#books.held.get(attemptId(sleeping.launch)) === sleeping;
  }
}

const nothing = { cpuMillis: 0, memoryBytes: null } as const;
