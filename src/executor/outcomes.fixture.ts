// What came of attempts, for tests of executors.
import type { Outcome } from "../core/messages.ts";
import type { Executor } from "./executor.ts";

/** That many, or as many as there are when nothing runs any more. */
export const outcomes = async (executor: Executor, wanted: number): Promise<readonly Outcome[]> => {
  const found: Outcome[] = [];
  let wake = (): void => {};
  executor.start(() => wake());
  while (found.length < wanted) {
    const woken = new Promise<void>((resolve) => (wake = resolve));
    found.push(...executor.takeOutcomes(1));
    if (found.length < wanted && executor.running().length > 0) await woken;
  }
  return found;
};
