// `godwit abort`: ends a run or an action that is under way, here, in another process, or nowhere.

import { isTerminal } from "../../core/action.ts";
import { isGodwitError } from "../../core/error.ts";
import type { Godwit } from "../../godwit.ts";
import { shortAction } from "../call-text.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import { actionRecord, runRecord } from "../records.ts";
import { type Io, paintFor, writeJson, writeLine } from "../terminal.ts";
import { phaseSign, phaseWords } from "../tree-lines.ts";

export type AbortOptions = CommonOptions & { readonly reason?: string };

export async function abort(name: string, wanted: string | undefined, options: AbortOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const { godwit, scope } = session;
    const reason = options.reason ?? `Aborted by ${scope.caller}.`;
    const before = await godwit.control.getRun(scope, name);
    const wasEnded = wanted === undefined && isTerminal(before.phase);
    const action = wanted === undefined ? null : await godwit.control.abortAction(scope, name, wanted, reason);
    if (wanted === undefined) await godwit.control.abortRun(scope, name, reason);
    // Nobody else would end what hangs on it; a server does.
    if (wanted === undefined) await endHere(godwit, before.id);
    const run = await godwit.control.getRun(scope, name);
    if (options.json === true) {
      await writeJson(io, action === null ? runRecord(run) : actionRecord(action, name));
      return 0;
    }
    const paint = paintFor(io.stdout, io.env);
    const phase = action?.phase ?? run.phase;
    const what = action === null ? `run ${name}` : `${action.label} ${shortAction(action.name)} of ${name}`;
    const words = wasEnded ? `had ended before: ${phaseWords[phase]}` : phaseWords[phase];
    await writeLine(io.stdout, `${phaseSign(phase, paint, null)} ${what} ${words}`);
    return 0;
  });
}

async function endHere(godwit: Godwit, run: number): Promise<void> {
  if ((await godwit.isDone(run)) || (await godwit.isServed(run))) return;
  try {
    await godwit.serve(run);
  } catch (error) {
    // Another process was quicker: then it ends the run.
    if (!isGodwitError(error) || error.code !== "already_exists") throw error;
  }
}
