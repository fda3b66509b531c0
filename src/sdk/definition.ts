// What defining a task gives, for Godwit's own parts.
import type { DefinedTrigger } from "../core/automation.ts";
import type { DeployedCall } from "../core/messages.ts";
import type { TaskSpec } from "../core/task.ts";
import type { CallSite } from "./call-sites.ts";
import type { Codec } from "./codec.ts";
import type { Context } from "./context.ts";

/** A task as Godwit's own parts see it. */
export type Definition = {
  readonly fullName: string;
  readonly input: Codec;
  readonly output: Codec;
  /** What runs when the task is called outside a run, and in a worker. Null: only an executor can run it. */
  readonly run: ((input: unknown, context: Context) => unknown) | null;
  /** Where it was defined: what its code reaches is found from there. */
  readonly callSites: readonly CallSite[];
  readonly spec: () => TaskSpec;
  readonly triggers: readonly DefinedTrigger[];
  /** Given of a task that is deployed, and not a part of this code: how it is found, and what it is taken for. */
  readonly deployed?: DeployedCall;
};
