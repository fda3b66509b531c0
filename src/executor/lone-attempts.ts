// Attempts that each have a process of their own, from the reservation to the outcome. What kind of
// process that is, its course says: a shell's (process.ts), a Python interpreter's (python.ts).
//
// R1  An attempt has ended when all processes of its group have.
// R2  Nobody hears of an attempt that was stopped.
// R3  One that only waits for its calls holds nothing. Its process cannot be kept from going on when they have
//     ended: it goes on at once, and the books have it again as soon as its share is free.
import { type AttemptRef, attemptId, type Launch, type Outcome, refOf } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { TaskSpec } from "../core/task.ts";
import { AttemptBooks } from "./attempt-books.ts";
import type { Capacity } from "./capacity.ts";
import type { Executor, Kept, Wanted } from "./executor.ts";
import type { GuardedProcess } from "./guard.ts";
import type { WatchedGroup } from "./memory-watch.ts";
import { systemFailure } from "./process-end.ts";

export type LoneAttempt = {
  readonly launch: Launch;
  process: Pick<GuardedProcess, "kill"> | null;
  /** If it has a limit of memory. */
  group: WatchedGroup | null;
  /** Nobody wants its outcome any more. */
  isStopping: boolean;
};

export type Course = {
  accepts(spec: TaskSpec): boolean;
  /** Clears away what dead processes have left. */
  begin(): Promise<unknown>;
  /** Starts the process, tells it in `attempt`, and resolves when its group is gone (R1). It may throw what is not the task's fault. */
  run(attempt: LoneAttempt): Promise<Outcome["result"]>;
  /** When nothing runs any more. */
  end(): Promise<void>;
};

export type LoneExecutor = Executor & {
  /** R3. Of attempts that it has not this does nothing. */
  setWaiting(attempt: AttemptRef, isWaiting: boolean): void;
};

export const loneExecutor = (capacity: Capacity, course: Course): LoneExecutor => new LoneAttempts(capacity, course);

type Held = LoneAttempt & { done: Promise<void>; isWaiting: boolean; isReturning: boolean };

class LoneAttempts implements LoneExecutor {
  readonly #capacity: Capacity;
  readonly #course: Course;
  readonly #books: AttemptBooks<Held>;
  #begun: Promise<unknown> = Promise.resolve();

  constructor(capacity: Capacity, course: Course) {
    this.#capacity = capacity;
    this.#course = course;
    this.#books = new AttemptBooks(capacity);
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return this.#course.accepts(spec);
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    return this.#books.reserve(wanted, kept);
  }

  release(attempts: readonly AttemptRef[]): void {
    this.#books.release(attempts);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    const begun = this.#books.hold(launches, (launch) => {
      // What comes without a share waits for it.
      this.#capacity.enter({ ...launch, maxConcurrency: null });
      return {
        launch,
        process: null,
        group: null,
        isStopping: false,
        isWaiting: false,
        isReturning: false,
        done: Promise.resolve(),
      };
    });
    for (const held of begun) {
      held.done = this.#run(held).then((result) => {
        const peak = held.group === null ? {} : { peakMemoryBytes: held.group.peakBytes };
        this.#books.end(held.launch, held.isStopping ? null : { ...refOf(held.launch), result, ...peak });
      });
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#books.takeOutcomes(limit);
  }

  running(): readonly AttemptRef[] {
    return this.#books.running();
  }

  stop(attempts: readonly AttemptRef[]): void {
    for (const held of this.#books.withdraw(attempts)) {
      if (held.isStopping) continue;
      held.isStopping = true;
      // If it still waits for its share: nobody has to wait for that.
      if (held.process === null) this.#capacity.give(attemptId(held.launch));
      held.process?.kill("SIGTERM", { to: "group" });
    }
  }

  setWaiting(attempt: AttemptRef, isWaiting: boolean): void {
    const held = this.#books.held.get(attemptId(attempt));
    if (held === undefined || held.isWaiting === isWaiting) return;
    held.isWaiting = isWaiting;
    if (isWaiting) this.#pause(held);
    else if (!held.isReturning) void this.#return(held);
  }

  start(wake: () => void): void {
    this.#begun = this.#course.begin();
    this.#books.start(wake);
  }

  async close(): Promise<void> {
    this.#books.close();
    this.stop(this.running());
    await Promise.all([...this.#books.held.values()].map(({ done }) => done));
    await this.#begun;
    await this.#course.end();
  }

  #pause({ launch, group }: Held): void {
    this.#capacity.pause(attemptId(launch), group?.residentBytes() ?? 0);
  }

  /** One that waits again by the time that its share is free lets go of it. */
  async #return(held: Held): Promise<void> {
    held.isReturning = true;
    await this.#capacity.resume(attemptId(held.launch));
    held.isReturning = false;
    if (held.isWaiting) this.#pause(held);
  }

  /** Never rejects. */
  async #run(held: Held): Promise<Outcome["result"]> {
    try {
      await this.#capacity.resume(attemptId(held.launch));
      return held.isStopping ? { type: "interrupted" } : await this.#course.run(held);
    } catch (error) {
      return { type: "failed", error: systemFailure(held.launch, error) };
    }
  }
}
