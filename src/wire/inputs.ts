// Inputs of runs to come: uploaded before, or brought along; completed with defaults, and checked against what the
// task declares.
import { create, fromBinary } from "@bufbuild/protobuf";
import type { OffloadedInputData } from "#idl/flyteidl2/common/run_pb.js";
import { type Inputs, InputsSchema, NamedLiteralSchema } from "#idl/flyteidl2/task/common_pb.js";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { Literals } from "../core/value.ts";
import { type CallContext, contextOf, literalsOfInputs } from "../idl/task-files.ts";
import type { CalledTask } from "./called-task.ts";
import type { Asking } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export type InputsRef =
  | { readonly case: "inputs"; readonly value: Inputs }
  | { readonly case: "offloadedInputData"; readonly value: OffloadedInputData }
  | { readonly case: undefined; readonly value?: undefined };

/** Of messages that have a field for each. */
export function inputsRef(inputs: Inputs | undefined, offloaded: OffloadedInputData | undefined): InputsRef {
  if (offloaded !== undefined) return { case: "offloadedInputData", value: offloaded };
  return inputs === undefined ? { case: undefined } : { case: "inputs", value: inputs };
}

export type GivenInputs = {
  readonly literals: Literals;
  /** What goes along with them, and is handed on. */
  readonly context: CallContext;
};

/** Undefined: the request says nothing of inputs. */
export const sentInputs = async ({ storage }: WireParts, ref: InputsRef): Promise<Inputs | undefined> =>
  ref.case === "offloadedInputData" ? inputsMessageOf(await storage.readInputs(ref.value.uri)) : ref.value;

/** `later`: the input that is given its value only when the run starts. */
export async function givenInputs(
  { parts }: Asking,
  task: CalledTask,
  ref: InputsRef,
  later: string | null = null,
): Promise<GivenInputs> {
  const sent = await sentInputs(parts, ref);
  const message = completed(sent ?? create(InputsSchema, {}), task, later);
  return { literals: literalsOfInputs(message, task.spec.interface), context: contextOf(message) };
}

/** Throws `invalid_argument` for bytes that are something else. */
export function inputsMessageOf(bytes: Uint8Array): Inputs {
  try {
    return fromBinary(InputsSchema, bytes);
  } catch (cause) {
    throw new GodwitError("invalid_argument", "The uploaded inputs are not a message flyteidl2.task.Inputs.", {
      cause,
    });
  }
}

/** With the defaults of what was left out. */
function completed(inputs: Inputs, { spec, message }: CalledTask, later: string | null): Inputs {
  const given = new Set(inputs.literals.map(({ name }) => name));
  const declared = spec.interface.inputs.map(({ name }) => name);
  const unknown = [...given].find((name) => !declared.includes(name));
  if (unknown !== undefined)
    throw new GodwitError(
      "invalid_argument",
      `The task "${spec.name}" has no input "${unknown}".${didYouMean(unknown, declared)} It has: ${declared.join(", ") || "none"}.`,
    );
  const defaults = new Map(message.defaultInputs.map(({ name, parameter }) => [name, parameter?.behavior]));
  const missing = spec.interface.inputs.filter(({ name }) => !given.has(name));
  const added = missing.flatMap(({ name, required }) => {
    const behavior = defaults.get(name);
    if (behavior?.case === "default") return [create(NamedLiteralSchema, { name, value: behavior.value })];
    if (!required || name === later) return [];
    throw new GodwitError("invalid_argument", `The task "${spec.name}" lacks its input "${name}".`);
  });
  return added.length === 0 ? inputs : { ...inputs, literals: [...inputs.literals, ...added] };
}
