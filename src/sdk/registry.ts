// Tasks become known by being defined. While a code bundle loads, each definition is noted for it.
import { GodwitError } from "../core/error.ts";
import type { Definition } from "./task.ts";

/** Tasks by full name. */
export type Tasks = ReadonlyMap<string, Definition>;

let loading: Map<string, Definition> | null = null;
let lastLoad: Promise<unknown> = Promise.resolve();

/** Called by every definition; does nothing when no bundle is being loaded. */
export function register(definition: Definition): void {
  if (loading === null) return;
  const other = loading.get(definition.fullName);
  if (other !== undefined) {
    throw new GodwitError(
      "already_exists",
      `Two tasks have the name "${definition.fullName}": one at ${place(other)}, the other at ${place(definition)}. Rename one, or put it into another environment.`,
    );
  }
  loading.set(definition.fullName, definition);
}

/** The tasks that are defined while `load` runs. One load at a time: modules do not say for whom they are evaluated. */
export function collectTasks(load: () => Promise<unknown>): Promise<Tasks> {
  const collected = lastLoad.then(async () => {
    const tasks = new Map<string, Definition>();
    loading = tasks;
    try {
      await load();
    } finally {
      loading = null;
    }
    return tasks;
  });
  lastLoad = collected.catch(() => undefined);
  return collected;
}

function place({ callSites }: Definition): string {
  const [site] = callSites;
  return site === undefined ? "an unknown place" : `${site.file}:${site.line}`;
}
