// The end of an attempt that ran out of memory, in words.
import { type ActionError, errorCodes } from "../core/action.ts";
import type { TaskSpec } from "../core/task.ts";

export type OutOfMemory = {
  /** What the attempt was given; null if it had no limit of its own. */
  readonly limitBytes: number | null;
  readonly peakBytes: number | null;
  /** `limit`: we ended it. `heap`: JavaScript's heap, whose size follows from the limit. `system`: the kernel did. */
  readonly by: "limit" | "heap" | "system";
};

export function oomError(
  { limitBytes, peakBytes, by }: OutOfMemory,
  spec: Pick<TaskSpec, "location" | "target">,
): ActionError {
  const peak = peakBytes === null ? "" : `; at its most it held ${sizeText(peakBytes)}`;
  const what =
    limitBytes === null
      ? `The system ended the process for want of memory${peak}.`
      : `The attempt ran out of its memory of ${sizeText(limitBytes)}${byText[by]}${peak}.`;
  const ways = spec.target.type === "container" ? pythonWays : ownWays;
  const more = limitBytes === null ? ways.some : ways.more;
  return {
    code: errorCodes.oomKilled,
    message: `${what} ${more}`,
    kind: "user",
    recoverable: true,
    stack: null,
    location: spec.location ?? null,
    origin: null,
  };
}

const ownWays = {
  some: "Ask for the memory that it needs, so that it is set aside: resources: { memory: '2Gi' }.",
  more: "Ask for more (resources: { memory: … }), or let it be tried with more: retries: { onOom: { memory: 'x2', max: '8Gi' } }.",
} as const;

/** In the words of Flyte's SDK. */
const pythonWays = {
  some: "Ask for the memory that it needs, so that it is set aside: resources=flyte.Resources(memory='2Gi').",
  more: "Ask for more: resources=flyte.Resources(memory=…).",
} as const;

const byText = { limit: "", heap: " (JavaScript's heap was full)", system: " (the system ended it)" } as const;

const units = ["Ti", "Gi", "Mi", "Ki"] as const;

/** As it is written in `resources`. */
export function sizeText(bytes: number): string {
  for (const [index, unit] of units.entries()) {
    const size = 1024 ** (units.length - index);
    if (bytes >= size) return `${Number((bytes / size).toFixed(bytes / size < 10 ? 1 : 0))}${unit}`;
  }
  return `${bytes} bytes`;
}
