// Inputs of a deployed task from JSON, checked against what it declares.
import { GodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import { literalFromJson } from "../idl/idl.ts";

/** Throws `invalid_argument` naming the input. What is not given is left out. */
export function literalsOfJson(
  { name: task, interface: { inputs } }: Pick<TaskSpec, "name" | "interface">,
  given: { readonly [name: string]: unknown },
): Literals {
  const known = inputs.map(({ name }) => name);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new GodwitError(
      "invalid_argument",
      `The task ${task} has no input "${unknown}". It has: ${known.join(", ") || "none"}.`,
    );
  const present = inputs.filter(({ name }) => given[name] !== undefined);
  return Object.fromEntries(
    present.map(({ name, type }) => [name, literalFromJson(type, given[name], `${task}: input ${name}`)]),
  );
}
