// One worker process of the pool: its pipes, and the books of what it holds.
//
// R1  What it says counts only for attempts that it holds. What cannot be read ends it.
// R2  `onGone` is called once, when the process and its group are gone and all it wrote was read.
// R3  An attempt that waits for its calls is paused in the books of what the machine has, and resumed
//     before it hears of the end of the last of them.
import type { Readable, Writable } from "node:stream";
import { GodwitError, isGodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  type AttemptState,
  attemptId,
  type Launch,
  type LogLine,
  refOf,
} from "../core/messages.ts";
import type { FromWorker, MeasuredOutcome, ShortOutcome, ToWorker } from "../worker/protocol.ts";
import { fromPoolFd, toPoolFd } from "../worker/protocol.ts";
import { LaunchWriter } from "../worker/shorthand.ts";
import { MessageWriter, readLines } from "../worker/stream.ts";
import { memoryLoss } from "./attempt-memory.ts";
import { CallService } from "./call-service.ts";
import { systemKills } from "./group-memory.ts";
import { type GuardedProcess, spawnGuarded } from "./guard.ts";
import { type HeldState, isOutOfHeap, type Loss } from "./loss.ts";
import type { WatchedGroup } from "./memory-watch.ts";
import type { OutOfMemory } from "./oom.ts";
import { closed, readRaw } from "./pipes.ts";
import type { Seat } from "./seat.ts";
import { StopWatch, stoppedLeaseMs } from "./stop-watch.ts";
import type { Held, WorkerOptions } from "./worker-options.ts";

export type WorkerReply = Extract<FromWorker, { readonly type: "described" | "checked" }>;
type NumberedQuestion = Extract<ToWorker, { readonly type: "describe" | "check" }>;
export type Question = NumberedQuestion extends infer T ? (T extends unknown ? Omit<T, "request"> : never) : never;

/** A worker that has not said anything after this is taken for broken. Long, for a machine under load. */
const startTimeoutMs = 60_000;

/** Kept of what it wrote to stderr, to explain its end. */
const maxStderrLines = 40;

export class WorkerProcess {
  readonly held = new Map<AttemptId, Held>();
  /** One that is leaving gets no more work; what it holds is settled when it has gone. */
  state: "starting" | "ready" | "leaving" = "starting";
  hasStarted = false;
  /** When something last ended or changed its state here, by `performance.now()`. */
  progressAtMs = performance.now();
  /** Attempts that were promised a place here and have not been sent, and how many of them are not quick. */
  planned = 0;
  plannedSlow = 0;
  readonly seat: Seat;
  readonly own: string | null;
  readonly isReusable: boolean;
  readonly group: WatchedGroup | null;
  readonly #options: WorkerOptions;
  readonly #process: GuardedProcess;
  readonly #writer: MessageWriter<ToWorker>;
  readonly #service: CallService;
  readonly #questions = new Map<number, PromiseWithResolvers<WorkerReply>>();
  readonly #startTimer: NodeJS.Timeout;
  readonly #stopWatch: StopWatch;
  readonly #stderr: string[] = [];
  readonly #launches = new LaunchWriter();
  #waiting = 0;
  #slow = 0;
  #lastQuestion = 0;
  #lastWords: Loss["lastWords"] = null;
  #endedFor: string | null = null;
  #oom: OutOfMemory | null = null;
  readonly #systemKills = systemKills();

  /** Throws what `spawnGuarded` throws. */
  constructor(options: WorkerOptions) {
    this.#options = options;
    this.seat = options.seat;
    this.own = options.own;
    this.isReusable = options.isReusable;
    this.#process = spawnGuarded(process.execPath, options.args, {
      cwd: process.cwd(),
      env: options.env,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    });
    this.#writer = new MessageWriter(this.#process.stdio[fromPoolFd] as Writable);
    const isHeld = (id: AttemptId): boolean => this.held.has(id);
    const goOn = (id: AttemptId): Promise<void> | null =>
      options.capacity.tryResume(id) ? null : options.capacity.resume(id);
    this.#service = new CallService({ calls: options.calls, writer: this.#writer, isHeld, goOn });
    this.group = this.#watched();
    this.#startTimer = setTimeout(() => this.#break("The worker process did not start in time."), startTimeoutMs);
    this.#stopWatch = this.#watchStops(options.stoppedLeaseMs ?? stoppedLeaseMs);
    this.#read();
    this.#process.exited.then(
      ({ code, signal }) => this.#finish(code, signal),
      (error: unknown) => this.#finish(null, null, error),
    );
    this.#writer.send({ type: "welcome", dataDir: options.dataDir });
  }

  get pid(): number {
    return this.#process.pid;
  }

  #watchStops(leaseMs: number): StopWatch {
    const words = `was stopped (SIGSTOP) for more than ${leaseMs / 1000} s, so it was given up and killed`;
    return new StopWatch({
      pid: this.pid,
      leaseMs,
      isNeeded: () => this.held.size + this.#questions.size > 0,
      onLost: () => this.#break(`The worker process ${this.pid} ${words}.`),
    });
  }

  /** Null if there is no limit to hold it to. */
  #watched(): WatchedGroup | null {
    const { memory } = this.#options;
    if (memory === null) return null;
    const { limitBytes, watch } = memory;
    const onOver = (peakBytes: number): void => {
      this.#oom = { limitBytes, peakBytes, by: "limit" };
      this.kill("it was over its limit of memory.");
    };
    return watch.open({ pid: this.pid, limitBytes, onOver });
  }

  /** What it was given of the machine may be another's now, and it still has some of it. */
  get isSpent(): boolean {
    return !this.isReusable || this.group === null || this.group.residentBytes() > this.group.limitBytes / 2;
  }

  /** Attempts that hold a place here, and code that is being loaded. */
  get load(): number {
    return this.held.size - this.#waiting + this.#questions.size;
  }

  /** Whether all that holds a place here is quick. */
  get isQuick(): boolean {
    return this.#slow === 0;
  }

  /** Attempts that only wait for their calls. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What its attempts do, as far as is known: one whose trace is recorded goes on, and says so only if it takes long. */
  states(): readonly HeldState[] {
    return [...this.held.values()].map(({ id, state }) => ({
      id,
      state: state === "recording" && !this.#service.isRecording(id) ? "active" : state,
    }));
  }

  launch(launches: readonly { readonly launch: Launch; readonly isQuick: boolean }[]): void {
    if (this.load === 0) this.progressAtMs = performance.now();
    if (this.held.size === 0) this.group?.begin();
    for (const { launch, isQuick } of launches) {
      const id = attemptId(launch);
      this.held.set(id, { id, launch, isQuick, state: "sent", isStopping: false });
      if (!isQuick) this.#slow += 1;
    }
    this.#stopWatch.start();
    this.#writer.send({ type: "launch", launches: this.#launches.write(launches.map(({ launch }) => launch)) });
  }

  stop(ids: readonly AttemptId[], reason: string): void {
    for (const id of ids) {
      const held = this.held.get(id);
      if (held !== undefined) held.isStopping = true;
    }
    this.#writer.send({ type: "stop", attempts: ids, reason });
  }

  /** Asks for those not started; they come back as interrupted. */
  recall(ids: readonly AttemptId[]): void {
    this.#writer.send({ type: "recall", attempts: ids });
  }

  /** Rejects with what the worker found, or when it goes. */
  ask(question: Question): Promise<WorkerReply> {
    if (this.state === "leaving") return Promise.reject(new GodwitError("unavailable", "The worker has gone."));
    this.#lastQuestion += 1;
    const answered = Promise.withResolvers<WorkerReply>();
    this.#questions.set(this.#lastQuestion, answered);
    this.#stopWatch.start();
    try {
      this.#writer.send({ ...question, request: this.#lastQuestion } as NumberedQuestion);
    } catch (error) {
      this.#questions.delete(this.#lastQuestion);
      answered.reject(error);
    }
    return answered.promise;
  }

  get isLoading(): boolean {
    return this.#questions.size > 0;
  }

  /** Lets it end by itself. */
  end(why: string): void {
    this.state = "leaving";
    this.#endedFor ??= why;
    this.#writer.end();
  }

  kill(why: string): void {
    this.state = "leaving";
    this.#endedFor ??= why;
    this.#process.kill("SIGKILL");
  }

  #read(): void {
    const { stdio, stdout, stderr } = this.#process;
    const tooLong = (): void => this.#break("The worker process sent a line that is too long.");
    readLines(stdio[toPoolFd] as Readable, (line) => this.#receive(line), tooLong);
    readRaw(stdout, (text) => this.#print("stdout", text));
    readRaw(stderr, (text) => this.#print("stderr", text));
  }

  /** Output that passed the worker's own capture by: of child processes, or of the runtime. */
  #print(stream: LogLine["stream"], text: string): void {
    if (stream === "stderr") {
      this.#stderr.push(text);
      if (this.#stderr.length > maxStderrLines) this.#stderr.shift();
      // If it does not come to start, this explains why; and is not told for each try.
      if (!this.hasStarted) return;
    }
    const owner = this.#firstOf("active") ?? this.#firstOf("sent");
    this.#log(owner?.launch ?? null, [{ atMs: Date.now(), stream, text }]);
  }

  #firstOf(state: Held["state"]): Held | undefined {
    for (const held of this.held.values()) if (held.state === state) return held;
    return undefined;
  }

  #log(attempt: AttemptRef | null, lines: readonly LogLine[]): void {
    if (attempt !== null && this.held.has(attemptId(attempt))) this.#options.logs.append(refOf(attempt), lines);
    else for (const { text } of lines) this.#options.onText(text);
  }

  #receive(line: string): void {
    if (this.#lastWords !== null) return;
    try {
      this.#accept(JSON.parse(line) as FromWorker);
    } catch (error) {
      this.#break(`The worker process sent what cannot be read (${String(error)}): ${line.slice(0, 200)}`);
    }
  }

  #accept(message: FromWorker): void {
    switch (message.type) {
      case "hello":
        clearTimeout(this.#startTimer);
        this.hasStarted = true;
        for (const text of this.#stderr) this.#options.onText(text);
        if (this.state === "starting") this.state = "ready";
        this.#options.onReady();
        return;
      case "call":
      case "attach":
      case "abortCalls":
        this.progressAtMs = performance.now();
        this.#service.receive(message);
        if (message.type === "call") this.#pauseIfWaiting(attemptId(message.attempt));
        return;
      case "states":
        for (const { attempt, state } of message.attempts) this.#setState(attempt, state);
        this.#options.onChange();
        return;
      case "outcomes":
        this.#end(message.outcomes);
        return;
      case "logs":
        this.#log(message.attempt, message.lines);
        return;
      case "described":
      case "checked":
        this.#question(message.request)?.resolve(message);
        return;
      case "unable":
        this.#question(message.request)?.reject(new GodwitError(message.code, message.message));
        return;
      case "leaving":
        this.#lastWords = { attempt: message.attempt, message: message.message };
        return;
      default:
        throw new Error("there is no message of that type");
    }
  }

  #setState(id: AttemptId, state: AttemptState): void {
    const held = this.held.get(id);
    if (held === undefined) return;
    if (!states.includes(state)) throw new Error(`there is no state ${String(state)}`);
    if ((held.state === "waiting") !== (state === "waiting")) {
      const change = state === "waiting" ? 1 : -1;
      this.#waiting += change;
      if (!held.isQuick) this.#slow -= change;
    }
    held.state = state;
    this.progressAtMs = performance.now();
    if (state === "waiting") this.#pauseIfWaiting(id);
    // It was not asked to go on, but stopped or refused: what it takes is noted as soon as it is there.
    else if (!this.#options.capacity.tryResume(id)) void this.#options.capacity.resume(id);
  }

  /** R3. What it has been told of does not count: it goes on as soon as it has read that. */
  #pauseIfWaiting(id: AttemptId): void {
    if (this.held.get(id)?.state !== "waiting" || !this.#service.isWaiting(id)) return;
    if (this.#options.capacity.isHeld(id)) this.#options.capacity.pause(id, this.group?.residentBytes());
  }

  #end(outcomes: readonly ShortOutcome[]): void {
    const ended: { held: Held; measured: MeasuredOutcome }[] = [];
    for (const { attempt: id, stretchMs, result } of outcomes) {
      const held = this.held.get(id);
      if (held === undefined) continue;
      if (!outcomeTypes.includes(result.type)) throw new Error("there is no such outcome");
      this.held.delete(id);
      this.#service.forget(id);
      if (held.state === "waiting") this.#waiting -= 1;
      else if (!held.isQuick) this.#slow -= 1;
      ended.push({ held, measured: { outcome: { ...refOf(held.launch), result }, stretchMs } });
    }
    this.progressAtMs = performance.now();
    this.#options.onOutcomes(ended);
  }

  #question(request: number): PromiseWithResolvers<WorkerReply> | undefined {
    const question = this.#questions.get(request);
    this.#questions.delete(request);
    // The place that it held is free now.
    this.#options.onChange();
    return question;
  }

  /** R1. Whoever is active is blamed: the worker's own code does not do such things. */
  #break(message: string): void {
    if (this.#lastWords !== null || this.#endedFor !== null) return;
    this.state = "leaving";
    this.#lastWords = { attempt: null, message };
    this.#options.onText(message);
    this.#process.kill("SIGKILL");
  }

  async #finish(exitCode: number | null, signal: NodeJS.Signals | null, startError?: unknown): Promise<void> {
    this.state = "leaving";
    clearTimeout(this.#startTimer);
    this.#stopWatch.close();
    const { stdio, stdout, stderr } = this.#process;
    stdio[fromPoolFd]?.destroy();
    this.group?.end();
    await closed([stdout, stderr, stdio[toPoolFd]].filter((pipe) => pipe != null));
    this.#service.close();
    const startWords = startError === undefined ? null : { attempt: null, message: textOf(startError) };
    const loss: Loss = {
      exitCode,
      signal,
      lastWords: this.#lastWords ?? startWords,
      stderr: this.#stderr,
      endedFor: this.#endedFor,
      oom:
        this.#endedFor !== null
          ? this.#oom
          : memoryLoss(this.group, {
              isOutOfHeap: isOutOfHeap(this.#stderr),
              wasKilled: signal === "SIGKILL" || exitCode === 137,
              systemKillsBefore: this.#systemKills,
            }),
    };
    this.#options.onGone(loss);
  }

  /** Called by the pool once it has dealt with what was held. */
  forsake(error: GodwitError): void {
    for (const question of this.#questions.values()) question.reject(error);
    this.#questions.clear();
    this.held.clear();
    this.#waiting = 0;
    this.#slow = 0;
  }
}

const states: readonly string[] = ["active", "waiting", "recording"];
const outcomeTypes: readonly string[] = ["succeeded", "failed", "interrupted"];

const textOf = (error: unknown): string => (isGodwitError(error) ? error.message : String(error));
