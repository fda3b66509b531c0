// A call as people tell it from its siblings: `train depth=4`. Only what is in the row is looked at:
// no blob is read, and large inputs are passed over.

import type { Action } from "../core/action.ts";
import { siblingLetters } from "../core/names.ts";
import type { Literal, Literals, Payload } from "../core/value.ts";
import { fit, printable } from "./text.ts";

/** Characters of stored inputs that are worth parsing for a line of text. */
const maxInputsText = 1_000;
export const maxInputsWidth = 36;
const maxValueWidth = 16;

/** `depth=4 kind=tree`, the scalars among the inputs; empty if there are none. */
export function inputsText(stored: string | null, width = maxInputsWidth): string {
  if (stored === null || stored.length > maxInputsText) return "";
  const parts = Object.entries(JSON.parse(stored) as Literals).flatMap(([name, literal]) => {
    const text = scalarText(literal);
    return text === null ? [] : [`${printable(name)}=${text}`];
  });
  return fit(parts.join(" "), width);
}

/** Of an action's row, as `inputsText` takes it; null if there is nothing to show or too much to look at. */
export const storedInputs = ({ type }: Action, inputs: Payload): string | null =>
  type === "task" && inputs.type === "inline" && inputs.text.length <= maxInputsText && inputs.text !== "{}"
    ? inputs.text
    : null;

/** `train depth=4`. */
export function callText(action: Action, width = maxInputsWidth): string {
  const inputs = action.parent === null ? "" : inputsText(storedInputs(action, action.inputs), width);
  return `${printable(action.label)}${inputs === "" ? "" : ` ${inputs}`}`;
}

/** The beginning of an action's name: enough to name it in a command. */
export const shortAction = (name: string): string => name.slice(0, siblingLetters + 6);

function scalarText(literal: Literal): string | null {
  switch (literal.type) {
    case "integer":
    case "float":
    case "boolean":
      return String(literal.value);
    case "datetime":
      return literal.value.replace(/T00:00:00(\.0+)?Z$/, "");
    case "string":
      return /^[^\s"=]+$/.test(literal.value)
        ? fit(printable(literal.value), maxValueWidth)
        : JSON.stringify(fit(printable(literal.value), maxValueWidth));
    case "union":
      return scalarText(literal.value);
    default:
      return null;
  }
}
