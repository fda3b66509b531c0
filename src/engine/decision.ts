// What one round of the engine has decided about one queued action, before it is committed.
import type { Action, ActionEvent } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor } from "../executor/executor.ts";
import type { Change } from "../store/store.ts";
import type { LaneQueue } from "./lane-queue.ts";

export type Decision = {
  readonly lane: LaneQueue;
  readonly action: Action;
  readonly spec: TaskSpec;
  readonly run: Run;
  readonly event: ActionEvent;
  readonly more: readonly Change[];
  /** Where it was admitted; null if it needs no place. */
  readonly executor: Executor | null;
};
