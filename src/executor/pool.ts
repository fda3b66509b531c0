// The warm pool: worker processes on this machine that run TypeScript attempts, each one at a time,
// and any number that only wait for their calls.
//
// R1  An attempt is in one place: the backlog, one worker, or the outcomes not yet handed out.
// R2  Behind another attempt in a worker go only tasks that are known to be quick (pace.ts). All
//     others wait in the backlog until a worker has nothing active.
// R3  A waiting attempt holds no place. A worker with many of them is spared while another is not; but
//     if all have many they go on taking work, one at a time, because what waits may wait for that work.
// R4  A worker that dies is replaced when there is work. Workers that cannot even start are not tried
//     for ever: after `maxStartFailures` in a row what waits for them fails, with their words.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type ActionError, errorCodes, systemError } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  attemptId,
  type Launch,
  type Outcome,
  type TaskCalls,
} from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { MeasuredOutcome } from "../worker/protocol.ts";
import { type Executor, type LogSink, stopGraceMs, type Wanted } from "./executor.ts";
import { blamed, type Loss, lossError, lossText } from "./loss.ts";
import { maxAhead, Pace } from "./pace.ts";
import { Questions } from "./questions.ts";
import { type Held, WorkerProcess } from "./worker-process.ts";

export type PoolOptions = {
  readonly dataDir: string;
  /** Processes at most. */
  readonly workers: number;
  readonly calls: TaskCalls;
  readonly logs: LogSink;
  /** What workers print that belongs to no attempt, and what is wrong with them. Default: to stderr. */
  readonly onText?: (text: string) => void;
  /** The worker's program. Default: worker/main. */
  readonly program?: URL;
  /** Default: `stopGraceMs`. */
  readonly stopGraceMs?: number;
  /** See `WorkerOptions`. */
  readonly stoppedLeaseMs?: number;
};

export type WorkerPool = Executor & {
  /** Loads a code bundle in a worker and says what is in it. Throws what is wrong with the user's code. */
  describe(bundle: string, projectDir: string): Promise<Manifest>;
  /** What the task's own schema says against these inputs; empty if nothing. */
  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]>;
  /** Starts a first worker, if there is none, so that it is ready when work comes. */
  warm(): void;
};

export const workerPool = (options: PoolOptions): WorkerPool => new Pool(options);

/** Attempts that wait for their calls in one worker, before others are preferred (R3). */
export const maxWaiting = 1_000;

/** Outcomes not handed out: beyond, no more places are offered. */
const maxOutcomes = 10_000;

/** Without progress for this long, what is queued behind an attempt is asked back. */
const stallMs = 50;

const closeGraceMs = 1_000;

export const maxStartFailures = 5;
const firstBackoffMs = 50;

class Pool implements WorkerPool {
  readonly #options: PoolOptions;
  readonly #pace = new Pace();
  readonly #workers = new Set<WorkerProcess>();
  readonly #backlog = new Map<AttemptId, Launch>();
  readonly #questions = new Questions(() => this.#settleSoon());
  readonly #outcomes = new Map<AttemptId, Outcome>();
  readonly #reserved = new Set<AttemptId>();
  #wake: () => void = () => undefined;
  #startFailures = 0;
  #startsAgain: NodeJS.Timeout | null = null;
  #stallCheck: NodeJS.Timeout | null = null;
  readonly #graces = new Set<NodeJS.Timeout>();
  #isSettling = false;
  #closing: PromiseWithResolvers<void> | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "typescript";
  }

  start(wake: () => void): void {
    this.#wake = wake;
  }

  warm(): void {
    if (this.#workers.size === 0) this.#spawn();
  }

  reserve(wanted: Wanted): WaitReason | null {
    if (this.#free() - this.#reserved.size <= 0) return { type: "turn" };
    this.#reserved.add(attemptId(wanted));
    return null;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) this.#reserved.delete(attemptId(attempt));
  }

  #free(): number {
    if (this.#closing !== null || this.#outcomes.size >= maxOutcomes) return 0;
    let places = this.#options.workers - this.#workers.size;
    for (const worker of this.#open()) {
      const isAhead = this.#pace.isRecentlyQuick && worker.waiting < maxWaiting && takesQuick(worker);
      const ahead = isAhead ? this.#pace.ahead : 1;
      places += Math.max(0, ahead - worker.load);
    }
    return Math.max(0, places - this.#backlog.size);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#closing !== null) return;
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      const isKnown = this.#outcomes.has(id) || [...this.#workers].some(({ held }) => held.has(id));
      if (!isKnown) this.#backlog.set(id, launch);
    }
    this.#assign();
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    const taken: Outcome[] = [];
    for (const [id, outcome] of this.#outcomes) {
      if (taken.length >= limit) break;
      taken.push(outcome);
      this.#outcomes.delete(id);
    }
    return taken;
  }

  running(): readonly AttemptRef[] {
    const held = [...this.#workers].flatMap((worker) => [...worker.held.values()].map(({ launch }) => launch));
    return [...this.#backlog.values(), ...held, ...this.#outcomes.values()].map(({ run, action, attempt }) => ({
      run,
      action,
      attempt,
    }));
  }

  stop(attempts: readonly AttemptRef[], reason: string): void {
    const ids = new Set(attempts.map(attemptId));
    for (const id of ids) {
      this.#reserved.delete(id);
      this.#backlog.delete(id);
      this.#outcomes.delete(id);
    }
    for (const worker of this.#workers) {
      const held = [...worker.held.values()].filter(({ id, isStopping }) => ids.has(id) && !isStopping);
      if (held.length === 0) continue;
      worker.stop(
        held.map(({ id }) => id),
        reason,
      );
      this.#killUnlessEnded(worker, held);
    }
    this.#settleSoon();
  }

  describe(bundle: string, projectDir: string): Promise<Manifest> {
    return this.#questions.describe(bundle, projectDir);
  }

  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]> {
    return this.#questions.check(bundle, projectDir, task, inputs);
  }

  async close(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = Promise.withResolvers();
      this.#backlog.clear();
      if (this.#startsAgain !== null) clearTimeout(this.#startsAgain);
      if (this.#stallCheck !== null) clearTimeout(this.#stallCheck);
      for (const grace of this.#graces) clearTimeout(grace);
      this.#questions.close(new GodwitError("unavailable", "Godwit is closing."));
      for (const worker of this.#workers) worker.end("Godwit is closing.");
      const forced = setTimeout(() => {
        for (const worker of this.#workers) worker.kill("Godwit is closing.");
      }, closeGraceMs);
      if (this.#workers.size === 0) this.#closing.resolve();
      this.#closing.promise.then(() => clearTimeout(forced));
    }
    await this.#closing.promise;
  }

  /** Workers that may get work: all with few waiting attempts, or if there is none, all (R3). */
  #open(): readonly WorkerProcess[] {
    const workers = [...this.#workers].filter(({ state }) => state !== "leaving");
    const spared = workers.filter(({ waiting }) => waiting < maxWaiting);
    return spared.length > 0 || this.#workers.size < this.#options.workers ? spared : workers;
  }

  #assign(): void {
    if (this.#closing !== null) return;
    const chosen = new Map<WorkerProcess, { readonly launch: Launch; readonly isQuick: boolean }[]>();
    for (const [id, launch] of this.#backlog) {
      const isQuick = this.#pace.isQuick(launch.spec.name);
      const worker = this.#place(isQuick, (candidate) => chosen.get(candidate)?.length ?? 0);
      if (worker === null) {
        // Places for a quick one may be left where there is none for others.
        if (!this.#pace.isRecentlyQuick) break;
        continue;
      }
      this.#backlog.delete(id);
      const launches = chosen.get(worker);
      if (launches === undefined) chosen.set(worker, [{ launch, isQuick }]);
      else launches.push({ launch, isQuick });
      // Whatever follows in this round must know that a slow one is there.
      if (!isQuick) this.#send(worker, chosen);
    }
    for (const worker of [...chosen.keys()]) this.#send(worker, chosen);
    this.#watchStalls();
  }

  #send(
    worker: WorkerProcess,
    chosen: Map<WorkerProcess, { readonly launch: Launch; readonly isQuick: boolean }[]>,
  ): void {
    worker.launch(chosen.get(worker) ?? []);
    chosen.delete(worker);
  }

  /** Where the next attempt goes: to the least loaded worker that may take it, or to a new one. */
  #place(isQuick: boolean, chosen: (worker: WorkerProcess) => number): WorkerProcess | null {
    let best: WorkerProcess | null = null;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const worker of this.#open()) {
      const load = worker.load + chosen(worker);
      if (load > 0 && !(isQuick && load < this.#pace.ahead && worker.waiting < maxWaiting && takesQuick(worker)))
        continue;
      // One that is still starting comes last: a quick attempt is over before it has begun.
      const rank = load + (worker.state === "ready" ? 0 : isQuick ? maxAhead : 0.5);
      if (rank < bestLoad) [best, bestLoad] = [worker, rank];
    }
    const isEnough = bestLoad < 1 || this.#isStarting();
    return isEnough && best !== null ? best : (this.#spawn() ?? best);
  }

  #isStarting(): boolean {
    return [...this.#workers].some(({ state, load }) => state === "starting" && load === 0);
  }

  #spawn(): WorkerProcess | null {
    if (this.#closing !== null || this.#startsAgain !== null || this.#workers.size >= this.#options.workers)
      return null;
    try {
      const worker: WorkerProcess = new WorkerProcess({
        args: workerArgs(this.#options.program ?? defaultProgram()),
        dataDir: this.#options.dataDir,
        calls: this.#options.calls,
        logs: this.#options.logs,
        stoppedLeaseMs: this.#options.stoppedLeaseMs,
        onText: (text) => this.#say(text),
        onReady: () => {
          this.#startFailures = 0;
          this.#settleSoon();
        },
        onOutcomes: (ended) => this.#keep(ended),
        onChange: () => this.#settleSoon(),
        onGone: (loss) => this.#gone(worker, loss),
      });
      this.#workers.add(worker);
      return worker;
    } catch (error) {
      this.#noteStartFailure(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #keep(ended: readonly { readonly held: Held; readonly measured: MeasuredOutcome }[]): void {
    for (const { held, measured } of ended) {
      if (held.state !== "sent" || measured.activeMs > 0) this.#pace.note(held.launch.spec.name, measured.activeMs);
      if (held.isStopping) continue;
      // It was asked back before it had started.
      if (measured.outcome.result.type === "interrupted") this.#backlog.set(held.id, held.launch);
      else this.#outcomes.set(held.id, measured.outcome);
    }
    this.#settleSoon();
  }

  #gone(worker: WorkerProcess, loss: Loss): void {
    const isStartFailure = !worker.hasStarted && loss.endedFor === null;
    const held = [...worker.held.values()];
    const guilty = isStartFailure ? new Set<AttemptId>() : blamed(held, loss, worker.isLoading);
    const error = lossError(loss);
    worker.forsake(new GodwitError("failed_precondition", `The code could not be loaded. ${lossText(loss)}`));
    this.#workers.delete(worker);
    if (this.#closing !== null) {
      if (this.#workers.size === 0) this.#closing.resolve();
      return;
    }
    for (const { id, launch, isStopping } of held) {
      this.#pace.distrust(launch.spec.name);
      if (isStopping) continue;
      if (isStartFailure) this.#backlog.set(id, launch);
      else if (guilty.has(id)) this.#finish(launch, { type: "failed", error });
      else this.#finish(launch, { type: "interrupted" });
    }
    if (isStartFailure) this.#noteStartFailure(lossText(loss));
    this.#settleSoon();
  }

  /** R4. */
  #noteStartFailure(words: string): void {
    this.#startFailures += 1;
    if (this.#startFailures < maxStartFailures) {
      const delayMs = firstBackoffMs * 2 ** (this.#startFailures - 1);
      this.#startsAgain = setTimeout(() => {
        this.#startsAgain = null;
        this.#settleSoon();
      }, delayMs);
      return;
    }
    // Whoever asks next gets one more try.
    this.#startFailures = maxStartFailures - 1;
    const message = `Worker processes cannot be started (tried ${maxStartFailures} times). ${words}`;
    this.#say(message);
    this.#questions.refuse(new GodwitError("unavailable", message));
    const error: ActionError = { ...systemError(errorCodes.workerLost, message), recoverable: false };
    for (const launch of this.#backlog.values()) this.#finish(launch, { type: "failed", error });
    this.#backlog.clear();
  }

  #finish({ run, action, attempt }: AttemptRef, result: Outcome["result"]): void {
    const outcome = { run, action, attempt, result };
    this.#outcomes.set(attemptId(outcome), outcome);
  }

  #killUnlessEnded(worker: WorkerProcess, stopped: readonly Held[]): void {
    const grace = setTimeout(() => {
      this.#graces.delete(grace);
      const left = stopped.find((held) => worker.held.get(held.id) === held);
      if (left !== undefined) worker.kill(`attempt ${left.id} did not stop when it was asked to.`);
    }, this.#options.stopGraceMs ?? stopGraceMs);
    this.#graces.add(grace);
  }

  /** Questions go to the worker that is least busy; one that is busy may be so for long. */
  #assignQuestions(): void {
    if (!this.#questions.isWaiting) return;
    const [worker] = [...this.#workers].filter(({ state }) => state === "ready").sort((a, b) => a.load - b.load);
    if (worker === undefined || worker.load > 0) {
      // They wait for one that starts, so that a start that fails is tried again for them.
      if (this.#isStarting() || this.#spawn() !== null || worker === undefined) return;
    }
    this.#questions.answerIn(worker);
  }

  /** Once for all that comes in one turn. */
  #settleSoon(): void {
    if (this.#isSettling || this.#closing !== null) return;
    this.#isSettling = true;
    queueMicrotask(() => {
      this.#isSettling = false;
      this.#assignQuestions();
      this.#assign();
      this.#wake();
    });
  }

  /** An attempt that was known as quick and is not this time: what is behind it goes elsewhere. */
  #watchStalls(): void {
    if (this.#stallCheck !== null || ![...this.#workers].some(({ load }) => load > 1)) return;
    this.#stallCheck = setTimeout(() => {
      this.#stallCheck = null;
      for (const worker of this.#workers) if (worker.load > 1 && !takesQuick(worker)) recallFrom(worker);
      this.#watchStalls();
    }, stallMs);
  }

  #say(text: string): void {
    if (this.#options.onText === undefined) process.stderr.write(`${text}\n`);
    else this.#options.onText(text);
  }
}

/** Whether quick attempts may be queued here: all that is here is quick, and it goes on. */
function takesQuick(worker: WorkerProcess): boolean {
  if (worker.load > 0 && performance.now() - worker.progressAtMs > stallMs) return false;
  return worker.isQuick;
}

/** What has begun by now, the worker keeps. */
function recallFrom(worker: WorkerProcess): void {
  const sent = [...worker.held.values()].filter(({ state, isStopping }) => state === "sent" && !isStopping);
  if (sent.length > 0) worker.recall(sent.map(({ id }) => id));
}

const defaultProgram = (): URL => new URL(`../worker/main${extname(import.meta.filename)}`, import.meta.url);

/** From sources, packages of this repository are taken from their sources too. */
function workerArgs(program: URL): readonly string[] {
  const conditions = program.pathname.endsWith(".ts") ? ["--conditions=source"] : [];
  return ["--enable-source-maps", ...conditions, fileURLToPath(program)];
}
