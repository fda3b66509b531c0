// What a code bundle contains: loaded in a worker, because only running the user's modules tells.

import type { ModuleGraph } from "../core/code-graph.ts";
import { identify } from "../core/code-graph.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import type { Tasks } from "../sdk/registry.ts";

/** Every task's spec, with the identity of the code that it reaches. */
export function describeTasks(bundle: string, entry: string, tasks: Tasks, graph: ModuleGraph): Manifest {
  const sites = [...tasks.values()].map((definition) => definition.callSites);
  const specs = [...tasks.values()].map(
    (definition): TaskSpec => ({ ...definition.spec(), code: identify(graph, definition.callSites, sites) }),
  );
  const triggers = [...tasks.values()].flatMap((definition) => definition.triggers);
  return { bundle, entry, tasks: specs, ...(triggers.length === 0 ? {} : { triggers }) };
}
