// The program of a worker: tasks of code bundles, loaded when they are first asked for.
import { relative } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { Literals } from "../core/value.ts";
import { collectTasks, type Tasks } from "../sdk/registry.ts";
import { checkInputs, runAttempt } from "./attempt.ts";
import type { CodeLoader, LoadedCode } from "./code.ts";
import { describeTasks } from "./describe.ts";
import type { Program } from "./worker.ts";

type Loaded = { readonly code: LoadedCode; readonly tasks: Tasks };

export function program(
  loader: CodeLoader,
  blobs: BlobStore,
  imported?: (literals: Literals) => Promise<Literals>,
): Program {
  const values = { blobs, ...(imported === undefined ? {} : { imported }) };
  /** By bundle and project: asked at each attempt, so without making a key of the two. */
  const known = new Map<string, Map<string, Loaded | Promise<Loaded>>>();
  /** Definitions announce themselves only when their modules are evaluated, which happens once. */
  const load = (bundle: string, projectDir: string): Loaded | Promise<Loaded> => {
    const projects = known.get(bundle) ?? new Map<string, Loaded | Promise<Loaded>>();
    known.set(bundle, projects);
    const earlier = projects.get(projectDir);
    if (earlier !== undefined) return earlier;
    const loading = loadTasks(loader, bundle, projectDir);
    projects.set(projectDir, loading);
    loading.then(
      (loaded) => projects.set(projectDir, loaded),
      () => projects.delete(projectDir),
    );
    return loading;
  };
  const tasksOf = (bundle: string, projectDir: string): Tasks | Promise<Tasks> => {
    const loaded = load(bundle, projectDir);
    return loaded instanceof Promise ? loaded.then(({ tasks }) => tasks) : loaded.tasks;
  };
  return {
    runAttempt: (launch, host, stopping) => runAttempt(launch, { ...host, ...values, load: tasksOf }, stopping),
    async describe(bundle, projectDir) {
      const { code, tasks } = await load(bundle, projectDir);
      return describeTasks(bundle, firstFile(tasks, code.graph.projectDir), tasks, code.graph);
    },
    async check(bundle, projectDir, task, inputs: Literals) {
      const tasks = await tasksOf(bundle, projectDir);
      const definition = tasks.get(task);
      if (definition === undefined) {
        throw new GodwitError("not_found", `There is no task "${task}".${didYouMean(task, tasks.keys())}`);
      }
      return checkInputs(definition, { type: "inline", text: JSON.stringify(inputs) }, blobs);
    },
  };
}

async function loadTasks(loader: CodeLoader, bundle: string, projectDir: string): Promise<Loaded> {
  let code: LoadedCode | undefined;
  const tasks = await collectTasks(async () => {
    code = await loader.load(bundle, projectDir);
  });
  if (code === undefined) throw new GodwitError("internal", "A code bundle was loaded without a result.");
  return { code, tasks };
}

/** Whoever made the bundle knows which file the user named; here it is only for messages. */
function firstFile(tasks: Tasks, projectDir: string): string {
  for (const { callSites } of tasks.values()) {
    const [site] = callSites;
    if (site !== undefined) return relative(projectDir, site.file);
  }
  return "the code bundle";
}
