// What stands behind `godwit run`: the file, perhaps a task, then the flags that carry inputs.
import { usageError } from "./error-report.ts";

export type RunArguments = {
  readonly file: string;
  readonly task: string | null;
  /** Flags that are not Godwit's own, in order. */
  readonly inputs: readonly string[];
};

/** `rest` is what remains of the command line when Godwit's own options have been taken out of it. */
export function runArguments(rest: readonly string[]): RunArguments {
  const [file, next] = rest;
  if (file === undefined || file.startsWith("--")) {
    throw usageError(
      "Which file? Name the one that has the tasks, before the inputs: godwit run pipeline.ts [TASK] [--input value…]",
    );
  }
  const hasTask = next !== undefined && !next.startsWith("-");
  return { file, task: hasTask ? next : null, inputs: rest.slice(hasTask ? 2 : 1) };
}
