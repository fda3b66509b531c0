// Which actions of a run have a report.
import type { Action } from "../core/action.ts";
import { rootName } from "../core/names.ts";
import { madeBy } from "./actions.ts";
import type { Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun, maxPage } from "./runs.ts";

/** Results taken over are looked up one by one, so only so many of them. */
const maxReused = 50;

/** Of the run's first `maxPage` tasks, in the order of their calls. */
export async function listReports(parts: Parts, scope: Scope, runName: string): Promise<readonly Action[]> {
  const run = await getRun(parts, scope, runName);
  const tasks = await parts.store.listActions({ run: run.id, type: "task" }, maxPage);
  const makers = new Map<string, Action>();
  let reused = 0;
  for (const action of tasks) {
    if (action.reusedFrom === null) makers.set(action.name, action);
    else if (reused++ < maxReused) makers.set(action.name, await madeBy(parts, scope, action));
  }
  const reports = await parts.store.attachments([...makers.values()], "report");
  const having = new Set(reports.map(({ run: id, name }) => `${id}/${name}`));
  const found = tasks.filter(({ name }) => {
    const maker = makers.get(name);
    return maker !== undefined && having.has(`${maker.run}/${maker.name}`);
  });
  // The run's own task first: it is what a person looks for.
  return [...found.filter(({ name }) => name === rootName), ...found.filter(({ name }) => name !== rootName)];
}
