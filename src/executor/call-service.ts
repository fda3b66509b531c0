// Answers what the attempts of one worker process ask of control.
//
// R1  Only an attempt that the worker holds is listened to.
// R2  The ends of an attempt's calls are followed from before its first call is made, so that no end
//     falls between the two; and no longer than the worker holds the attempt.
import { isTerminal } from "../core/action.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { type AttemptId, type AttemptRef, attemptId, type CallAnswer, type TaskCalls } from "../core/messages.ts";
import { type FromWorker, maxRequestsInFlight, type ToWorker } from "../worker/protocol.ts";
import { callsOf } from "../worker/shorthand.ts";
import type { MessageWriter } from "../worker/stream.ts";

export type CallRequest = Extract<FromWorker, { readonly type: "call" | "attach" | "abortCalls" }>;

export type CallServiceOptions = {
  readonly calls: TaskCalls;
  readonly writer: MessageWriter<ToWorker>;
  readonly isHeld: (attempt: AttemptId) => boolean;
};

export class CallService {
  readonly #options: CallServiceOptions;
  readonly #following = new Map<AttemptId, AbortController>();
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
    this.#following.get(attempt)?.abort();
    this.#following.delete(attempt);
  }

  close(): void {
    for (const following of this.#following.values()) following.abort();
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
      case "call": {
        const asked = callsOf(message);
        // A trace is told whole by its answer.
        if (asked.some(({ type }) => type !== "trace")) this.#follow(attempt);
        return { type: "answer", request, answers: (await calls.call(attempt, asked)).filter(isNews) };
      }
      case "attach":
        await calls.attach(attempt, message.attach);
        return { type: "done", request };
      case "abortCalls":
        await calls.abortCalls(attempt, message.names, message.reason);
        return { type: "done", request };
    }
  }

  #follow(attempt: AttemptRef): void {
    const id = attemptId(attempt);
    if (this.#following.has(id)) return;
    const following = new AbortController();
    this.#following.set(id, following);
    this.#pump(attempt, following.signal).catch((error: unknown) => {
      if (!following.signal.aborted) this.#options.writer.send({ type: "unfollowed", attempt: id, ...wordsOf(error) });
    });
  }

  /** Runs up to the first `await` at once, which is what R2 needs of it. */
  async #pump(attempt: AttemptRef, signal: AbortSignal): Promise<void> {
    const { calls, writer } = this.#options;
    for await (const ended of calls.follow(attempt, signal)) {
      if (signal.aborted) return;
      if (ended.length > 0) writer.send({ type: "ended", attempt: attemptId(attempt), calls: ended });
      await writer.writable();
    }
    if (!signal.aborted) throw new GodwitError("unavailable", "Godwit is closing.");
  }
}

/** What `follow` will not tell. */
const isNews = (answer: CallAnswer): boolean =>
  "refused" in answer || answer.phase === null || isTerminal(answer.phase);

function wordsOf(error: unknown): { readonly code: GodwitError["code"]; readonly message: string } {
  if (isGodwitError(error)) return { code: error.code, message: error.message };
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}
