// Tasks as users define and call them. A call inside a run becomes a durable action; the same call
// outside a run checks the inputs and runs the function.

import { fromPayload, toPayload } from "../blob/payload.ts";
import { isSuccess } from "../core/action.ts";
import { hashInputs } from "../core/cache.ts";
import { GodwitError } from "../core/error.ts";
import type { Call, CallState } from "../core/messages.ts";
import { checkName, didYouMean, taskIdentity } from "../core/names.ts";
import { interfaceHash, type Overrides, type Target, type TaskSpec, withOverrides } from "../core/task.ts";
import { hashLiterals } from "../core/value.ts";
import { userCallSites } from "./call-sites.ts";
import { inputCodec, outputCodec } from "./codec.ts";
import type { Context } from "./context.ts";
import { localContext } from "./context.ts";
import { type Current, current } from "./current.ts";
import type { Definition } from "./definition.ts";
import { TaskError } from "./errors.ts";
import { overridesOf, type PolicyOptions } from "./policy.ts";
import { register } from "./registry.ts";
import { checkOom } from "./resource-option.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";
import { CallRefused } from "./session.ts";

export type CallOptions = PolicyOptions & {
  /** Name of the action, unique in its run, in place of one that Godwit makes from the inputs. */
  readonly name?: string;
};

type Arguments<I extends Schema | undefined> = I extends Schema ? [input: InferInput<I>] : [];
type Received<I extends Schema | undefined> = I extends Schema ? InferOutput<I> : undefined;
type Returned<O extends Schema | undefined> = O extends Schema ? InferInput<O> : unknown;
type Result<O extends Schema | undefined> = O extends Schema ? InferOutput<O> : undefined;

/** What a task does. It gets the checked inputs and the context; what it returns is checked against the output's type. */
export type TaskFunction<I extends Schema | undefined, O extends Schema | undefined> = (
  input: Received<I>,
  context: Context,
) => Returned<O> | Promise<Returned<O>>;

export interface Task<
  I extends Schema | undefined = Schema | undefined,
  O extends Schema | undefined = Schema | undefined,
> {
  /** Inside a run: a durable call, which rejects with `TaskError`. Outside: checks the inputs and runs the function. */
  (...input: Arguments<I>): Promise<Result<O>>;
  /** The same task with other settings for the calls made through what this returns. A setting is replaced as a whole. */
  override(options: CallOptions): Task<I, O>;
  /** `environment.name`. */
  readonly fullName: string;
  /** For Godwit's own parts. */
  readonly definition: Definition;
}

export type DefinitionOptions = {
  readonly environment: string;
  readonly name: string;
  readonly description: string | null;
  readonly input: Schema | undefined;
  readonly output: Schema | undefined;
  readonly target: Target;
  readonly env: { readonly [name: string]: string };
  readonly settings: Pick<
    TaskSpec,
    "resources" | "retries" | "timeouts" | "cache" | "priority" | "concurrency" | "environmentConcurrency"
  >;
  readonly run: ((input: unknown, context: Context) => unknown) | null;
};

export function defineTask<I extends Schema | undefined, O extends Schema | undefined>(
  options: DefinitionOptions,
): Task<I, O> {
  const fullName = `${options.environment}.${checkName("task", options.name)}`;
  const input = inputCodec(options.input ?? null, fullName);
  const output = outputCodec(options.output ?? null, fullName);
  const callSites = userCallSites();
  let spec: TaskSpec | null = null;
  const definition: Definition = {
    fullName,
    input,
    output,
    run: options.run,
    callSites,
    spec: () => {
      spec ??= {
        name: fullName,
        shortName: options.name,
        environment: options.environment,
        description: options.description,
        location: callSites[0] ?? null,
        interface: { inputs: input.variables, outputs: output.variables },
        target: options.target,
        ...options.settings,
        env: options.env,
        code: { type: "unknown", reason: "it was not loaded from a code bundle" },
      };
      return spec;
    },
  };
  checkIgnored(definition, options.settings);
  checkOom(options.settings.resources, options.settings.retries, fullName);
  register(definition);
  return callable<I, O>(definition, {});
}

function callable<I extends Schema | undefined, O extends Schema | undefined>(
  definition: Definition,
  options: CallOptions,
): Task<I, O> {
  const overrides = overridesOf(options, definition.fullName);
  checkIgnored(definition, overrides);
  if (overrides.resources !== undefined || overrides.retries !== undefined) {
    const { resources, retries } = withOverrides(definition.spec(), overrides);
    checkOom(resources, retries, definition.fullName);
  }
  if (options.name !== undefined) checkName("action", options.name);
  const call = (input?: unknown): Promise<unknown> => {
    const attempt = current();
    if (attempt === null) return callPlainly(definition, input);
    return called(
      callDurably.bind(null, definition, attempt, input, { overrides, name: options.name ?? null, group: null }),
    );
  };
  return Object.assign(call, {
    override: (more: CallOptions) => callable<I, O>(definition, { ...options, ...more }),
    fullName: definition.fullName,
    definition,
    overrides,
  }) as unknown as Task<I, O>;
}

/** A name that is no input would be ignored itself, and its input would stay in the key. */
function checkIgnored({ fullName, input }: Definition, { cache }: Overrides): void {
  const names = input.variables.map(({ name }) => name);
  const ignored = cache === undefined || cache.type === "off" ? [] : cache.ignoredInputs;
  const unknown = ignored.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new GodwitError(
    "invalid_argument",
    `${fullName}: cache.ignoreInputs names "${unknown}", which is no input of the task.${didYouMean(unknown, names)}`,
  );
}

/**
 * A call may fail before the task comes to await it, and is on record either way: no reason to end the
 * process. That is said only when it fails: a promise that two wait for has no stack back to the user's line.
 */
function called(call: () => Promise<unknown>): Promise<unknown> {
  let promise: Promise<unknown> | null = null;
  const settled = async (): Promise<unknown> => {
    try {
      return await call();
    } catch (error) {
      promise?.catch(() => undefined);
      throw error;
    }
  };
  promise = settled();
  return promise;
}

/** The settings that `override` put on a task. */
export const overridesOn = (task: Task): Overrides => (task as unknown as { readonly overrides: Overrides }).overrides;

async function callPlainly(definition: Definition, input: unknown): Promise<unknown> {
  const { run, fullName } = definition;
  if (run === null) {
    throw new GodwitError(
      "failed_precondition",
      `${fullName} is a shell task, which needs a run: use \`godwit run\`, or the engine of "godwit/testing".`,
    );
  }
  const checked = await validInput(definition, input);
  const output = await run(checked, localContext(fullName));
  return validOutput(definition, output);
}

export type DurableCall = {
  readonly overrides: Overrides;
  readonly name: string | null;
  readonly group: string | null;
};

/** Encodes, calls, and decodes what came of it. */
export async function callDurably(
  definition: Definition,
  attempt: Current,
  input: unknown,
  options: DurableCall,
): Promise<unknown> {
  const { session } = attempt;
  if (attempt.trace !== null) {
    throw new GodwitError(
      "failed_precondition",
      `${definition.fullName} was called inside the trace "${attempt.trace}". A trace is one step and is skipped as a whole when it is replayed: call tasks beside it.`,
    );
  }
  const { fullName } = definition;
  try {
    const state = await session.callOnceReady(fullName, taskCall(definition, attempt, input, options));
    return await outputOf(definition, attempt, state);
  } catch (error) {
    if (error instanceof CallRefused)
      throw new TaskError({ task: fullName, action: options.name ?? "", attempt: 0 }, error.error);
    throw error;
  }
}

async function taskCall(definition: Definition, attempt: Current, input: unknown, options: DurableCall): Promise<Call> {
  const { session } = attempt;
  await validInput(definition, input);
  const literals = await definition.input.encode(input ?? {}, session.blobs);
  const identity = identityOf(definition);
  const inputsHash = hashLiterals(literals);
  const isCached = withOverrides(definition.spec(), options.overrides).cache.type !== "off";
  return {
    type: "task",
    name: options.name ?? session.nextName({ type: "task", identity, inputsHash }),
    isNamed: options.name !== null,
    task: definition.fullName,
    overrides: options.overrides,
    group: options.group,
    identity,
    inputs: await toPayload(literals, session.blobs),
    inputsHash,
    inputHashes: isCached ? hashInputs(literals) : {},
  };
}

const identities = new WeakMap<Definition, string>();

function identityOf(definition: Definition): string {
  let identity = identities.get(definition);
  if (identity === undefined) {
    identity = taskIdentity(definition.fullName, interfaceHash(definition.spec().interface));
    identities.set(definition, identity);
  }
  return identity;
}

async function outputOf(definition: Definition, attempt: Current, state: CallState): Promise<unknown> {
  if (state.phase !== null && isSuccess(state.phase) && state.outputs !== null) {
    return definition.output.decode(await fromPayload(state.outputs, attempt.session.blobs), attempt.session.blobs);
  }
  const call = { task: definition.fullName, action: state.name, attempt: state.attempt };
  if (state.error === null)
    throw new GodwitError("internal", `${definition.fullName} ended as ${state.phase} without an error.`);
  throw new TaskError(call, state.error);
}

export async function validInput(definition: Definition, input: unknown): Promise<unknown> {
  const checked = await definition.input.validate(input ?? {});
  if (checked.type === "valid") return checked.value;
  throw new GodwitError("invalid_argument", issueText(definition.fullName, "input", checked.issues));
}

export async function validOutput(definition: Definition, output: unknown): Promise<unknown> {
  const checked = await definition.output.validate(output);
  if (checked.type === "valid") return checked.value;
  throw new GodwitError("invalid_argument", issueText(definition.fullName, "output", checked.issues));
}

/** `penguins.train: input depth: expected int, received string`, an issue a line. */
export const issueText = (
  task: string,
  side: "input" | "output",
  issues: readonly { readonly path: string; readonly message: string }[],
): string =>
  issues.map(({ path, message }) => `${task}: ${side}${path === "" ? "" : ` ${path}`}: ${message}`).join("\n");
