// A call inside a run: what becomes of it between the user's line and the session, there and back.
//
// R1  A call whose inputs can be checked and encoded at once is made at once, and settled when its end is
//     told, without a promise in between: a task may make a million. Only what has files to store, or
//     checks that wait, takes the long way.
// R2  What a call rejects with has the user's line in its stack.
// R3  A call may fail before the task comes to await it, and is on record either way: no reason to end the
//     process.

import { fromPayload, toPayload } from "../blob/payload.ts";
import { isSuccess } from "../core/action.ts";
import { hashInputs, type InputHashes } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import type { Call, CallState } from "../core/messages.ts";
import { taskIdentity } from "../core/names.ts";
import { interfaceHash, type Overrides } from "../core/task.ts";
import { hashLiterals, type Literals, type Payload } from "../core/value.ts";
import { CallRefused } from "./call-refused.ts";
import type { Validated } from "./codec.ts";
import type { Current } from "./current.ts";
import type { Definition } from "./definition.ts";
import { TaskError } from "./errors.ts";
import type { Caller, Session } from "./session.ts";
import { validValue } from "./validation.ts";

/** What calls of one place in the code have in common. */
export type CallSettings = {
  readonly overrides: Overrides;
  readonly name: string | null;
  readonly group: string | null;
  /** Whose calls can be given up together; null: nobody's. */
  readonly owner: object | null;
};

/** Encodes, calls, and decodes what comes of it. */
export function callDurably(
  definition: Definition,
  attempt: Current,
  input: unknown,
  settings: CallSettings,
): Promise<unknown> {
  const { session, trace } = attempt;
  try {
    if (trace !== null) throw insideTrace(definition.fullName, trace);
    const durable = new DurableCall(definition, session, settings);
    const made = durable.make(input);
    if (made instanceof Promise) return calledOnceMade(made, durable, session);
    session.call(made, durable);
    return durable.promise;
  } catch (error) {
    return handled(Promise.reject(error));
  }
}

/** R3. */
function handled(promise: Promise<unknown>): Promise<unknown> {
  promise.catch(() => undefined);
  return promise;
}

function calledOnceMade(making: Promise<Call>, durable: DurableCall, session: Session): Promise<unknown> {
  let promise: Promise<unknown> | null = null;
  const settled = async (): Promise<unknown> => {
    try {
      // Awaited, not chained: only so does the stack of what it throws lead to the user's line (R2).
      session.call(await session.preparing(durable.label, making), durable);
      return await durable.promise;
    } catch (error) {
      // R3; only now, since a promise that two wait for has no stack back to the user's line.
      if (promise !== null) handled(promise);
      throw error;
    }
  };
  promise = settled();
  return promise;
}

class DurableCall implements Caller {
  readonly promise: Promise<unknown>;
  readonly #definition: Definition;
  readonly #session: Session;
  readonly #settings: CallSettings;
  #resolve: (value: unknown) => void = () => undefined;

  constructor(definition: Definition, session: Session, settings: CallSettings) {
    this.#definition = definition;
    this.#session = session;
    this.#settings = settings;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** R1. */
  make(input: unknown): Call | Promise<Call> {
    const checked = this.#definition.input.validate(input ?? {});
    if (checked instanceof Promise) return this.#checkedSlowly(input, checked);
    validValue(this.#definition, "input", checked);
    const literals = this.#definition.input.encode(input ?? {}, this.#session.blobs);
    if (literals instanceof Promise) return this.#encodedSlowly(literals);
    const inputs = toPayload(literals, this.#session.blobs);
    if (inputs instanceof Promise) return this.#storedSlowly(literals, inputs);
    return this.#callWith(literals, inputs);
  }

  async #checkedSlowly(input: unknown, checking: Promise<Validated>): Promise<Call> {
    validValue(this.#definition, "input", await checking);
    return await this.#encodedSlowly(this.#definition.input.encode(input ?? {}, this.#session.blobs));
  }

  async #encodedSlowly(encoding: Literals | Promise<Literals>): Promise<Call> {
    const literals = await encoding;
    return this.#callWith(literals, await toPayload(literals, this.#session.blobs));
  }

  async #storedSlowly(literals: Literals, storing: Promise<Payload>): Promise<Call> {
    return this.#callWith(literals, await storing);
  }

  #callWith(literals: Literals, inputs: Payload): Call {
    const { name, overrides, group } = this.#settings;
    const identity = identityOf(this.#definition);
    const inputsHash = hashLiterals(literals);
    const { deployed } = this.#definition;
    const cache = overrides.cache ?? this.#definition.spec().cache;
    return {
      type: "task",
      name: name ?? this.#session.nextName({ type: "task", identity, inputsHash }),
      isNamed: name !== null,
      task: this.label,
      ...(deployed === undefined ? {} : { deployed }),
      overrides,
      group,
      identity,
      inputs,
      inputsHash,
      // Whether a deployed task is cached is known where it is found.
      inputHashes: cache.type === "off" && deployed === undefined ? noHashes : hashInputs(literals),
    };
  }

  get label(): string {
    return this.#definition.fullName;
  }

  get owner(): object | null {
    return this.#settings.owner;
  }

  ended(state: CallState): void {
    const { outputs } = state;
    if (outputs?.type === "inline" && state.phase !== null && isSuccess(state.phase)) {
      try {
        this.#resolve(this.#definition.output.decode(JSON.parse(outputs.text) as Literals, this.#session.blobs));
        return;
      } catch {
        // It is thrown again where its stack leads to the user's line.
      }
    }
    this.#resolve(this.#settled(() => this.#outputOf(state)));
  }

  failed(reason: unknown): void {
    this.#resolve(
      this.#settled(() => {
        if (!(reason instanceof CallRefused)) throw reason;
        throw new TaskError({ task: this.label, action: this.#settings.name ?? "", attempt: 0 }, reason.error);
      }),
    );
  }

  async #outputOf(state: CallState): Promise<unknown> {
    const { fullName, output } = this.#definition;
    const { blobs } = this.#session;
    if (state.phase !== null && isSuccess(state.phase) && state.outputs !== null) {
      const literals = await fromPayload(state.outputs, blobs);
      return this.#session.decoded(literals, (given) => output.decode(given, blobs));
    }
    if (state.error !== null) {
      throw new TaskError({ task: fullName, action: state.name, attempt: state.attempt }, state.error);
    }
    throw new GodwitError("internal", `${fullName} ended as ${state.phase} without an error.`);
  }

  /** R2: an error knows who awaits it if it is made once the user's promise follows this one, which takes two turns. */
  async #settled(body: () => unknown): Promise<unknown> {
    await null;
    await null;
    try {
      return await body();
    } catch (error) {
      handled(this.promise);
      throw error;
    }
  }
}

const insideTrace = (task: string, trace: string): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `${task} was called inside the trace "${trace}". A trace is one step and is skipped as a whole when it is replayed: call tasks beside it.`,
  );

const noHashes: InputHashes = {};

const identities = new WeakMap<Definition, string>();

function identityOf(definition: Definition): string {
  let identity = identities.get(definition);
  if (identity === undefined) {
    identity = taskIdentity(definition.fullName, interfaceHash(definition.spec().interface));
    identities.set(definition, identity);
  }
  return identity;
}
