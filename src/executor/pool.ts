// The warm pool: worker processes on this machine that run TypeScript attempts, each one at a time,
// and any number that only wait for their calls.
//
// R1  An attempt is in one place: planned, the backlog, one worker, or the outcomes not yet handed out.
// R2  What runs or is about to holds its share of the machine (capacity.ts), from `reserve` to its end. What
//     comes without (after a restart, or asked back from a worker) waits in the backlog until it has it.
// R3  A task that asks for memory or a GPU gets a process of its own; others share (placement.ts).
// R4  Workers that cannot be started are given up after a few tries (crew.ts R1): what waits for them fails.
import { availableParallelism } from "node:os";
import { type ActionError, errorCodes, systemError } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  attemptId,
  type Launch,
  type Outcome,
  refOf,
  type TaskCalls,
} from "../core/messages.ts";
import type { Resources, WaitReason } from "../core/resources.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { MeasuredOutcome } from "../worker/protocol.ts";
import { shortOf } from "./ask.ts";
import { withinLimit } from "./attempt-memory.ts";
import type { Capacity } from "./capacity.ts";
import { Crew } from "./crew.ts";
import { type Executor, type Kept, type LogSink, stopGraceMs, type Wanted } from "./executor.ts";
import { blamed, type Loss, lossError, lossText } from "./loss.ts";
import { needsOwnProcess } from "./own-process.ts";
import { Pace } from "./pace.ts";
import { Placement } from "./placement.ts";
import { type Plan, Plans } from "./plans.ts";
import { Questions } from "./questions.ts";
import { Seat } from "./seat.ts";
import { Stalls } from "./stalls.ts";
import type { Held } from "./worker-options.ts";
import type { WorkerProcess } from "./worker-process.ts";

export type PoolOptions = {
  readonly dataDir: string;
  readonly capacity: Capacity;
  /** Shared workers that are active at once, at most. Default: as the CPU goes. */
  readonly workers?: number;
  /** Processes of shared workers, those included in which all only wait. Default: 8, or 4 per core. */
  readonly maxProcesses?: number;
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
  /** After this long with nothing to do a worker ends. Default: a minute. */
  readonly idleMs?: number;
  /** How long a worker may take to answer about code. Default: a minute. */
  readonly askTimeoutMs?: number;
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

/** Outcomes not handed out: beyond, nothing more is taken on. */
const maxOutcomes = 10_000;

type Queued = { readonly launch: Launch; readonly plan: Plan | null; hasShare: boolean };

class Pool implements WorkerPool {
  readonly #options: PoolOptions;
  readonly #capacity: Capacity;
  readonly #maxProcesses: number;
  readonly #pace = new Pace();
  readonly #crew: Crew;
  readonly #plans = new Plans();
  readonly #backlog = new Map<AttemptId, Queued>();
  readonly #questions: Questions;
  readonly #outcomes = new Map<AttemptId, Outcome>();
  readonly #chosen = new Map<WorkerProcess, Launch[]>();
  readonly #placement: Placement;
  readonly #stalls: Stalls;
  readonly #graces = new Set<NodeJS.Timeout>();
  #wake: () => void = () => undefined;
  #stopListening: () => void = () => undefined;
  #isSettling = false;
  #closing: PromiseWithResolvers<void> | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#capacity = options.capacity;
    this.#questions = new Questions(() => this.#settleSoon(), options.askTimeoutMs);
    this.#maxProcesses = options.maxProcesses ?? Math.max(8, 4 * availableParallelism());
    this.#crew = new Crew({
      ...options,
      maxActive: options.workers ?? Number.POSITIVE_INFINITY,
      maxShared: this.#maxProcesses,
      onText: (text) => this.#say(text),
      onChange: () => this.#settleSoon(),
      onOutcomes: (worker, ended) => this.#keep(worker, ended),
      onGone: (worker, loss, isStartFailure) => this.#gone(worker, loss, isStartFailure),
      onGivenUp: (message) => this.#giveUp(message),
    });
    this.#placement = new Placement(this.#crew, this.#pace, this.#chosen);
    this.#stalls = new Stalls(this.#crew);
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "typescript";
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#stopListening();
    this.#stopListening = this.#capacity.onRoom(wake);
  }

  warm(): void {
    if (this.#crew.workers.size === 0) this.#crew.startShared();
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    if (this.#closing !== null || this.#outcomes.size >= maxOutcomes) return { type: "turn" };
    return needsOwnProcess(wanted.resources) ? this.#reserveOwn(wanted, kept) : this.#reserveShared(wanted, kept);
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const attempt of attempts) {
      const id = attemptId(attempt);
      if (this.#plans.take(id) !== null) this.#capacity.give(id);
    }
  }

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#closing !== null) return;
    for (const launch of launches) {
      const id = attemptId(launch);
      const plan = this.#plans.take(id);
      const isKnown =
        this.#backlog.has(id) || this.#outcomes.has(id) || [...this.#crew.workers].some(({ held }) => held.has(id));
      if (isKnown) continue;
      if (plan === null) this.#capacity.enter({ ...launch, maxConcurrency: null }, this.#seatFor(launch));
      const queued: Queued = { launch, plan, hasShare: plan !== null };
      this.#backlog.set(id, queued);
      if (plan === null) this.#awaitShare(id, queued);
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
    const held = [...this.#crew.workers].flatMap((worker) => [...worker.held.values()].map(({ launch }) => launch));
    const queued = [...this.#backlog.values()].map(({ launch }) => launch);
    return [...queued, ...held, ...this.#outcomes.values()].map(refOf);
  }

  stop(attempts: readonly AttemptRef[], reason: string): void {
    const ids = new Set(attempts.map(attemptId));
    this.release(attempts);
    for (const id of ids) {
      if (this.#backlog.delete(id)) this.#capacity.give(id);
      this.#outcomes.delete(id);
    }
    for (const worker of this.#crew.workers) {
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

  readonly describe: WorkerPool["describe"] = (...asked) => this.#questions.describe(...asked);
  readonly check: WorkerPool["check"] = (...asked) => this.#questions.check(...asked);

  async close(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = Promise.withResolvers();
      this.#stopListening();
      this.#backlog.clear();
      this.#plans.clear();
      this.#stalls.close();
      for (const grace of this.#graces) clearTimeout(grace);
      this.#questions.close(new GodwitError("unavailable", "Godwit is closing."));
      this.#crew.close("Godwit is closing.");
      if (this.#crew.workers.size === 0) this.#closing.resolve();
    }
    await this.#closing.promise;
  }

  #reserveShared(wanted: Wanted, kept: Kept | null): WaitReason | null {
    const { cpuMillis } = wanted.resources;
    // One that counts towards a limit would hold a place while it only queues behind another.
    const isQuick = this.#pace.isQuick(wanted.spec.name) && !this.#capacity.isLimited(wanted);
    const freeMillis = this.#capacity.freeMillis;
    const place = this.#placement.find({ isQuick, cpuMillis, freeMillis });
    const seat = place === null || place === "new" ? new Seat(this.#crew.seats) : place.seat;
    if (place === null && !this.#crew.isBackingOff)
      return this.#capacity.check(wanted, kept, seat) ?? shortOf("worker", 1, 0, this.#maxProcesses);
    const reason = this.#capacity.take(wanted, kept, seat);
    if (reason !== null) return reason;
    // Started by now, it is ready sooner.
    const worker = place === "new" ? this.#crew.startShared(seat) : place;
    this.#plans.add(attemptId(wanted), { worker, isQuick });
    return null;
  }

  #reserveOwn(wanted: Wanted, kept: Kept | null): WaitReason | null {
    const id = attemptId(wanted);
    if (this.#crew.ownCount() >= this.#maxProcesses) return shortOf("worker", 1, 0, this.#maxProcesses);
    const reason = this.#capacity.take(wanted, kept);
    if (reason !== null) return reason;
    this.#plans.add(id, { worker: this.#ownProcess(id, wanted), isQuick: false });
    return null;
  }

  /** A process for this attempt alone, that of an earlier one if it was of the same kind. */
  #ownProcess(id: AttemptId, { spec, resources }: Pick<Launch, "spec" | "resources">): WorkerProcess | null {
    const devices = this.#capacity.devices(id);
    const key = JSON.stringify([spec.name, resources.memoryBytes]);
    return (devices.length > 0 ? null : this.#crew.idleOwn(key)) ?? this.#crew.startOwn(key, resources, devices);
  }

  #seatFor({ resources }: { readonly resources: Resources }): Seat {
    return needsOwnProcess(resources) ? new Seat() : new Seat(this.#crew.seats);
  }

  /** R2. */
  #awaitShare(id: AttemptId, queued: Queued): void {
    queued.hasShare = false;
    this.#capacity.resume(id, this.#seatFor(queued.launch)).then(() => {
      if (this.#backlog.get(id) !== queued) return;
      queued.hasShare = true;
      this.#settleSoon();
    });
  }

  #assign(): void {
    if (this.#closing !== null) return;
    for (const [id, queued] of this.#backlog) {
      if (!queued.hasShare) continue;
      const worker = this.#workerFor(id, queued);
      if (worker === null) {
        // Places for a quick one may be left where there is none for others.
        if (!this.#pace.isRecentlyQuick) break;
        continue;
      }
      if (worker.own === null && !this.#capacity.sit(id, worker.seat)) {
        this.#capacity.pause(id);
        this.#awaitShare(id, queued);
        continue;
      }
      this.#backlog.delete(id);
      this.#choose(worker, queued.launch);
    }
    for (const worker of [...this.#chosen.keys()]) this.#send(worker);
    this.#stalls.watch();
    this.#crew.noteIdle();
  }

  #workerFor(id: AttemptId, { launch, plan }: Queued): WorkerProcess | null {
    if (needsOwnProcess(launch.resources)) {
      const planned = plan?.worker ?? null;
      return planned !== null && planned.state !== "leaving" && planned.held.size === 0
        ? planned
        : this.#ownProcess(id, launch);
    }
    const { cpuMillis } = launch.resources;
    // It has its share already.
    const sought = { isQuick: plan?.isQuick ?? false, cpuMillis, freeMillis: null };
    if (plan !== null && this.#placement.fits(plan.worker, sought)) return plan.worker;
    const place = this.#placement.find(sought);
    return place === "new" ? this.#crew.startShared() : place;
  }

  #choose(worker: WorkerProcess, launch: Launch): void {
    const launches = this.#chosen.get(worker);
    if (launches === undefined) this.#chosen.set(worker, [launch]);
    else launches.push(launch);
    // Whatever follows in this round must know that a slow one is there.
    if (!this.#pace.isQuick(launch.spec.name)) this.#send(worker);
  }

  #send(worker: WorkerProcess): void {
    const launches = this.#chosen.get(worker) ?? [];
    this.#chosen.delete(worker);
    worker.launch(launches.map((launch) => ({ launch, isQuick: this.#pace.isQuick(launch.spec.name) })));
  }

  #keep(worker: WorkerProcess, ended: readonly { readonly held: Held; readonly measured: MeasuredOutcome }[]): void {
    for (const { held, measured } of ended) {
      const { id, launch } = held;
      if (worker.own === null && (held.state !== "sent" || measured.stretchMs > 0))
        this.#pace.note(launch.spec.name, measured.stretchMs);
      if (!held.isStopping && measured.outcome.result.type === "interrupted") {
        // It was asked back before it had started.
        const queued: Queued = { launch, plan: null, hasShare: false };
        this.#backlog.set(id, queued);
        this.#capacity.pause(id);
        this.#awaitShare(id, queued);
        continue;
      }
      this.#capacity.give(id);
      if (!held.isStopping) this.#outcomes.set(id, withinLimit(worker.group, launch, measured.outcome));
    }
    if (worker.own !== null && worker.isSpent) this.#crew.end(worker, "its attempt has ended.");
    this.#settleSoon();
  }

  #gone(worker: WorkerProcess, loss: Loss, isStartFailure: boolean): void {
    const held = [...worker.held.values()];
    const guilty = isStartFailure ? new Set<AttemptId>() : blamed(worker.states(), loss, worker.isLoading);
    worker.forsake(new GodwitError("failed_precondition", `The code could not be loaded. ${lossText(loss)}`));
    if (this.#closing !== null) {
      if (this.#crew.workers.size === 0) this.#closing.resolve();
      return;
    }
    for (const { id, launch, isStopping } of held) {
      this.#pace.distrust(launch.spec.name);
      if (isStartFailure && !isStopping) {
        this.#backlog.set(id, { launch, plan: null, hasShare: true });
        continue;
      }
      this.#capacity.give(id);
      if (isStopping) continue;
      const peak = worker.group === null ? {} : { peakMemoryBytes: worker.group.peakBytes };
      this.#finish(
        launch,
        guilty.has(id) ? { type: "failed", error: lossError(loss, launch.spec) } : { type: "interrupted" },
        peak,
      );
    }
    this.#settleSoon();
  }

  /** R4. */
  #giveUp(message: string): void {
    this.#say(message);
    this.#questions.refuse(new GodwitError("unavailable", message));
    const error: ActionError = { ...systemError(errorCodes.workerLost, message), recoverable: false };
    for (const [id, { launch }] of this.#backlog) {
      this.#capacity.give(id);
      this.#finish(launch, { type: "failed", error });
    }
    this.#backlog.clear();
    this.#settleSoon();
  }

  #finish(attempt: AttemptRef, result: Outcome["result"], peak: Pick<Outcome, "peakMemoryBytes"> = {}): void {
    this.#outcomes.set(attemptId(attempt), { ...refOf(attempt), result, ...peak });
  }

  #killUnlessEnded(worker: WorkerProcess, stopped: readonly Held[]): void {
    const grace = setTimeout(() => {
      this.#graces.delete(grace);
      const left = stopped.find((held) => worker.held.get(held.id) === held);
      if (left !== undefined) worker.kill(`attempt ${left.id} did not stop when it was asked to.`);
    }, this.#options.stopGraceMs ?? stopGraceMs);
    this.#graces.add(grace);
  }

  /** Once for all that comes in one turn. */
  #settleSoon(): void {
    if (this.#isSettling || this.#closing !== null) return;
    this.#isSettling = true;
    queueMicrotask(() => {
      this.#isSettling = false;
      this.#questions.assign(this.#crew);
      this.#assign();
      this.#wake();
    });
  }

  #say(text: string): void {
    if (this.#options.onText === undefined) process.stderr.write(`${text}\n`);
    else this.#options.onText(text);
  }
}
