// Which tasks a caller means by their names: those of its own code, and deployed ones.
//
// R1  A task's siblings are those of the bundle that it runs from, and run from it too, whatever bundle the
//     run as a whole has.
// R2  A deployed task has to have the interface that the caller's code says: before it starts, not after.
// R3  What is found for a deployed task counts only where its call is new: a caller that runs again gets
//     what it called before.
import type { Action } from "../core/action.ts";
import { classOfCode, isGodwitError } from "../core/error.ts";
import { interfaceMismatch } from "../core/interface.ts";
import type { Call } from "../core/messages.ts";
import type { Run } from "../core/run.ts";
import type { BundleReference, TaskSpec } from "../core/task.ts";
import { specDigest } from "../core/task.ts";
import type { Documents, KnownTask, KnownTasks } from "../store/documents.ts";
import type { Parts } from "./parts.ts";
import { deployedTask } from "./task-versions.ts";

type TaskCall = Extract<Call, { readonly type: "task" }>;

/** `code`: a class of errors, for the caller's code. */
export type Refusal = { readonly code: string; readonly message: string };

export type Resolved = {
  readonly calls: readonly Call[];
  /** By name of the call. */
  readonly refusals: ReadonlyMap<string, Refusal>;
};

/** R1. */
export async function tasksFor(
  documents: Documents,
  run: Pick<Run, "bundle">,
  caller: Pick<Action, "type" | "spec" | "name">,
): Promise<KnownTasks> {
  const spec = await documents.taskSpec(caller);
  const own = spec?.target.type === "typescript" ? spec.target.bundle : undefined;
  const { tasks } = await documents.manifest(own?.digest ?? run.bundle);
  return own === undefined ? tasks : ofBundle(tasks, own);
}

const placed = new WeakMap<KnownTasks, KnownTasks>();

/** The run does not say where their code is, so they do. */
function ofBundle(tasks: KnownTasks, bundle: BundleReference): KnownTasks {
  const known = placed.get(tasks);
  if (known !== undefined) return known;
  const made = new Map([...tasks].map(([name, task]) => [name, inBundleOf(task, bundle)]));
  placed.set(tasks, made);
  return made;
}

function inBundleOf(task: KnownTask, bundle: BundleReference): KnownTask {
  if (task.spec.target.type !== "typescript" || task.spec.target.bundle !== undefined) return task;
  const spec: TaskSpec = { ...task.spec, target: { type: "typescript", bundle } };
  return { ...task, spec, digest: specDigest(spec), isElsewhere: true };
}

/** R2, R3: calls of deployed tasks with their specs. Those that cannot be made are in `refusals`. */
export async function withDeployed(parts: Parts, run: Run, calls: readonly Call[]): Promise<Resolved> {
  if (!calls.some((call) => call.type === "task" && call.deployed !== undefined)) return { calls, refusals: none };
  const refusals = new Map<string, Refusal>();
  const found = new Map<string, Promise<TaskSpec>>();
  const specOf = (call: TaskCall, version: string | null): Promise<TaskSpec> => {
    const key = `${version ?? ""} ${call.task}`;
    const finding = found.get(key) ?? deployedTask(parts, run, call.task, version).then(({ spec }) => spec);
    found.set(key, finding);
    return finding;
  };
  const resolved = await Promise.all(
    calls.map(async (call): Promise<Call> => {
      if (call.type !== "task" || call.deployed === undefined) return call;
      const { deployed, ...rest } = call;
      try {
        const spec = await specOf(call, deployed.version);
        const mismatch = interfaceMismatch(deployed.interface, spec.interface);
        if (mismatch === null) return { ...rest, spec };
        refusals.set(call.name, { code: "InterfaceMismatch", message: mismatchText(spec.name, mismatch) });
      } catch (error) {
        if (!isGodwitError(error)) throw error;
        refusals.set(call.name, { code: classOfCode(error.code), message: error.message });
      }
      return rest;
    }),
  );
  return { calls: resolved, refusals };
}

const none: ReadonlyMap<string, Refusal> = new Map();

const mismatchText = (task: string, mismatch: string): string =>
  `The deployed task ${task} has other types than remoteTask({ name: "${task}" }) says: ${mismatch}. Change the schema, or name the version that it was written for.`;
