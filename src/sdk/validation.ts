// Whether inputs and outputs fit the task's own schema, and what people are told if not.
import { GodwitError } from "../core/error.ts";
import type { Validated } from "./codec.ts";
import type { Definition } from "./definition.ts";
import type { Side } from "./schema.ts";

/** What the schema makes of the value, or a promise of that if the schema's own checks wait. Throws `invalid_argument`. */
export const validInput = (definition: Definition, input: unknown): unknown =>
  valid(definition, "input", definition.input.validate(input ?? {}));

/** As `validInput`. */
export const validOutput = (definition: Definition, output: unknown): unknown =>
  valid(definition, "output", definition.output.validate(output));

function valid(definition: Definition, side: Side, checked: Validated | Promise<Validated>): unknown {
  return checked instanceof Promise
    ? checked.then((result) => validValue(definition, side, result))
    : validValue(definition, side, checked);
}

export function validValue({ fullName }: Definition, side: Side, checked: Validated): unknown {
  if (checked.type === "valid") return checked.value;
  throw new GodwitError("invalid_argument", issueText(fullName, side, checked.issues));
}

/** `penguins.train: input depth: expected int, received string`, an issue a line. */
export const issueText = (
  task: string,
  side: Side,
  issues: readonly { readonly path: string; readonly message: string }[],
): string =>
  issues.map(({ path, message }) => `${task}: ${side}${path === "" ? "" : ` ${path}`}: ${message}`).join("\n");
