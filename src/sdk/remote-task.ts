// A task that is not a part of this code but deployed on the server, in whatever language: called by its name, with
// the types that this code takes it to have. Whether it has them is checked before it starts (core/interface.ts).

import { noTimeouts } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { defaultRetries } from "../core/retry.ts";
import type { TaskSpec } from "../core/task.ts";
import { deployedOutputCodec, inputCodec } from "./codec.ts";
import type { Definition } from "./definition.ts";
import type { Schema } from "./schema.ts";
import { callable, type Task } from "./task.ts";

export type RemoteTaskOptions<I extends Schema | undefined, O extends Schema | undefined> = {
  /** Full name, as it was deployed: `environment.task`. */
  readonly name: string;
  /** Default: the one that was deployed last when the call is made. */
  readonly version?: string;
  /** The inputs that are given, by their names there. */
  readonly input?: I;
  /** What comes back: an object for a dataclass or for named outputs, a tuple for several. */
  readonly output?: O;
};

/** Of the run's own project and domain. Calls are durable and reject as those of any other task. */
export function remoteTask<I extends Schema | undefined = undefined, O extends Schema | undefined = undefined>(
  options: RemoteTaskOptions<I, O>,
): Task<I, O> {
  const { name, version = null } = options;
  if (typeof name !== "string" || name === "")
    throw new GodwitError("invalid_argument", "remoteTask({ name }) needs the full name of a deployed task.");
  const input = inputCodec(options.input ?? null, name);
  const { codec: output, forms } = deployedOutputCodec(options.output ?? null, name);
  const expected = { inputs: input.variables, outputs: forms };
  const shortName = name.slice(name.lastIndexOf(".") + 1);
  const spec: TaskSpec = {
    name,
    shortName,
    environment: name.slice(0, Math.max(0, name.length - shortName.length - 1)),
    description: null,
    location: null,
    interface: { inputs: input.variables, outputs: output.variables },
    target: { type: "typescript" },
    resources: { cpuMillis: 0, memoryBytes: null },
    retries: defaultRetries,
    timeouts: noTimeouts,
    cache: { type: "off" },
    env: {},
    code: { type: "unknown", reason: "it is deployed, and not a part of this code" },
  };
  const definition: Definition = {
    fullName: name,
    input,
    output,
    run: null,
    callSites: [],
    spec: () => spec,
    triggers: [],
    deployed: { version, interface: expected },
  };
  return callable<I, O>(definition, {});
}
