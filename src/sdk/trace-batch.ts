// The traces of one attempt that are looked for or recorded in one turn: they go out together, as its calls do.
import { GodwitError } from "../core/error.ts";
import { type Call, type CallAnswer, type CallState, maxCallsPerRequest } from "../core/messages.ts";
import { CallRefused } from "./call-refused.ts";

export type TraceCall = Extract<Call, { readonly type: "trace" }>;

export type TraceBatchOptions = {
  readonly send: (traces: readonly TraceCall[]) => Promise<readonly CallAnswer[]>;
  /** Calls back soon, when whatever is called at once has been called. */
  readonly atTurnEnd: (work: () => void) => void;
};

type Waiting = { readonly trace: TraceCall; readonly answered: PromiseWithResolvers<CallState> };

/** Characters of values in one request: whoever reads it does nothing else meanwhile. */
const maxLength = 256 * 1024;

export class TraceBatch {
  readonly #options: TraceBatchOptions;
  #waiting: Waiting[] = [];
  #length = 0;
  #isScheduled = false;

  constructor(options: TraceBatchOptions) {
    this.#options = options;
  }

  /** What is recorded of it now. */
  add(trace: TraceCall): Promise<CallState> {
    const answered = Promise.withResolvers<CallState>();
    this.#waiting.push({ trace, answered });
    const outputs = trace.result?.outputs;
    this.#length += outputs?.type === "inline" ? outputs.text.length : 0;
    if (this.#waiting.length === maxCallsPerRequest || this.#length >= maxLength) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#options.atTurnEnd(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    }
    return answered.promise;
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#length = 0;
    this.#options.send(batch.map(({ trace }) => trace)).then(
      (answers) => settle(batch, answers),
      (error: unknown) => {
        for (const { answered } of batch) answered.reject(error);
      },
    );
  }
}

function settle(batch: readonly Waiting[], answers: readonly CallAnswer[]): void {
  const byName = new Map(answers.map((answer) => [answer.name, answer]));
  for (const { trace, answered } of batch) {
    const answer = byName.get(trace.name);
    if (answer === undefined) answered.reject(new GodwitError("internal", "A trace was not answered."));
    else if ("refused" in answer) answered.reject(new CallRefused(answer.refused));
    else answered.resolve(answer);
  }
}
