// From a committed attempt to one that runs: what a worker needs, handed to the executor.
import type { Action } from "../core/action.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Checkpoint, Launch, LaunchOrigin } from "../core/messages.ts";
import { effectiveResources } from "../core/resources.ts";
import { codeOf, type Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor } from "../executor/executor.ts";
import { ancestors } from "../store/lineage.ts";
import { attemptOf, type EngineParts } from "./parts.ts";

export type Starting = {
  readonly action: Action;
  readonly run: Run;
  readonly spec: TaskSpec;
  readonly executor: Executor;
};

export async function launch(parts: EngineParts, starting: readonly Starting[]): Promise<void> {
  if (starting.length === 0) return;
  const checkpoints = await checkpointsOf(parts, starting);
  const launches = new Map<Executor, Launch[]>();
  for (const each of starting) {
    const made = launchOf(each, checkpoints.get(keyOf(each.action)) ?? null);
    const list = launches.get(each.executor);
    if (list === undefined) launches.set(each.executor, [made]);
    else list.push(made);
  }
  for (const [executor, list] of launches) executor.ensureLaunched(list);
  for (const { action, spec } of starting)
    if (spec.target.type === "container") parts.parents.follow(attemptOf(action));
}

const launchOf = (starting: Starting, checkpoint: Checkpoint | null): Launch => {
  const { action, run, spec } = starting;
  const { digest: bundle, projectDir } = codeOf(run, spec);
  return {
    run: run.id,
    runName: run.name,
    project: run.project,
    domain: run.domain,
    action: action.name,
    attempt: action.attempt,
    depth: action.depth,
    isRecovery: run.recovers !== null,
    bundle,
    projectDir,
    spec,
    resources: effectiveResources(spec, action.oomFailures),
    inputs: action.inputs,
    seed: seedOf(action.name),
    checkpoint,
    origin: originOf(run),
  };
};

/** From the name alone, which is the same in every attempt and for the same call in another run. */
export const seedOf = (name: string): number => Number.parseInt(sha256Hex(name).slice(0, 8), 16);

const keyOf = ({ run, name }: { readonly run: number; readonly name: string }): string => `${run}/${name}`;

/** The last checkpoint of each; if it has made none, that of the run that its run recovers. */
async function checkpointsOf(
  parts: EngineParts,
  starting: readonly Starting[],
): Promise<ReadonlyMap<string, Checkpoint>> {
  const found = new Map<string, Checkpoint>();
  const retried = starting.filter(({ action }) => action.attempt > 1).map(({ action }) => action);
  const own = retried.length === 0 ? [] : await parts.store.attachments(retried, "checkpoint");
  for (const { run, name, text } of own) found.set(keyOf({ run, name }), JSON.parse(text) as Checkpoint);
  const recovering = new Map(starting.flatMap(({ run }) => (run.recovers === null ? [] : [[run.id, run] as const])));
  for (const run of recovering.values()) {
    const missing = starting.flatMap(({ action }) =>
      action.run === run.id && !found.has(keyOf(action)) ? [action.name] : [],
    );
    for (const [name, checkpoint] of await recoveredCheckpoints(parts, run, missing))
      found.set(keyOf({ run: run.id, name }), checkpoint);
  }
  return found;
}

async function recoveredCheckpoints(
  parts: EngineParts,
  run: Run,
  names: readonly string[],
): Promise<ReadonlyMap<string, Checkpoint>> {
  const found = new Map<string, Checkpoint>();
  let missing = names;
  if (missing.length === 0) return found;
  for await (const ancestor of ancestors(parts.store, run)) {
    const keys = missing.map((name) => ({ run: ancestor.run, name }));
    for (const { name, text } of await parts.store.attachments(keys, "checkpoint"))
      found.set(name, JSON.parse(text) as Checkpoint);
    missing = missing.filter((name) => !found.has(name));
    if (missing.length === 0) break;
  }
  return found;
}

const originOf = ({ origin: { env, runStartAtMs, context, rawDataPrefix } }: Run): LaunchOrigin => ({
  env,
  runStartAtMs,
  context,
  rawDataPrefix,
});
