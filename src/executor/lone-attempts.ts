// Attempts that each have a process of their own, from the reservation to the outcome. What kind of
// process that is, its course says: a shell's (process.ts), a Python interpreter's (python.ts).
//
// R1  An attempt has ended when all processes of its group have.
// R2  Nobody hears of an attempt that was stopped.
// R3  One that only waits for its calls holds nothing. Its process cannot be kept from going on when they have
//     ended: it goes on at once, and the books have it again as soon as its share is free.
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { TaskSpec } from "../core/task.ts";
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
  readonly #held = new Map<AttemptId, Held>();
  readonly #reserved = new Set<AttemptId>();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => {};
  #stopListening: () => void = () => {};
  #begun: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(capacity: Capacity, course: Course) {
    this.#capacity = capacity;
    this.#course = course;
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return this.#course.accepts(spec);
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

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#isClosed) return;
    const ended = new Set(this.#outcomes.map(attemptId));
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      if (this.#held.has(id) || ended.has(id)) continue;
      // What comes without a share waits for it.
      this.#capacity.enter({ ...launch, maxConcurrency: null });
      const held: Held = {
        launch,
        process: null,
        group: null,
        isStopping: false,
        isWaiting: false,
        isReturning: false,
        done: Promise.resolve(),
      };
      this.#held.set(id, held);
      held.done = this.#run(held).then((result) => {
        this.#held.delete(id);
        this.#capacity.give(id);
        const { run, action, attempt } = launch;
        const peak = held.group === null ? {} : { peakMemoryBytes: held.group.peakBytes };
        if (!held.isStopping) this.#outcomes.push({ run, action, attempt, result, ...peak });
        this.#wake();
      });
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...[...this.#held.values()].map(({ launch }) => launch), ...this.#outcomes].map(refOf);
  }

  stop(attempts: readonly AttemptRef[]): void {
    this.release(attempts);
    const stopped = new Set(attempts.map(attemptId));
    this.#outcomes = this.#outcomes.filter((outcome) => !stopped.has(attemptId(outcome)));
    for (const id of stopped) {
      const held = this.#held.get(id);
      if (held === undefined || held.isStopping) continue;
      held.isStopping = true;
      // If it still waits for its share: nobody has to wait for that.
      if (held.process === null) this.#capacity.give(id);
      held.process?.kill("SIGTERM", { to: "group" });
    }
  }

  setWaiting(attempt: AttemptRef, isWaiting: boolean): void {
    const held = this.#held.get(attemptId(attempt));
    if (held === undefined || held.isWaiting === isWaiting) return;
    held.isWaiting = isWaiting;
    if (isWaiting) this.#pause(held);
    else if (!held.isReturning) void this.#return(held);
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#begun = this.#course.begin();
    this.#stopListening();
    this.#stopListening = this.#capacity.onRoom(wake);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.stop(this.running());
    await Promise.all([...this.#held.values()].map(({ done }) => done));
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

export const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });
