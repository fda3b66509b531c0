// What attempts printed: of one, or of all that an action had.
import { isTerminal } from "../core/action.ts";
import { findAction } from "./actions.ts";
import type { LogRead, Scope, WantedAction } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun } from "./runs.ts";

export type LogOptions = { readonly attempt?: number | "all"; readonly follow: boolean; readonly signal: AbortSignal };

export async function* readLogs(
  parts: Parts,
  scope: Scope,
  which: { readonly run: string; readonly action: WantedAction },
  options: LogOptions,
): AsyncIterable<LogRead> {
  const run = await getRun(parts, scope, which.run);
  let action = await findAction(parts, run, which.action);
  const wanted = options.attempt ?? (options.follow ? "all" : Math.max(action.attempt, 1));
  let attempt = wanted === "all" ? 1 : wanted;
  for (;;) {
    const current = async (): Promise<boolean> => {
      const [latest] = await parts.store.actions([action]);
      action = latest ?? action;
      return (
        isTerminal(action.phase) ||
        action.attempt > attempt ||
        (action.attempt === attempt && action.phase !== "running")
      );
    };
    const ref = { run: run.id, action: action.name, attempt };
    for await (const line of parts.logs.read(ref, { follow: options.follow, signal: options.signal, isEnded: current }))
      yield { attempt, line };
    await current();
    const isLast = isTerminal(action.phase) || !options.follow;
    if (wanted !== "all" || options.signal.aborted || (isLast && attempt >= action.attempt)) return;
    attempt += 1;
  }
}
