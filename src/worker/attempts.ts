// The attempts of one worker: which runs, which waits for its calls, which has not begun.
//
// R1  The next attempt starts only when no other is active. (One that has waited goes on when its
//     calls have ended or its trace is recorded, whoever is active then: JavaScript cannot be held back.)
// R2  Short attempts follow each other within a turn of the event loop, for at most `sliceMs`; then
//     messages are read, so that a stop finds what has not started.
// R3  Each attempt that was launched gets one outcome, whatever becomes of it.
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActionError } from "../core/action.ts";
import {
  type AttemptId,
  type AttemptRef,
  type AttemptState,
  attemptId,
  type Launch,
  type Outcome,
  refOf,
} from "../core/messages.ts";
import type { MeasuredOutcome } from "./protocol.ts";

export type Run = (launch: Launch, course: Course, stopping: Stop) => Promise<Outcome>;

/** What is told of an attempt while it runs. */
export type Course = {
  readonly onState: (state: AttemptState) => void;
  /** Its code had to be loaded first, and is there now: what that took is not what the task takes. */
  readonly onLoaded: () => void;
};

/** What stops an attempt. Most attempts never ask for their signal, and it costs more than all else that starts one. */
export class Stop {
  #controller: AbortController | null = null;
  #reason: DOMException | null = null;

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#reason ??= new DOMException(reason, "AbortError");
    this.#controller?.abort(this.#reason);
  }
}

export type AttemptsOptions = {
  readonly run: Run;
  /** What an attempt is charged with when `run` itself rejects. */
  readonly errorOf: (thrown: unknown) => ActionError;
  /** Called before the outcome of an attempt is kept, for what it has not said yet. */
  readonly onEnd: (attempt: AttemptRef) => void;
  /** Called when `takeReport` may have something new. */
  readonly onReport: () => void;
};

type Running = {
  readonly id: AttemptId;
  readonly launch: Launch;
  readonly stopping: Stop;
  state: AttemptState;
  told: AttemptState | null;
  /** By `#shareMs`, when it last became active. */
  sinceMs: number;
  stretchMs: number;
};

const sliceMs = 2;

/** Attempts start outside of all others' asynchronous contexts. */
const outside = AsyncLocalStorage.snapshot();

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #running = new Map<AttemptId, Running>();
  readonly #changed = new Set<AttemptId>();
  #queue: Launch[] = [];
  #outcomes: MeasuredOutcome[] = [];
  #active = 0;
  /**
   * What each of those that are active has had of the thread. Were their stretches measured by the clock, each
   * would have what all that take turns with it have.
   */
  #shareMs = 0;
  #sharedAtMs = 0;
  #isScheduled = false;
  #sliceEndsAtMs = 0;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  launch(launches: readonly Launch[]): void {
    this.#queue.push(...launches);
    this.#startSoon("read");
  }

  /** Gives up those that have not started. */
  recall(ids: readonly AttemptId[]): void {
    const recalled = new Set(ids);
    this.#queue = this.#queue.filter((launch) => {
      const isRecalled = recalled.has(attemptId(launch));
      if (isRecalled) this.#keep({ ...refOf(launch), result: { type: "interrupted" } }, 0);
      return !isRecalled;
    });
  }

  stop(ids: readonly AttemptId[], reason: string): void {
    this.recall(ids);
    for (const id of ids) this.#running.get(id)?.stopping.abort(reason);
  }

  isRunning(attempt: AttemptRef): boolean {
    return this.#running.has(attemptId(attempt));
  }

  /** The only one that is active, if it is only one: for what cannot be attributed otherwise. */
  soleActive(): AttemptRef | null {
    const active = [...this.#running.values()].filter(({ state }) => state === "active");
    return active.length === 1 && active[0] !== undefined ? refOf(active[0].launch) : null;
  }

  /** Ends an attempt whose code threw where nobody could catch it. False if it is not running. */
  fail(attempt: AttemptRef, error: ActionError): boolean {
    const running = this.#running.get(attemptId(attempt));
    if (running === undefined) return false;
    this.#end(running, { ...attempt, result: { type: "failed", error } });
    running.stopping.abort(error.message);
    return true;
  }

  /** What has not been told yet. */
  takeReport(): {
    readonly states: readonly { attempt: AttemptId; state: AttemptState }[];
    readonly outcomes: readonly MeasuredOutcome[];
  } {
    const states: { attempt: AttemptId; state: AttemptState }[] = [];
    for (const attempt of this.#changed) {
      const running = this.#running.get(attempt);
      if (running === undefined || running.told === running.state) continue;
      running.told = running.state;
      states.push({ attempt, state: running.state });
    }
    this.#changed.clear();
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    return { states, outcomes };
  }

  /** `when`: after all that was read together, or after all that can be read by now. */
  #startSoon(when: "read" | "turn ended"): void {
    if (this.#isScheduled || this.#queue.length === 0 || this.#active > 0) return;
    this.#isScheduled = true;
    const start = (): void => {
      this.#isScheduled = false;
      this.#sliceEndsAtMs = performance.now() + sliceMs;
      this.#startNext();
    };
    if (when === "read") process.nextTick(start);
    else setImmediate(start);
  }

  #startNext(): void {
    if (this.#active > 0) return;
    const launch = this.#queue.shift();
    if (launch !== undefined) outside(() => this.#start(launch));
  }

  #start(launch: Launch): void {
    const id = attemptId(launch);
    const running: Running = {
      id,
      launch,
      stopping: new Stop(),
      state: "active",
      told: null,
      sinceMs: this.#share(1),
      stretchMs: 0,
    };
    this.#running.set(id, running);
    this.#noteChange(id);
    this.#options.run(launch, this.#course(running), running.stopping).then(
      (outcome) => this.#end(running, outcome),
      (thrown: unknown) => {
        const error = this.#options.errorOf(thrown);
        this.#end(running, { ...refOf(launch), result: { type: "failed", error } });
      },
    );
  }

  #course(running: Running): Course {
    return {
      onState: (state) => this.#setState(running, state),
      onLoaded: () => {
        running.sinceMs = this.#share(0);
      },
    };
  }

  #setState(running: Running, state: AttemptState): void {
    if (running.state === state || !this.#isHeld(running)) return;
    this.#count(running, state);
    this.#noteChange(running.id);
    this.#startSoon("turn ended");
  }

  #count(running: Running, state: AttemptState): void {
    const wasActive = running.state === "active";
    running.state = state;
    if (wasActive === (state === "active")) return;
    if (wasActive) running.stretchMs = Math.max(running.stretchMs, this.#share(-1) - running.sinceMs);
    else running.sinceMs = this.#share(1);
  }

  /** `#shareMs` by now. From now on so many more are active. */
  #share(change: 1 | 0 | -1): number {
    const nowMs = performance.now();
    if (this.#active > 0) this.#shareMs += (nowMs - this.#sharedAtMs) / this.#active;
    this.#sharedAtMs = nowMs;
    this.#active += change;
    return this.#shareMs;
  }

  #end(running: Running, outcome: Outcome): void {
    if (!this.#isHeld(running)) return;
    this.#count(running, "waiting");
    this.#running.delete(running.id);
    this.#keep(outcome, running.stretchMs);
    // R2. Called from the end of the attempt's own promise, so nothing of its code is on the stack.
    if (performance.now() < this.#sliceEndsAtMs && !this.#isScheduled) this.#startNext();
    else this.#startSoon("turn ended");
  }

  #isHeld(running: Running): boolean {
    return this.#running.get(running.id) === running;
  }

  #keep(outcome: Outcome, stretchMs: number): void {
    this.#options.onEnd(outcome);
    this.#outcomes.push({ outcome, stretchMs });
    this.#options.onReport();
  }

  #noteChange(id: AttemptId): void {
    this.#changed.add(id);
    this.#options.onReport();
  }
}
