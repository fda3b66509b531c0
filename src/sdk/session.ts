// The calls that one attempt makes: names them, sends them in batches, and settles them when they end.
//
// R1  Calls of one turn go out together, at most `maxCallsPerRequest` at a time; so many do not wait for its end.
// R2  A call settles once: by the answer to its request if it had ended before, else by `follow`.
// R3  While at least one call is pending the attempt counts as waiting, and holds no place. While only a trace is
//     on its way, others may run in its stead, but what it holds of the machine it keeps.
// R4  When the attempt is stopped its calls reject, so that a task that only waits comes to its end.

import type { BlobStore } from "../blob/blob.ts";
import { isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptRef,
  type AttemptState,
  type Call,
  type CallState,
  type Launch,
  maxCallsPerRequest,
  type TaskCalls,
} from "../core/messages.ts";
import { actionName, type CallIdentity } from "../core/names.ts";
import type { Literals } from "../core/value.ts";
import { CallRefused } from "./call-refused.ts";
import { TraceBatch, type TraceCall } from "./trace-batch.ts";

/** Who waits for a call. One of `ended` and `failed` is called, once. */
export interface Caller {
  /** What is called, for people. */
  readonly label: string;
  /** Whose calls can be given up together. */
  readonly owner: object | null;
  ended(state: CallState): void;
  failed(reason: unknown): void;
}

/** A call by a name of the user's own. */
type Named = { readonly identity: string; readonly inputsHash: string; readonly end: Promise<CallState> };

/** How an attempt learns that it is to stop. The signal may be made when it is asked for, and few ask. */
export type Stopping = { readonly signal: AbortSignal };

export type SessionOptions = {
  readonly launch: Launch;
  readonly calls: TaskCalls;
  readonly blobs: BlobStore;
  readonly stopping: Stopping;
  readonly onState: (state: AttemptState) => void;
  /** Calls back soon, when whatever is called at once has been called (R1). */
  readonly atTurnEnd: (work: () => void) => void;
  /** Takes in files and tables that other SDKs wrote, so that they can be opened here. */
  readonly imported?: (literals: Literals) => Promise<Literals>;
};

/** Requests on their way at once; the rest of a large fan-out waits here. */
const maxRequests = 32;

/** Requests that wait, beyond which a map waits too. */
const maxQueue = 16;

/** Characters of inputs in one request: whoever reads it does nothing else meanwhile. */
const maxBatchLength = 256 * 1024;

export class Session {
  readonly launch: Launch;
  readonly blobs: BlobStore;
  readonly #stopping: Stopping;
  readonly #calls: TaskCalls;
  readonly #onState: (state: AttemptState) => void;
  readonly #atTurnEnd: (work: () => void) => void;
  readonly #imported: SessionOptions["imported"];
  readonly #attempt: AttemptRef;
  readonly #sequences = new Map<string, number>();
  readonly #pending = new Map<string, Caller>();
  /** Labels of calls whose inputs are still being checked and stored. */
  readonly #preparing = new Set<{ readonly label: string }>();
  readonly #named = new Map<string, Named>();
  #following: AbortController | null = null;
  /** Full ones, and one that is being filled. */
  #queue: (readonly Call[])[] = [];
  #batch: Call[] = [];
  #batchLength = 0;
  #whenSent: PromiseWithResolvers<void> | null = null;
  #requests = 0;
  /** Traces that are on their way, to be recorded or found: how many, and those of this turn. */
  #traces = 0;
  readonly #traced: TraceBatch;
  #isListening = false;
  #isFlushing = false;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.launch = options.launch;
    this.blobs = options.blobs;
    this.#stopping = options.stopping;
    this.#calls = options.calls;
    this.#onState = options.onState;
    this.#atTurnEnd = options.atTurnEnd;
    this.#imported = options.imported;
    this.#attempt = options.launch;
    this.#traced = new TraceBatch({
      send: (traces) => this.#calls.call(this.#attempt, traces),
      atTurnEnd: options.atTurnEnd,
    });
  }

  /** Aborts when the attempt is to stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The next name for such a call (names.ts R1): the n-th identical call has the n-th name. */
  nextName(identity: Omit<CallIdentity, "parent" | "sequence">): string {
    const first = { ...identity, parent: this.launch.action, sequence: 0 };
    const key = actionName(first);
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + 1);
    return sequence === 0 ? key : actionName({ ...first, sequence });
  }

  /** What only fits once other SDKs' files are taken in is decoded then; most values never need a look. */
  async decoded(literals: Literals, decode: (literals: Literals) => unknown): Promise<unknown> {
    try {
      return decode(literals);
    } catch (error) {
      if (this.#imported === undefined) throw error;
      return decode(await this.#imported(literals));
    }
  }

  /** For a call that is still being made up: its inputs are checked and stored. */
  async preparing<T>(label: string, making: Promise<T>): Promise<T> {
    const mark = { label };
    this.#preparing.add(mark);
    try {
      return await making;
    } finally {
      this.#preparing.delete(mark);
    }
  }

  /** Throws if the attempt has ended or is to stop. */
  checkOpen(label: string): void {
    if (this.#isClosed) throw lateCall(label);
    if (this.signal.aborted) throw this.#stopped();
  }

  /** Makes the call; its end is told to the caller. Throws if it cannot be made. */
  call(call: Call, caller: Caller): void {
    this.checkOpen(caller.label);
    if (call.type === "task" && call.isNamed) this.#callNamed(call, caller);
    else this.#add(call, caller);
  }

  /** Whether calls of this attempt may have been recorded before it: by earlier ones, or in a run that its run recovers. */
  get hasPast(): boolean {
    return this.launch.attempt > 1 || this.launch.isRecovery;
  }

  /** Asks or records a trace; answers with what is recorded now. */
  async trace(call: TraceCall): Promise<CallState> {
    this.#traces += 1;
    this.#tellState();
    try {
      return await this.#traced.add(call);
    } finally {
      this.#traces -= 1;
      this.#tellState();
    }
  }

  attach(attach: Parameters<TaskCalls["attach"]>[1]): Promise<void> {
    return this.#calls.attach(this.#attempt, attach);
  }

  /** Gives up calls that have not ended. */
  async abandon(names: readonly string[], reason: string): Promise<void> {
    for (let from = 0; from < names.length; from += maxCallsPerRequest) {
      await this.#calls.abortCalls(this.#attempt, names.slice(from, from + maxCallsPerRequest), reason);
    }
  }

  /** So many calls wait to be sent that whoever can should not make more; see `room`. */
  get isBehind(): boolean {
    return this.#queue.length > maxQueue;
  }

  /** Resolves when more calls may be made, or none. */
  async room(): Promise<void> {
    while (this.isBehind && !this.#isClosed) {
      this.#whenSent ??= Promise.withResolvers();
      await this.#whenSent.promise;
    }
  }

  get hasUnended(): boolean {
    return this.#pending.size > 0 || this.#preparing.size > 0;
  }

  /** What is called, for each call that has not ended, sent or not. */
  unended(): readonly string[] {
    return [...this.#pending.values(), ...this.#preparing].map(({ label }) => label);
  }

  /** Names of calls of this owner that nobody has seen the end of. */
  pendingOf(owner: object): readonly string[] {
    return [...this.#pending].filter(([, caller]) => caller.owner === owner).map(([name]) => name);
  }

  close(): void {
    this.#isClosed = true;
    if (!this.#isListening) return;
    this.signal.removeEventListener("abort", this.#onStop);
    // Without a reason of its own it would make one, with a stack.
    this.#following?.abort("closed");
    this.#pending.clear();
    this.#tellSent();
  }

  /** R4. */
  readonly #onStop = (): void => {
    this.#queue = [];
    this.#batch = [];
    this.#tellSent();
    for (const name of [...this.#pending.keys()]) this.#reject(name, this.#stopped());
  };

  #stopped(): GodwitError {
    const { reason } = this.signal;
    return new GodwitError(
      "aborted",
      `The task was stopped: ${reason instanceof Error ? reason.message : String(reason)}`,
    );
  }

  /** Asked for twice, they are one. */
  #callNamed(call: Extract<Call, { readonly type: "task" }>, caller: Caller): void {
    const { name, identity, inputsHash } = call;
    const known = this.#named.get(name);
    if (known !== undefined && (known.identity !== identity || known.inputsHash !== inputsHash)) throw nameTaken(name);
    if (known !== undefined) {
      known.end.then(
        (state) => caller.ended(state),
        (reason: unknown) => caller.failed(reason),
      );
      return;
    }
    const { promise: end, resolve, reject } = Promise.withResolvers<CallState>();
    end.catch(() => undefined);
    const { label, owner } = caller;
    const ended = (state: CallState): void => {
      resolve(state);
      caller.ended(state);
    };
    const failed = (reason: unknown): void => {
      reject(reason);
      caller.failed(reason);
    };
    this.#add(call, { label, owner, ended, failed });
    this.#named.set(name, { identity, inputsHash, end });
  }

  #add(call: Call, caller: Caller): void {
    if (this.#pending.has(call.name) || this.#named.has(call.name)) throw nameTaken(call.name);
    if (!this.#isListening) {
      this.#isListening = true;
      this.signal.addEventListener("abort", this.#onStop, { once: true });
    }
    this.#pending.set(call.name, caller);
    if (this.#pending.size === 1) this.#tellState();
    this.#batch.push(call);
    this.#batchLength += call.type === "task" && call.inputs.type === "inline" ? call.inputs.text.length : 0;
    // A hundred thousand calls of one turn take a second to name and encode: the first go out meanwhile.
    if (this.#batch.length < maxCallsPerRequest && this.#batchLength < maxBatchLength) this.#flushSoon();
    else this.#flush();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#atTurnEnd(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isClosed) return;
    if (this.#batch.length > 0) {
      this.#follow();
      this.#queue.push(this.#batch);
      this.#batch = [];
      this.#batchLength = 0;
    }
    while (this.#requests < maxRequests) {
      const batch = this.#queue.shift();
      if (batch === undefined) break;
      this.#requests += 1;
      this.#tellSent();
      this.#send(batch).finally(() => {
        this.#requests -= 1;
        this.#flush();
      });
    }
  }

  #tellSent(): void {
    this.#whenSent?.resolve();
    this.#whenSent = null;
  }

  async #send(batch: readonly Call[]): Promise<void> {
    try {
      for (const answer of await this.#calls.call(this.#attempt, batch)) {
        if ("refused" in answer) this.#reject(answer.name, new CallRefused(answer.refused));
        else this.#settle(answer);
      }
    } catch (error) {
      for (const call of batch) this.#reject(call.name, error);
    }
  }

  /** Started before the first request, so that no end falls between the answer and the following. */
  #follow(): void {
    if (this.#following !== null) return;
    this.#following = new AbortController();
    const states = this.#calls.follow(this.#attempt, this.#following.signal);
    const read = async (): Promise<void> => {
      for await (const batch of states) for (const state of batch) this.#settle(state);
    };
    read().catch((error: unknown) => {
      for (const name of [...this.#pending.keys()]) this.#reject(name, error);
    });
  }

  #settle(state: CallState): void {
    if (state.phase === null || !isTerminal(state.phase)) return;
    this.#remove(state.name)?.ended(state);
  }

  #reject(name: string, reason: unknown): void {
    this.#remove(name)?.failed(reason);
  }

  #remove(name: string): Caller | undefined {
    const caller = this.#pending.get(name);
    if (caller === undefined) return undefined;
    this.#pending.delete(name);
    if (this.#pending.size === 0) this.#tellState();
    return caller;
  }

  /** R3. */
  #tellState(): void {
    if (this.#isClosed) return;
    this.#onState(this.#pending.size > 0 ? "waiting" : this.#traces > 0 ? "recording" : "active");
  }
}

const lateCall = (label: string): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `${label} was called after its task had returned. Await every call before returning.`,
  );

const nameTaken = (name: string): GodwitError =>
  new GodwitError(
    "already_exists",
    `Two different calls in one task have the name "${name}". Give each a name of its own.`,
  );
