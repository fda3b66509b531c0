// Tasks become known by being defined. While a code bundle loads, each definition is noted for it.
import { GodwitError } from "../core/error.ts";
import type { Definition } from "./definition.ts";

/** Tasks by full name. */
export type Tasks = ReadonlyMap<string, Definition>;

let loading: Map<string, Definition> | null = null;
let lastLoad: Promise<unknown> = Promise.resolve();
/** Defined in this process without a bundle: by a unit test, or a script. */
const unbundled = new Map<string, Definition>();

/** Called by every definition. */
export function register(definition: Definition): void {
  if (loading === null) {
    // Test files may define tasks of one name one after the other: the last is the one in force.
    unbundled.set(definition.fullName, definition);
    return;
  }
  const other = loading.get(definition.fullName);
  if (other !== undefined) {
    throw new GodwitError(
      "already_exists",
      `Two tasks have the name "${definition.fullName}": one at ${place(other)}, the other at ${place(definition)}. Rename one, or put it into another environment.`,
    );
  }
  loading.set(definition.fullName, definition);
}

/** Tasks of this process that came from no bundle: what the engine of "godwit/testing" runs. */
export const unbundledTasks = (): Tasks => unbundled;

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
