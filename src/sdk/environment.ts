// Environments: where tasks run, and the one way to define tasks.

import { noTimeouts } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { checkName } from "../core/names.ts";
import { counts, wholeNumber } from "../core/quantities.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Target } from "../core/task.ts";
import type { Context } from "./context.ts";
import { overridesOf, type PolicyOptions } from "./policy.ts";
import { defaultResources, type ResourcesOption, resourcesOf } from "./resource-option.ts";
import type { Schema } from "./schema.ts";
import { defineTask, type Task, type TaskFunction } from "./task.ts";
import type { TriggerOption } from "./triggers.ts";

export type EnvironmentOptions = {
  /** First part of its tasks' full names. */
  readonly name: string;
  /** For tasks that do not say otherwise. Default: one CPU. */
  readonly resources?: ResourcesOption;
  /** Environment variables that its tasks find while they run, on top of the caller's. */
  readonly env?: { readonly [name: string]: string };
  /** Attempts of all its tasks together that may work at once, over all runs. Default: no limit. */
  readonly concurrency?: number;
};

export type TaskOptions<I extends Schema | undefined, O extends Schema | undefined> = PolicyOptions & {
  /** Unique in its environment; `environment.name` is the task's full name. */
  readonly name: string;
  /** For people: `--help` and `godwit get task` show it. */
  readonly description?: string;
  /** An object type. Left out: the task takes nothing. */
  readonly input?: I;
  /** An object type, whose properties become named outputs, or any other type. Left out: the task returns nothing. */
  readonly output?: O;
  /** Attempts of this task that may work at once, over all runs. Default: no limit. */
  readonly concurrency?: number;
  /** What starts runs of it by itself, once it is deployed on a server. See docs/triggers.md. */
  readonly triggers?: readonly TriggerOption<NoInfer<I>>[];
};

export type ShellOptions<I extends Schema | undefined, O extends Schema | undefined> = TaskOptions<I, O> & {
  /** Text is run by `sh`; a list is run as it is, without a shell. See docs/shell-tasks.md. */
  readonly command: string | readonly string[];
  /** Environment variables for the command, on top of the environment's. */
  readonly env?: { readonly [name: string]: string };
};

export type Environment = {
  readonly name: string;
  /** Defines a task. Do so at the top level of a module: what its function reaches is part of its cache key. */
  task<I extends Schema | undefined = undefined, O extends Schema | undefined = undefined>(
    options: TaskOptions<I, O>,
    run: TaskFunction<I, O>,
  ): Task<I, O>;
  /** Defines a task that runs a command. */
  shell<I extends Schema | undefined = undefined, O extends Schema | undefined = undefined>(
    options: ShellOptions<I, O>,
  ): Task<I, O>;
};

export function environment(options: EnvironmentOptions): Environment {
  const name = checkName("environment", options.name);
  const resources = resourcesOf(options.resources ?? {}, `environment ${name}`, defaultResources);
  const env = checkEnv(options.env ?? {}, `environment ${name}`);
  const together = limit("environmentConcurrency", options.concurrency, `environment ${name}`);
  const define = <I extends Schema | undefined, O extends Schema | undefined>(
    task: TaskOptions<I, O>,
    target: Target,
    run: ((input: unknown, context: Context) => unknown) | null,
  ): Task<I, O> => {
    const what = `${name}.${task.name}`;
    return defineTask<I, O>({
      environment: name,
      name: task.name,
      description: task.description ?? null,
      input: task.input,
      output: task.output,
      target,
      env,
      run,
      triggers: (task.triggers ?? []) as readonly TriggerOption<Schema>[],
      settings: {
        resources,
        retries: defaultRetries,
        timeouts: noTimeouts,
        cache: { type: "off" },
        ...overridesOf(task, what, resources),
        ...limit("concurrency", task.concurrency, what),
        ...together,
      },
    });
  };
  return {
    name,
    task: (task, run) => {
      if (typeof run !== "function") {
        throw new GodwitError(
          "invalid_argument",
          `${name}.${task.name}: env.task(options, function) needs the function.`,
        );
      }
      return define(task, { type: "typescript" }, run as (input: unknown, context: Context) => unknown);
    },
    shell: (task) => {
      const env = checkEnv(task.env ?? {}, `${name}.${task.name}`);
      return checkShellNames(define(task, { type: "shell", command: task.command, env }, null));
    },
  };
}

/** Left out where none is given, so that it does not change what the task is. */
const limit = (
  name: "concurrency" | "environmentConcurrency",
  count: number | undefined,
  what: string,
): { readonly [name in "concurrency" | "environmentConcurrency"]?: number } =>
  count === undefined ? {} : { [name]: wholeNumber(count, counts, `${what}: concurrency`) };

/** An input and an output of one name would be one variable of the command. */
function checkShellNames<I extends Schema | undefined, O extends Schema | undefined>(task: Task<I, O>): Task<I, O> {
  const { input, output } = task.definition;
  const both = output.variables.find((variable) => input.variables.some(({ name }) => name === variable.name));
  if (both === undefined) return task;
  throw new GodwitError(
    "invalid_argument",
    `${task.fullName}: "${both.name}" is an input and an output, which a command cannot tell apart. Rename one.`,
  );
}

function checkEnv(env: { readonly [name: string]: string }, what: string): { readonly [name: string]: string } {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || typeof value !== "string") {
      throw new GodwitError(
        "invalid_argument",
        `${what}: env.${name} has to be a text under a name of letters, digits and "_".`,
      );
    }
  }
  return env;
}
