// The words in which control is asked and answers.
import type { Action, ActionError, ActionType, Phase } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import type { CacheEntry, PartDifference } from "../core/cache.ts";
import type { EngineStatus } from "../core/engine-status.ts";
import type { ConditionSpec, LogLine } from "../core/messages.ts";
import type { Labels, PhaseCounts, Run, RunOrigin } from "../core/run.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { RunFilter } from "../store/store.ts";

/** Who asks, and in which project and domain. */
export type Scope = { readonly project: string; readonly domain: string; readonly caller: string };

export type NewRun = {
  /** Null: a name is made up. */
  readonly name: string | null;
  readonly manifest: Manifest;
  /** Full name of a task in the manifest. */
  readonly task: string;
  readonly inputs: Literals;
  readonly source: Run["source"];
  readonly overwriteCache: boolean;
  /** Left out: as the task says, else 0. */
  readonly priority?: number;
  /** Attempts that may be active at once. Left out or null: as the operator says. */
  readonly maxConcurrency?: number | null;
  /** Name of the run whose results may be reused. */
  readonly recovers: string | null;
  readonly labels?: Labels;
  /** What is left out is as if somebody had simply started it. */
  readonly origin?: Partial<RunOrigin>;
};

/** `token` is null when there is no further page. */
export type Page<T> = { readonly items: readonly T[]; readonly token: string | null };

export type RunView = Run & { readonly counts: PhaseCounts };

/** A page may have fewer runs than were asked for, or none, and yet a token: what no index finds is looked for by parts. */
export type RunListing = Omit<RunFilter, "project" | "domain" | "after"> & {
  readonly limit: number;
  readonly token: string | null;
};

/** People name an action by its name, the beginning of it, or its label; programs by its name alone. */
export type WantedAction = string | { readonly name: string };

export type ActionListing = {
  readonly parent?: string;
  readonly type?: ActionType;
  readonly phases?: readonly Phase[];
  /** Of creation. The oldest first, if left out. */
  readonly order?: "oldest" | "newest";
  readonly limit: number;
  readonly token: string | null;
};

/** With what it calls: a task's spec, a condition's, or neither. */
export type DescribedAction = Pick<ActionView, "action" | "spec" | "condition">;

export type Progress = { readonly fraction: number | null; readonly message: string | null; readonly atMs: number };

export type ActionView = {
  readonly action: Action;
  /** Null for traces and conditions. */
  readonly spec: TaskSpec | null;
  /** Those that were followed by another; the last one is in `action`. */
  readonly attempts: readonly AttemptRecord[];
  readonly progress: Progress | null;
  /** What it waits for; null for tasks and traces. */
  readonly condition: ConditionSpec | null;
  /** Digest of the blob with the HTML; of the action that did the work, where its result was taken over. */
  readonly report: string | null;
  readonly checkpointSizeBytes: number | null;
};

/** Why an action was taken from the cache or not, in terms of the nearest entry. */
export type CacheExplanation = {
  readonly action: Action;
  readonly status: "hit" | "miss" | "overwritten" | "recovered" | "unkeyed" | "undecided";
  /** A sentence for people. */
  readonly summary: string;
  /** The entry it took, or else the one of the same task with the fewest differences. */
  readonly nearest: CacheEntry | null;
  readonly differences: readonly PartDifference[];
};

/** A process that serves runs of this data directory, or did when it ended without a word. */
export type EngineView = {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly startedAtMs: number;
  readonly isLive: boolean;
  /** Null: it has not said anything yet. */
  readonly status: EngineStatus | null;
  /** Names of the runs of this project and domain that it serves. */
  readonly runs: readonly string[];
};

/** What a parent calls that speaks a protocol of another SDK: under a name that it chose. */
export type Enqueued =
  | {
      readonly type: "task";
      readonly name: string;
      readonly spec: TaskSpec;
      readonly inputs: Literals;
      readonly group: string | null;
    }
  /** A step inside the parent that has ended. */
  | {
      readonly type: "trace";
      readonly name: string;
      readonly label: string;
      readonly startedAtMs: number;
      readonly endedAtMs: number;
      readonly outputs: Literals | null;
      readonly error: ActionError | null;
    }
  | { readonly type: "condition"; readonly name: string; readonly condition: ConditionSpec };

/** What changed since the last one; a first one with everything comes at once. */
export type RunUpdate = { readonly run: RunView; readonly actions: readonly Action[] };

/** Of the children of an action. `listed`: all that there were at first have been told. */
export type ChildrenUpdate =
  | { readonly type: "actions"; readonly actions: readonly Action[] }
  | { readonly type: "listed" };

/** Of runs. `listed`: the newest of those that there were at first have been told. */
export type RunsUpdate = { readonly type: "runs"; readonly runs: readonly RunView[] } | { readonly type: "listed" };

export type LogRead = { readonly attempt: number; readonly line: LogLine };
