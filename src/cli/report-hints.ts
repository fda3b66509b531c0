// Where the reports of a run are, told at its end.
import type { Action } from "../core/action.ts";
import { rootName } from "../core/names.ts";
import { shortAction } from "./call-text.ts";
import type { Session } from "./session.ts";
import type { Paint } from "./terminal.ts";
import { countText, printable } from "./text.ts";

const maxShown = 3;

/** One line a report; nothing if there are none. */
export async function reportLines({ godwit, scope }: Session, run: string, paint: Paint): Promise<readonly string[]> {
  const actions = await godwit.control.listReports(scope, run);
  const lines = actions
    .slice(0, maxShown)
    .map((action) => paint("dim", `report of ${printable(action.label)}: ${reportCommand(run, action, actions)}`));
  const left = actions.length - maxShown;
  return left <= 0 ? lines : [...lines, paint("dim", `and ${countText(left)} more: godwit get report ${run} ACTION`)];
}

/** Names the action by its label if that is enough. */
export function reportCommand(run: string, action: Action, among: readonly Action[]): string {
  if (action.name === rootName) return `godwit get report ${run}`;
  const isAlone = among.every(({ name, label }) => name === action.name || label !== action.label);
  return `godwit get report ${run} ${isAlone ? action.label : shortAction(action.name)}`;
}
