// The attempts of one worker: which runs, which waits for its calls, which has not begun.
//
// R1  The next attempt starts only when no other is active. (One that has waited goes on when its
//     calls have ended, whoever is active then: JavaScript cannot be held back.)
// R2  Short attempts follow each other within a turn of the event loop, for at most `sliceMs`; then
//     messages are read, so that a stop finds what has not started.
// R3  Each attempt that was launched gets one outcome, whatever becomes of it.
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActionError } from "../core/action.ts";
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome } from "../core/messages.ts";
import type { AttemptState, MeasuredOutcome } from "./protocol.ts";

/** Runs one attempt. `onWaiting` tells when it begins and ceases to do nothing but wait for its calls. */
export type Run = (launch: Launch, onWaiting: (isWaiting: boolean) => void, stopping: Stop) => Promise<Outcome>;

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
  activeSinceMs: number;
  activeMs: number;
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
      activeSinceMs: performance.now(),
      activeMs: 0,
    };
    this.#running.set(id, running);
    this.#active += 1;
    this.#noteChange(id);
    this.#options
      .run(launch, (isWaiting) => this.#setState(running, isWaiting ? "waiting" : "active"), running.stopping)
      .then(
        (outcome) => this.#end(running, outcome),
        (thrown: unknown) => {
          const error = this.#options.errorOf(thrown);
          this.#end(running, { ...refOf(launch), result: { type: "failed", error } });
        },
      );
  }

  #setState(running: Running, state: AttemptState): void {
    if (running.state === state || !this.#isHeld(running)) return;
    this.#count(running, state);
    this.#noteChange(running.id);
    this.#startSoon("turn ended");
  }

  #count(running: Running, state: AttemptState): void {
    if (running.state === state) return;
    const nowMs = performance.now();
    if (running.state === "active") {
      running.activeMs += nowMs - running.activeSinceMs;
      this.#active -= 1;
    } else {
      running.activeSinceMs = nowMs;
      this.#active += 1;
    }
    running.state = state;
  }

  #end(running: Running, outcome: Outcome): void {
    if (!this.#isHeld(running)) return;
    this.#count(running, "waiting");
    this.#running.delete(running.id);
    this.#keep(outcome, running.activeMs);
    // R2. Called from the end of the attempt's own promise, so nothing of its code is on the stack.
    if (performance.now() < this.#sliceEndsAtMs && !this.#isScheduled) this.#startNext();
    else this.#startSoon("turn ended");
  }

  #isHeld(running: Running): boolean {
    return this.#running.get(running.id) === running;
  }

  #keep(outcome: Outcome, activeMs: number): void {
    this.#options.onEnd(outcome);
    this.#outcomes.push({ outcome, activeMs });
    this.#options.onReport();
  }

  #noteChange(id: AttemptId): void {
    this.#changed.add(id);
    this.#options.onReport();
  }
}

const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });
