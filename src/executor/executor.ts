// What makes attempts happen somewhere. Executors are asked, not trusted: everything is said by
// attempt and may be said again, and what they report is only a claim until it is committed.
import type { AttemptRef, Launch, LogLine, Outcome } from "../core/messages.ts";
import type { Resources, WaitReason } from "../core/resources.ts";
import type { TaskSpec } from "../core/task.ts";

export interface Executor {
  /** Which specs it can run. */
  accepts(launch: Pick<Launch, "spec">): boolean;
  /**
   * Sets aside what the attempt needs to start, before it is committed as running. Null: done, and held
   * until the attempt has ended, is stopped or is given back. Else why it has to wait; `wake` tells when
   * to ask again. An attempt that has its share, or is having it set aside, is refused: it is somebody
   * else's to start, and to give back. `kept` is to be left free for somebody who has waited for long.
   */
  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null;
  /** Gives back what was set aside for attempts that are not launched after all. */
  release(attempts: readonly AttemptRef[]): void;
  /** Makes sure that these run; those that it has already are left alone. */
  ensureLaunched(launches: readonly Launch[]): void;
  /** Outcomes not handed out yet, at most `limit`. After this, the executor has forgotten them. */
  takeOutcomes(limit: number): readonly Outcome[];
  /** Attempts that it still runs or has outcomes of. */
  running(): readonly AttemptRef[];
  /** Tells the task to stop, and ends it by force after the grace period. No outcome follows. */
  stop(attempts: readonly AttemptRef[], reason: string): void;
  /** `wake` is called when there may be outcomes, or room for what was refused. */
  start(wake: () => void): void;
  /** Ends everything that it runs, and resolves when no process is left. */
  close(): Promise<void>;
}

/** An attempt that the engine would like to start. */
export type Wanted = AttemptRef & {
  readonly project: string;
  readonly spec: TaskSpec;
  readonly resources: Resources;
  /** Attempts of its run that may be active at once. */
  readonly maxConcurrency: number | null;
};

/** What has to stay free, and for which action. */
export type Kept = { readonly resources: Resources; readonly action: string };

/** Where executors put what tasks print. Bounded inside; never throws into the executor. */
export interface LogSink {
  append(attempt: AttemptRef, lines: readonly LogLine[]): void;
}

/** From asking a task to stop to killing its process. */
export const stopGraceMs = 5_000;
