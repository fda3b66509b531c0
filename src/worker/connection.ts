// Control as an attempt sees it, at the worker's end of the stream: requests go out under a number,
// answers come back under it, and the ends of calls come as they happen.
import { GodwitError } from "../core/error.ts";
import {
  type Attach,
  type AttemptId,
  type AttemptRef,
  attemptId,
  type Call,
  type CallAnswer,
  type CallState,
  refOf,
  type TaskCalls,
} from "../core/messages.ts";
import { type FromWorker, maxRequestsInFlight, type ToWorker } from "./protocol.ts";
import { shortCalls } from "./shorthand.ts";

type Answer = readonly CallAnswer[] | null;

type Request = Extract<FromWorker, { readonly type: "call" | "attach" | "abortCalls" }>;

type Reply = Extract<ToWorker, { readonly type: "answer" | "done" | "refused" | "ended" | "unfollowed" }>;

export class Connection implements TaskCalls {
  readonly #send: (message: FromWorker) => void;
  readonly #pending = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #followers = new Map<AttemptId, Follower>();
  #waiting: { readonly request: Request; readonly answered: PromiseWithResolvers<Answer> }[] = [];
  #lastRequest = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  async call(attempt: AttemptRef, calls: readonly Call[]): Promise<readonly CallAnswer[]> {
    const request = this.#next();
    return (await this.#request({ type: "call", request, attempt: refOf(attempt), ...shortCalls(calls) })) ?? [];
  }

  async attach(attempt: AttemptRef, attach: Attach): Promise<void> {
    await this.#request({ type: "attach", request: this.#next(), attempt: refOf(attempt), attach });
  }

  async abortCalls(attempt: AttemptRef, names: readonly string[], reason: string): Promise<void> {
    await this.#request({ type: "abortCalls", request: this.#next(), attempt: refOf(attempt), names, reason });
  }

  /** The pool begins to tell with the attempt's first call, so ask for this before it. */
  follow(attempt: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]> {
    const id = attemptId(attempt);
    const follower = new Follower(() => this.#followers.delete(id));
    if (signal.aborted) follower.end();
    else {
      this.#followers.set(id, follower);
      signal.addEventListener("abort", () => follower.end(), { once: true });
    }
    return follower;
  }

  receive(reply: Reply): void {
    switch (reply.type) {
      case "answer":
        this.#taken(reply.request)?.resolve(reply.answers);
        break;
      case "done":
        this.#taken(reply.request)?.resolve(null);
        break;
      case "refused":
        this.#taken(reply.request)?.reject(new GodwitError(reply.code, reply.message));
        break;
      case "ended":
        this.#followers.get(reply.attempt)?.push(reply.calls);
        break;
      case "unfollowed":
        this.#followers.get(reply.attempt)?.fail(new GodwitError(reply.code, reply.message));
        break;
    }
  }

  #next(): number {
    this.#lastRequest += 1;
    return this.#lastRequest;
  }

  #request(request: Request): Promise<Answer> {
    const answered = Promise.withResolvers<Answer>();
    if (this.#pending.size < maxRequestsInFlight) this.#start(request, answered);
    else this.#waiting.push({ request, answered });
    return answered.promise;
  }

  #start(request: Request, answered: PromiseWithResolvers<Answer>): void {
    try {
      this.#send(request);
      this.#pending.set(request.request, answered);
    } catch (error) {
      answered.reject(error);
    }
  }

  #taken(request: number): PromiseWithResolvers<Answer> | undefined {
    const answered = this.#pending.get(request);
    this.#pending.delete(request);
    while (this.#pending.size < maxRequestsInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#start(next.request, next.answered);
    }
    return answered;
  }
}

/** Attempts come as objects that know more; only this much is for the pipe. */

/** Batches as they come, for one reader. Holds at most the ends of calls that its attempt has made. */
class Follower implements AsyncIterable<readonly CallState[]>, AsyncIterator<readonly CallState[], undefined> {
  readonly #onEnd: () => void;
  #batches: (readonly CallState[])[] = [];
  #reader: PromiseWithResolvers<IteratorResult<readonly CallState[], undefined>> | null = null;
  #end: { readonly error: GodwitError | null } | null = null;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(batch: readonly CallState[]): void {
    if (this.#end !== null) return;
    if (this.#reader === null) this.#batches.push(batch);
    else this.#reader.resolve({ done: false, value: batch });
    this.#reader = null;
  }

  fail(error: GodwitError): void {
    this.#finish(error);
    this.#reader?.reject(error);
    this.#reader = null;
  }

  end(): void {
    this.#finish(null);
    this.#batches = [];
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = null;
  }

  next(): Promise<IteratorResult<readonly CallState[], undefined>> {
    const batch = this.#batches.shift();
    if (batch !== undefined) return Promise.resolve({ done: false, value: batch });
    if (this.#end?.error != null) return Promise.reject(this.#end.error);
    if (this.#end !== null) return Promise.resolve({ done: true, value: undefined });
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<readonly CallState[], undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #finish(error: GodwitError | null): void {
    this.#end ??= { error };
    this.#onEnd();
  }
}
