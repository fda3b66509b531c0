// One task over many inputs.
import { GodwitError } from "../core/error.ts";
import { type Current, current } from "./current.ts";
import { type CallSettings, callDurably } from "./durable-call.ts";
import { actionError, TaskError } from "./errors.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";
import { overridesOn, type Task } from "./task.ts";

export type MapOptions = {
  /** Calls in flight at once. Default: all; the engine runs as many as there are places. */
  readonly concurrency?: number;
  /** Part of the calls, from 0 to 1, that has to succeed. Default 1. Once it cannot be reached, the rest is aborted. */
  readonly minSuccessRatio?: number;
  /** Put the TaskError of a failed call in its place and never throw for it. */
  readonly returnErrors?: boolean;
};

type Input<I> = I extends Schema ? InferInput<I> : undefined;
type Output<O> = O extends Schema ? InferOutput<O> : undefined;
type Inputs<I> = Iterable<Input<I>> | AsyncIterable<Input<I>>;

/** Results in the order of the inputs. With `minSuccessRatio` below 1, `undefined` stands for a failed call. */
export function map<I extends Schema | undefined, O extends Schema | undefined>(
  task: Task<I, O>,
  inputs: Inputs<I>,
  options: MapOptions & { readonly returnErrors: true },
): Promise<(Output<O> | TaskError)[]>;
export function map<I extends Schema | undefined, O extends Schema | undefined>(
  task: Task<I, O>,
  inputs: Inputs<I>,
  options: MapOptions & { readonly minSuccessRatio: number },
): Promise<(Output<O> | undefined)[]>;
export function map<I extends Schema | undefined, O extends Schema | undefined>(
  task: Task<I, O>,
  inputs: Inputs<I>,
  options?: MapOptions,
): Promise<Output<O>[]>;
export async function map(
  task: Task,
  inputs: Inputs<Schema | undefined>,
  options: MapOptions = {},
): Promise<unknown[]> {
  checkOptions(options);
  const { minSuccessRatio = 1, returnErrors = false } = options;
  // How many may fail is a part of all: then their number has to be known before.
  const given = returnErrors || minSuccessRatio === 1 ? inputs : await allOf(inputs);
  const tolerated = Array.isArray(given) ? Math.floor(given.length * (1 - minSuccessRatio) + 1e-9) : 0;
  const mapping = new Mapping(task, options, returnErrors ? Number.POSITIVE_INFINITY : tolerated);
  try {
    await mapping.run(given);
  } catch (error) {
    await mapping.abandon(`${task.fullName}: too many calls of a map failed.`);
    // It was made where a call ended; who asked for the map is here.
    if (mapping.isOwn(error)) Error.captureStackTrace(error);
    throw error;
  }
  return mapping.results;
}

/** Calls of one map: so many at once, from whatever gives the inputs. What has ended leaves its result and nothing else. */
class Mapping {
  readonly results: unknown[] = [];
  readonly #task: Task;
  readonly #attempt: Current | null = current();
  readonly #settings: CallSettings;
  readonly #concurrency: number;
  readonly #returnsErrors: boolean;
  readonly #tolerated: number;
  readonly #done = Promise.withResolvers<void>();
  #place: PromiseWithResolvers<void> | null = null;
  #active = 0;
  #failures = 0;
  #isRead = false;
  #isOver = false;
  #ownError: object | null = null;

  constructor(task: Task, { concurrency, returnErrors }: MapOptions, tolerated: number) {
    this.#task = task;
    this.#concurrency = concurrency ?? Number.POSITIVE_INFINITY;
    this.#returnsErrors = returnErrors === true;
    this.#tolerated = tolerated;
    const group = task.definition.spec().shortName;
    this.#settings = { overrides: overridesOn(task), name: null, group, owner: this };
  }

  run(inputs: Inputs<Schema | undefined>): Promise<void> {
    this.#read(inputs).then(
      () => {
        this.#isRead = true;
        this.#endIfDone();
      },
      (error: unknown) => this.#fail(error),
    );
    return this.#done.promise;
  }

  /** Whether it came of a call, and not of what gives the inputs. */
  isOwn(error: unknown): error is object {
    return error === this.#ownError;
  }

  async abandon(reason: string): Promise<void> {
    const session = this.#attempt?.session;
    const names = session?.pendingOf(this) ?? [];
    if (names.length > 0) await session?.abandon(names, reason);
  }

  async #read(inputs: Inputs<Schema | undefined>): Promise<void> {
    const isAsync = Symbol.asyncIterator in inputs;
    if (isAsync) {
      for await (const input of inputs) if (!this.#start(input) && !(await this.#room())) return;
    } else {
      for (const input of inputs) if (!this.#start(input) && !(await this.#room())) return;
    }
  }

  /** Whether there is room for another. */
  #start(input: unknown): boolean {
    if (this.#isOver) return false;
    const index = this.results.push(undefined) - 1;
    this.#active += 1;
    this.#call(input).then(
      (value) => {
        this.results[index] = value;
        this.#leave();
      },
      (error: unknown) => this.#note(index, error),
    );
    return this.#active < this.#concurrency && this.#attempt?.session.isBehind !== true;
  }

  #call(input: unknown): Promise<unknown> {
    if (this.#attempt === null) return this.#task(input as never);
    return callDurably(this.#task.definition, this.#attempt, input, this.#settings);
  }

  /** False if no other call is to be made. */
  async #room(): Promise<boolean> {
    while (!this.#isOver && this.#active >= this.#concurrency) {
      this.#place ??= Promise.withResolvers();
      await this.#place.promise;
    }
    await this.#attempt?.session.room();
    return !this.#isOver;
  }

  #leave(): void {
    this.#active -= 1;
    this.#place?.resolve();
    this.#place = null;
    this.#endIfDone();
  }

  #note(index: number, error: unknown): void {
    const failure = this.#failureOf(error);
    if (failure === null) {
      if (typeof error === "object") this.#ownError = error;
      this.#fail(error);
      return;
    }
    this.#failures += 1;
    if (this.#returnsErrors) this.results[index] = failure;
    if (this.#failures > this.#tolerated) {
      this.#ownError = failure;
      this.#fail(failure);
    }
    this.#leave();
  }

  /** Null: it is not the failure of a call but, such as an input of the wrong type, the caller's mistake. */
  #failureOf(error: unknown): TaskError | null {
    if (error instanceof TaskError) return error;
    if (this.#attempt !== null || error instanceof GodwitError) return null;
    return new TaskError({ task: this.#task.fullName, action: "a0", attempt: 1 }, actionError(error));
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    this.#done.reject(error);
    this.#place?.resolve();
  }

  #endIfDone(): void {
    if (this.#isRead && this.#active === 0) this.#done.resolve();
  }
}

async function allOf<T>(inputs: Iterable<T> | AsyncIterable<T>): Promise<readonly T[]> {
  if (Array.isArray(inputs)) return inputs as readonly T[];
  const all: T[] = [];
  for await (const input of inputs) all.push(input);
  return all;
}

function checkOptions({ concurrency, minSuccessRatio }: MapOptions): void {
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0)) {
    throw new GodwitError("invalid_argument", `map: concurrency has to be a whole number from 1, not ${concurrency}.`);
  }
  if (minSuccessRatio !== undefined && !(minSuccessRatio >= 0 && minSuccessRatio <= 1)) {
    throw new GodwitError(
      "invalid_argument",
      `map: minSuccessRatio has to be a number from 0 to 1, not ${minSuccessRatio}.`,
    );
  }
}
