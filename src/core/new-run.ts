// The rows of a run that begins: its own, and that of its root, queued. Whoever starts runs, people or
// schedules, makes them here, so that all runs begin alike.
import { type Action, queuedAction } from "./action.ts";
import { cacheKey, hashInputs } from "./cache.ts";
import { rootName, taskIdentity } from "./names.ts";
import { laneOf } from "./resources.ts";
import { type Labels, plainOrigin, type Run, type RunOrigin } from "./run.ts";
import { interfaceHash, specDigest, type TaskSpec } from "./task.ts";
import { hashLiterals, type Literals, type Payload } from "./value.ts";

/** What is settled of a run before it begins; the rest follows from its task. */
export type RunPlan = Pick<
  Run,
  | "id"
  | "project"
  | "domain"
  | "name"
  | "bundle"
  | "source"
  | "caller"
  | "recovers"
  | "overwriteCache"
  | "maxConcurrency"
> & {
  readonly spec: TaskSpec;
  /** The same inputs twice: as values, and as they are stored. */
  readonly literals: Literals;
  readonly inputs: Payload;
  /** Null: as the task says, else 0. */
  readonly priority: number | null;
  readonly labels?: Labels;
  /** What is left out is as if somebody had simply started it. */
  readonly origin?: Partial<RunOrigin>;
};

export function newRun(plan: RunPlan, nowMs: number): { readonly run: Run; readonly root: Action } {
  const { spec, literals, inputs, labels = {}, origin, ...settled } = plan;
  const priority = plan.priority ?? spec.priority ?? 0;
  const run: Run = {
    ...settled,
    task: spec.name,
    phase: "queued",
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    endedAtMs: null,
    owner: null,
    abortReason: null,
    priority,
    labels,
    origin: { ...plainOrigin(nowMs), ...origin },
    revision: 0,
  };
  const root = queuedAction(
    {
      run: run.id,
      name: rootName,
      parent: null,
      depth: 0,
      type: "task",
      label: spec.shortName,
      group: null,
      identity: taskIdentity(spec.name, interfaceHash(spec.interface)),
      spec: specDigest(spec),
      inputs,
      inputsHash: hashLiterals(literals),
      cacheKey: spec.cache.type === "off" ? null : cacheKey(plan, spec, hashInputs(literals)),
      priority,
      lane: laneOf(spec),
    },
    spec.timeouts,
    nowMs,
  );
  return { run, root };
}

/** How runs of one task begin that nobody is there to ask for: what is deployed with a trigger. */
export type Launch = Pick<Run, "bundle" | "source" | "overwriteCache" | "maxConcurrency" | "labels"> & {
  readonly origin: Pick<RunOrigin, "taskVersion" | "env" | "message" | "notify">;
  /** Digest of its TaskSpec, which is kept as a document. */
  readonly spec: string;
  /** Null: as the task says, else 0. */
  readonly priority: number | null;
};

/** 48 bits, of six random bytes: what SQLite and JavaScript both keep exactly. */
export const runId = (randomBytes: Uint8Array): number =>
  randomBytes.subarray(0, 6).reduce((id, byte) => id * 256 + byte, 0);
