// Tasks as users define and call them. A call inside a run becomes a durable action; the same call
// outside a run checks the inputs and runs the function.

import { GodwitError } from "../core/error.ts";
import { checkName, didYouMean } from "../core/names.ts";
import { type Overrides, type Target, type TaskSpec, withOverrides } from "../core/task.ts";
import { userCallSites } from "./call-sites.ts";
import { inputCodec, outputCodec } from "./codec.ts";
import type { Context } from "./context.ts";
import { localContext } from "./context.ts";
import { current } from "./current.ts";
import type { Definition } from "./definition.ts";
import { type CallSettings, callDurably } from "./durable-call.ts";
import { overridesOf, type PolicyOptions } from "./policy.ts";
import { register } from "./registry.ts";
import { checkOom } from "./resource-option.ts";
import type { InferInput, InferOutput, Schema } from "./schema.ts";
import { checkDistinct, definedTrigger, type TriggerOption } from "./triggers.ts";
import { validInput, validOutput } from "./validation.ts";

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
  readonly triggers: readonly TriggerOption<Schema>[];
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
    triggers: options.triggers.map((trigger) => definedTrigger(trigger, { task: fullName, input })),
  };
  checkDistinct(definition);
  checkIgnored(definition, options.settings);
  checkOom(options.settings.resources, options.settings.retries, fullName);
  register(definition);
  return callable<I, O>(definition, {});
}

/** The calls of a definition, as users make them. */
export function callable<I extends Schema | undefined, O extends Schema | undefined>(
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
  const settings: CallSettings = { overrides, name: options.name ?? null, group: null, owner: null };
  const call = (input?: unknown): Promise<unknown> => {
    const attempt = current();
    if (attempt === null) return callPlainly(definition, input);
    return callDurably(definition, attempt, input, settings);
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

/** The settings that `override` put on a task. */
export const overridesOn = (task: Task): Overrides => (task as unknown as { readonly overrides: Overrides }).overrides;

async function callPlainly(definition: Definition, input: unknown): Promise<unknown> {
  const { run, fullName } = definition;
  if (run === null) {
    const why = definition.deployed === undefined ? "a shell task" : "a deployed task";
    throw new GodwitError(
      "failed_precondition",
      `${fullName} is ${why}, which needs a run: use \`godwit run\`, or the engine of "godwit/testing".`,
    );
  }
  const output = await run(await validInput(definition, input), localContext(fullName));
  return validOutput(definition, output);
}
