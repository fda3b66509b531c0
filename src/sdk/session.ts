// The calls that one attempt makes: names them, sends them in batches, and settles them when they end.
//
// R1  Calls of one turn go out together, at most `maxCallsPerRequest` at a time; so many do not wait for its end.
// R2  A call settles once: by the answer to its request if it had ended before, else by `follow`.
// R3  While at least one call is pending the attempt counts as waiting, and holds no place.
// R4  When the attempt is stopped its calls reject, so that a task that only waits comes to its end.

import type { BlobStore } from "../blob/blob.ts";
import type { ActionError } from "../core/action.ts";
import { isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import {
  type AttemptRef,
  type Call,
  type CallState,
  type Launch,
  maxCallsPerRequest,
  type TaskCalls,
} from "../core/messages.ts";
import { actionName, type CallIdentity } from "../core/names.ts";

/** A call that Godwit refused: a mistake in the calling code. */
export class CallRefused extends Error {
  readonly error: ActionError;

  constructor(error: ActionError) {
    super(error.message);
    this.name = error.code;
    this.error = error;
  }
}

type Pending = {
  readonly call: Call;
  readonly promise: Promise<CallState>;
  readonly resolve: (state: CallState) => void;
  readonly reject: (reason: unknown) => void;
};

export type SessionOptions = {
  readonly launch: Launch;
  readonly calls: TaskCalls;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
  readonly onWaiting: (isWaiting: boolean) => void;
};

/** Requests on their way at once; the rest of a large fan-out waits here. */
const maxRequests = 8;

export class Session {
  readonly launch: Launch;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
  readonly #calls: TaskCalls;
  readonly #onWaiting: (isWaiting: boolean) => void;
  readonly #attempt: AttemptRef;
  readonly #sequences = new Map<string, number>();
  readonly #pending = new Map<string, Pending>();
  /** Labels of calls whose inputs are still being checked and stored. */
  readonly #preparing = new Set<{ readonly label: string }>();
  /** Calls by a name of the user's own: asked for twice, they are one. */
  readonly #named = new Map<string, Pending>();
  readonly #following = new AbortController();
  #queue: Call[] = [];
  #requests = 0;
  #isFlushing = false;
  #isFollowing = false;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.launch = options.launch;
    this.blobs = options.blobs;
    this.signal = options.signal;
    this.#calls = options.calls;
    this.#onWaiting = options.onWaiting;
    this.#attempt = { run: options.launch.run, action: options.launch.action, attempt: options.launch.attempt };
    options.signal.addEventListener("abort", this.#onStop, { once: true });
  }

  /** The next name for such a call (names.ts R1): the n-th identical call has the n-th name. */
  nextName(identity: Omit<CallIdentity, "parent" | "sequence">): string {
    const first = { ...identity, parent: this.launch.action, sequence: 0 };
    const key = actionName(first);
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + 1);
    return sequence === 0 ? key : actionName({ ...first, sequence });
  }

  /** As `call`, of a call that is still being made up. */
  async callOnceReady(label: string, preparing: Promise<Call>): Promise<CallState> {
    const mark = { label };
    this.#preparing.add(mark);
    let call: Call;
    try {
      // Awaited, not chained: only so does the stack of what it throws lead to the user's line.
      call = await preparing;
    } finally {
      this.#preparing.delete(mark);
    }
    return this.call(call);
  }

  /** Makes the call and resolves with its end. Rejects with `CallRefused`, or when the attempt is stopped. */
  call(call: Call): Promise<CallState> {
    if (this.#isClosed) return Promise.reject(this.#late(call));
    if (this.signal.aborted) return Promise.reject(this.#stopped());
    const earlier = this.#pending.get(call.name) ?? this.#named.get(call.name);
    if (earlier !== undefined) return this.#joined(earlier, call);
    const pending = this.#add(call);
    return pending.promise;
  }

  /** Asks or records a trace; answers with what is recorded now. */
  async trace(call: Extract<Call, { readonly type: "trace" }>): Promise<CallState> {
    const [answer] = await this.#calls.call(this.#attempt, [call]);
    if (answer === undefined) throw new GodwitError("internal", "A trace was not answered.");
    if ("refused" in answer) throw new CallRefused(answer.refused);
    return answer;
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

  /** What is called, for each call that has not ended, sent or not. */
  unended(): readonly string[] {
    const sent = this.pending().map(labelOf);
    return [...sent, ...[...this.#preparing].map(({ label }) => label)];
  }

  /** Calls that nobody has seen the end of. */
  pending(): readonly Call[] {
    return [...this.#pending.values()].map(({ call }) => call);
  }

  close(): void {
    this.#isClosed = true;
    this.signal.removeEventListener("abort", this.#onStop);
    this.#following.abort();
    this.#pending.clear();
  }

  /** R4. */
  readonly #onStop = (): void => {
    this.#queue = [];
    for (const name of [...this.#pending.keys()]) this.#reject(name, this.#stopped());
  };

  #stopped(): GodwitError {
    const { reason } = this.signal;
    return new GodwitError(
      "aborted",
      `The task was stopped: ${reason instanceof Error ? reason.message : String(reason)}`,
    );
  }

  #joined(earlier: Pending, call: Call): Promise<CallState> {
    if (
      call.type === earlier.call.type &&
      call.identity === earlier.call.identity &&
      inputsOf(call) === inputsOf(earlier.call)
    ) {
      return earlier.promise;
    }
    return Promise.reject(
      new GodwitError(
        "already_exists",
        `Two different calls in one task have the name "${call.name}". Give each a name of its own.`,
      ),
    );
  }

  #late(call: Call): GodwitError {
    return new GodwitError(
      "failed_precondition",
      `${labelOf(call)} was called after its task had returned. Await every call before returning.`,
    );
  }

  #add(call: Call): Pending {
    const { promise, resolve, reject } = Promise.withResolvers<CallState>();
    const pending: Pending = { call, promise, resolve, reject };
    // The user may await it later than it fails; what is never awaited is reported by the attempt.
    promise.catch(() => undefined);
    if (this.#pending.size === 0) this.#onWaiting(true);
    this.#pending.set(call.name, pending);
    if (call.type === "task" && call.isNamed) this.#named.set(call.name, pending);
    this.#queue.push(call);
    // A hundred thousand calls of one turn take seconds to name and encode: the first go out meanwhile.
    if (this.#queue.length === maxCallsPerRequest) this.#flush();
    else this.#flushSoon();
    return pending;
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length > 0) this.#follow();
    while (this.#queue.length > 0 && this.#requests < maxRequests && !this.#isClosed) {
      const batch = this.#queue.slice(0, maxCallsPerRequest);
      this.#queue = this.#queue.slice(batch.length);
      this.#requests += 1;
      this.#send(batch).finally(() => {
        this.#requests -= 1;
        this.#flush();
      });
    }
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
    if (this.#isFollowing) return;
    this.#isFollowing = true;
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
    this.#remove(state.name)?.resolve(state);
  }

  #reject(name: string, reason: unknown): void {
    this.#remove(name)?.reject(reason);
  }

  #remove(name: string): Pending | undefined {
    const pending = this.#pending.get(name);
    if (pending === undefined) return undefined;
    this.#pending.delete(name);
    if (this.#pending.size === 0 && !this.#isClosed) this.#onWaiting(false);
    return pending;
  }
}

const labelOf = (call: Call): string => (call.type === "task" ? call.task : call.label);

const inputsOf = (call: Call): string => (call.type === "condition" ? "" : call.inputsHash);
