// What a RunSpec says that its published message has no fields for.
import type { RunSpec } from "#idl/flyteidl2/task/run_pb.js";
import { GodwitError } from "../core/error.ts";
import type { RunOrigin, RunRelation } from "../core/run.ts";
import { newer, newerField, relationTypes } from "../idl/newer.ts";
import { msOfTimestamp } from "../idl/time-message.ts";

export type RunSpecExtras = {
  /** The run that this one does again, goes on with, or was started by. */
  readonly related: RunOrigin["related"];
  /** Not to be taken over from the run that is recovered, though they succeeded. */
  readonly rerunActions: readonly string[];
  readonly maxConcurrency: number | null;
  readonly runStartAtMs: number | null;
};

const relations: { readonly [type: number]: RunRelation } = {
  [relationTypes.rerun]: "rerun",
  [relationTypes.recover]: "recover",
  [relationTypes.spawn]: "spawn",
  [relationTypes.triggered]: "triggered",
  [relationTypes.onArtifact]: "artifact",
};

/** What is asked for and cannot be had is refused: to pass over it would put data where nobody looks for it. */
export function checkRunSpec(runSpec: RunSpec | undefined): void {
  const baseDir = newerField(runSpec, newer.runSpec.runBaseDir) ?? "";
  if (baseDir !== "")
    throw new GodwitError(
      "unimplemented",
      `A run's inputs and outputs lie in this server's storage, and not in ${baseDir}: leave out run_base_dir. Files that tasks make can go elsewhere (raw_data_path).`,
    );
  const isDebugged = runSpec?.envs?.values.some(({ key, value }) => debuggers.includes(key) && value !== "") ?? false;
  if (isDebugged)
    throw new GodwitError(
      "unimplemented",
      "This server starts no editor and no SSH server in a task (--debug): whoever reaches the machine could use it. Run the file with `flyte run --local` under a debugger.",
    );
}

/** Variables with which Flyte's SDK serves a debugger instead of running the task. */
const debuggers: readonly string[] = ["_F_E_VS", "_F_E_SSH"];

export function extrasOf(runSpec: RunSpec | undefined): RunSpecExtras {
  if (runSpec === undefined) return { related: null, rerunActions: [], maxConcurrency: null, runStartAtMs: null };
  const relation = newerField(runSpec, newer.runSpec.relation);
  const type = relations[relation?.relationType ?? 0];
  const startTime = newerField(runSpec, newer.runSpec.runStartTime);
  return {
    related: type === undefined || relation?.relatedTo === undefined ? null : { run: relation.relatedTo.name, type },
    rerunActions: newerField(runSpec, newer.runSpec.recover)?.forceRerunActions ?? [],
    maxConcurrency: newerField(runSpec, newer.runSpec.maxActionConcurrency) || null,
    runStartAtMs: startTime === undefined ? null : msOfTimestamp(startTime),
  };
}
