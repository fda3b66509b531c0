// `godwit signal`: answers a condition that a run waits for.
import { isTerminal } from "../../core/action.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import { actionRecord } from "../records.ts";
import { type Io, paintFor, writeJson, writeLine } from "../terminal.ts";
import { phaseSign } from "../tree-lines.ts";

export async function signal(
  name: string,
  condition: string,
  text: string,
  options: CommonOptions,
  io: Io,
): Promise<number> {
  return withExisting(options, io, async (session) => {
    const { godwit, scope } = session;
    const value = await valueFor(text, async () => {
      const waiting = await godwit.control.listActions(scope, name, { phases: ["paused"], limit: 1_000, token: null });
      const found = waiting.items.find((each) => each.label === condition || each.name.startsWith(condition));
      if (found === undefined) return null;
      return (await godwit.control.getAction(scope, name, found.name)).condition?.valueType ?? null;
    });
    const action = await godwit.control.signal(scope, name, condition, value);
    if (options.json === true) await writeJson(io, actionRecord(action, name));
    else {
      const paint = paintFor(io.stdout, io.env);
      await writeLine(
        io.stdout,
        `${phaseSign("succeeded", paint, null)} ${action.label} of ${name} was answered: ${JSON.stringify(value)}`,
      );
      const run = await godwit.control.getRun(scope, name);
      if (!isTerminal(run.phase) && !(await godwit.isServed(run.id)))
        await writeLine(io.stdout, `No live process serves the run. It goes on with: godwit resume ${name}`);
    }
    return 0;
  });
}

/** Text stays text for a condition that takes text; anything else is JSON, and what is not JSON is text. */
async function valueFor(text: string, type: () => Promise<string | null>): Promise<unknown> {
  if ((await type()) === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    // Control says what it takes instead.
    return text;
  }
}
