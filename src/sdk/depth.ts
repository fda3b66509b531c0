// Values without an end: how they are noticed, and how people are told.
import { maxDepth } from "../idl/idl.ts";
import { Misfit } from "./misfit.ts";

const depthMisfits = new WeakSet<Misfit>();

/** Met `maxDepth` levels down, where nobody can say why the value is so deep: see `explained`. */
export function tooDeep(): Misfit {
  const misfit = new Misfit(`the value is more than ${maxDepth} levels deep.`);
  depthMisfits.add(misfit);
  return misfit;
}

/** The error to throw for a whole value: one that contains itself is said to, at the place where it does. */
export function explained(error: unknown, value: unknown): unknown {
  if (!(error instanceof Misfit && depthMisfits.has(error)) && !(error instanceof RangeError)) return error;
  const circle = circleIn(value);
  if (circle !== null) return new Misfit("the value contains itself.", { steps: circle.toReversed() });
  return error instanceof RangeError ? tooDeep() : error;
}

// Deeper than any value that can be carried, and well within the stack.
const searchedDepth = 2000;

/** The way to the first place below `value` that holds what it is in; null if there is none. */
function circleIn(value: unknown): (string | number)[] | null {
  const above: object[] = [];
  const steps: (string | number)[] = [];
  const searched = new Set<object>();
  const search = (item: unknown): boolean => {
    if (typeof item !== "object" || item === null || above.length > searchedDepth) return false;
    if (above.includes(item)) return true;
    if (searched.has(item)) return false;
    searched.add(item);
    above.push(item);
    for (const [key, inner] of Object.entries(item)) {
      steps.push(Array.isArray(item) ? Number(key) : key);
      if (search(inner)) return true;
      steps.pop();
    }
    above.pop();
    return false;
  };
  return search(value) ? steps : null;
}
