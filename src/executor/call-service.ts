// Answers what the attempts of one worker process ask of control.
//
// R1  Only an attempt that the worker holds is listened to.
// R2  The ends of an attempt's calls are followed from before its first call is made, so that no end
//     falls between the two; and no longer than the worker holds the attempt.
// R3  The end of the last call that an attempt waits for is told when the attempt may go on
//     (capacity.ts R2): until then it does not hear of it. All others are told at once.
import { isTerminal } from "../core/action.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import {
  type AttemptId,
  type AttemptRef,
  attemptId,
  type Call,
  type CallAnswer,
  type CallState,
  type TaskCalls,
} from "../core/messages.ts";
import { type FromWorker, maxRequestsInFlight, type ToWorker } from "../worker/protocol.ts";
import { callsOf } from "../worker/shorthand.ts";
import type { MessageWriter } from "../worker/stream.ts";

export type CallRequest = Extract<FromWorker, { readonly type: "call" | "attach" | "abortCalls" }>;

export type CallServiceOptions = {
  readonly calls: TaskCalls;
  readonly writer: MessageWriter<ToWorker>;
  readonly isHeld: (attempt: AttemptId) => boolean;
  /** R3. Null: it may at once. */
  readonly goOn: (attempt: AttemptId) => Promise<void> | null;
};

type Following = {
  readonly ending: AbortController;
  /** Names of calls that have not ended, as far as the worker has been told. */
  readonly pending: Set<string>;
};

export class CallService {
  readonly #options: CallServiceOptions;
  readonly #following = new Map<AttemptId, Following>();
  /** How many requests with traces are not answered yet. */
  readonly #recording = new Map<AttemptId, number>();
  #inFlight = 0;

  constructor(options: CallServiceOptions) {
    this.#options = options;
  }

  receive(message: CallRequest): void {
    const { request } = message;
    this.#inFlight += 1;
    this.#answer(message)
      .catch((error: unknown): ToWorker => ({ type: "refused", request, ...wordsOf(error) }))
      .then((reply) => {
        // protocol.ts R4.
        if (reply.type === "answer" && reply.answers.length === 0) this.#options.writer.sendLater(reply);
        else this.#options.writer.send(reply);
      })
      // The answer itself is too long for a line.
      .catch((error: unknown) => this.#options.writer.send({ type: "refused", request, ...wordsOf(error) }))
      .finally(() => {
        this.#inFlight -= 1;
      });
  }

  /** The attempt has ended. */
  forget(attempt: AttemptId): void {
    // Without a reason of its own it would make one, with a stack.
    this.#following.get(attempt)?.ending.abort("ended");
    this.#following.delete(attempt);
    this.#recording.delete(attempt);
  }

  /** Whether it waits for a call. */
  isWaiting(attempt: AttemptId): boolean {
    return (this.#following.get(attempt)?.pending.size ?? 0) > 0;
  }

  /** Whether it waits for a trace. */
  isRecording(attempt: AttemptId): boolean {
    return this.#recording.has(attempt);
  }

  close(): void {
    for (const { ending } of this.#following.values()) ending.abort();
    this.#following.clear();
  }

  async #answer(message: CallRequest): Promise<ToWorker> {
    const { request, attempt } = message;
    if (!this.#options.isHeld(attemptId(attempt))) {
      throw new GodwitError("failed_precondition", "This attempt has ended; nothing more can be called from it.");
    }
    if (this.#inFlight > maxRequestsInFlight) {
      throw new GodwitError("resource_exhausted", `A worker may have ${maxRequestsInFlight} requests under way.`);
    }
    const { calls } = this.#options;
    switch (message.type) {
      case "call":
        return { type: "answer", request, answers: await this.#call(attempt, callsOf(message)) };
      case "attach":
        await calls.attach(attempt, message.attach);
        return { type: "done", request };
      case "abortCalls":
        await calls.abortCalls(attempt, message.names, message.reason);
        return { type: "done", request };
    }
  }

  /** What `follow` will not tell. */
  async #call(attempt: AttemptRef, calls: readonly Call[]): Promise<readonly CallAnswer[]> {
    const followed = calls.filter(({ type }) => type !== "trace").map(({ name }) => name);
    // A trace is told whole by its answer.
    if (followed.length === 0) return this.#trace(attempt, calls);
    const following = this.#follow(attempt);
    for (const name of followed) following.pending.add(name);
    let news: readonly CallAnswer[];
    try {
      news = (await this.#options.calls.call(attempt, calls)).filter(isNews);
    } catch (error) {
      for (const name of followed) following.pending.delete(name);
      throw error;
    }
    if (news.length === 0) return news;
    const refused = news.filter((answer) => "refused" in answer);
    const ended = news.filter((answer): answer is CallState => !("refused" in answer));
    const goOn = this.#end(attempt, following, news);
    if (goOn === null) return news;
    // The answer does not wait, as the worker has few numbers for requests: the ends follow it.
    void goOn.then(() => this.#tell(attempt, following, ended));
    return refused;
  }

  async #trace(attempt: AttemptRef, traces: readonly Call[]): Promise<readonly CallAnswer[]> {
    const id = attemptId(attempt);
    this.#recording.set(id, (this.#recording.get(id) ?? 0) + 1);
    try {
      const answers = await this.#options.calls.call(attempt, traces);
      const recorded = new Set(traces.filter(hasResult).map(({ name }) => name));
      return answers.filter(isNews).map((answer) => (recorded.has(answer.name) ? withoutOutputs(answer) : answer));
    } finally {
      const left = (this.#recording.get(id) ?? 0) - 1;
      if (left > 0) this.#recording.set(id, left);
      else this.#recording.delete(id);
    }
  }

  /** R3. Null: may be told at once. */
  #end(attempt: AttemptRef, { pending }: Following, ended: readonly { readonly name: string }[]): Promise<void> | null {
    if (pending.size === 0) return null;
    for (const { name } of ended) pending.delete(name);
    return pending.size > 0 ? null : this.#options.goOn(attemptId(attempt));
  }

  #tell(attempt: AttemptRef, { ending }: Following, calls: readonly CallState[]): void {
    if (ending.signal.aborted || calls.length === 0) return;
    this.#options.writer.send({ type: "ended", attempt: attemptId(attempt), calls });
  }

  #follow(attempt: AttemptRef): Following {
    const id = attemptId(attempt);
    const known = this.#following.get(id);
    if (known !== undefined) return known;
    const following: Following = { ending: new AbortController(), pending: new Set() };
    this.#following.set(id, following);
    const { signal } = following.ending;
    this.#pump(attempt, following).catch((error: unknown) => {
      following.pending.clear();
      if (!signal.aborted) this.#options.writer.send({ type: "unfollowed", attempt: id, ...wordsOf(error) });
    });
    return following;
  }

  /** Runs up to the first `await` at once, which is what R2 needs of it. */
  async #pump(attempt: AttemptRef, following: Following): Promise<void> {
    const { calls, writer } = this.#options;
    const { signal } = following.ending;
    for await (const states of calls.follow(attempt, signal)) {
      if (signal.aborted) return;
      const goOn = this.#end(attempt, following, states.filter(hasEnded));
      if (goOn !== null) await goOn;
      this.#tell(attempt, following, states);
      await writer.writable();
    }
    if (!signal.aborted) throw new GodwitError("unavailable", "Godwit is closing.");
  }
}

/** That nothing is recorded of a trace is news too. */
const isNews = (answer: CallAnswer): boolean => "refused" in answer || answer.phase === null || hasEnded(answer);

const hasResult = (call: Call): boolean => call.type === "trace" && call.result !== null;

/** Whoever records a value has it. */
const withoutOutputs = (answer: CallAnswer): CallAnswer =>
  "refused" in answer ? answer : { ...answer, outputs: null };

const hasEnded = ({ phase }: CallState): boolean => phase !== null && isTerminal(phase);

function wordsOf(error: unknown): { readonly code: GodwitError["code"]; readonly message: string } {
  if (isGodwitError(error)) return { code: error.code, message: error.message };
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}
