// One task over many inputs.
import { GodwitError } from "../core/error.ts";
import { current } from "./current.ts";
import type { Definition } from "./definition.ts";
import { actionError, TaskError } from "./errors.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";
import { callDurably, overridesOn, type Task } from "./task.ts";

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
  const results: unknown[] = [];
  const failures: TaskError[] = [];
  const given = await allOf(inputs);
  const tolerated =
    options.returnErrors === true
      ? given.length
      : Math.floor(given.length * (1 - (options.minSuccessRatio ?? 1)) + 1e-9);
  const caller = new MapCaller(task);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < given.length && failures.length <= tolerated) {
      const index = next++;
      try {
        results[index] = await caller.call(given[index]);
      } catch (error) {
        const failure = failureOf(task, error);
        failures.push(failure);
        results[index] = options.returnErrors === true ? failure : undefined;
        if (failures.length > tolerated) throw failure;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.concurrency ?? given.length, given.length) }, work));
  } catch (error) {
    await caller.abandon(`${task.fullName}: too many calls of a map failed.`);
    throw error;
  }
  return results;
}

/** The failure of a call; anything else, such as an input of the wrong type, is the caller's mistake and goes on up. */
function failureOf(task: Task, error: unknown): TaskError {
  if (error instanceof TaskError) return error;
  if (current() !== null || error instanceof GodwitError) throw error;
  return new TaskError({ task: task.fullName, action: "a0", attempt: 1 }, actionError(error));
}

/** Calls of one map share a group, and can be given up together. */
class MapCaller {
  readonly #definition: Definition;
  readonly #task: Task;
  readonly #group: string;
  readonly #before: ReadonlySet<string>;

  constructor(task: Task) {
    this.#task = task;
    this.#definition = task.definition;
    this.#group = this.#definition.spec().shortName;
    this.#before = new Set(pendingNames());
  }

  call(input: unknown): Promise<unknown> {
    const attempt = current();
    if (attempt === null) return this.#task(input as never);
    return callDurably(this.#definition, attempt, input, {
      overrides: overridesOn(this.#task),
      name: null,
      group: this.#group,
    });
  }

  async abandon(reason: string): Promise<void> {
    const ours = (current()?.session.pending() ?? []).filter(
      (call) => call.type === "task" && call.group === this.#group && !this.#before.has(call.name),
    );
    const names = ours.map((call) => call.name);
    if (names.length > 0) await current()?.session.abandon(names, reason);
  }
}

const pendingNames = (): readonly string[] => (current()?.session.pending() ?? []).map((call) => call.name);

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
