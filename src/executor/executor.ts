// What makes attempts happen somewhere. Executors are asked, not trusted: everything is said by
// attempt and may be said again, and what they report is only a claim until it is committed.
import type { AttemptRef, Launch, LogLine, Outcome } from "../core/messages.ts";

export interface Executor {
  /** Which specs it can run. */
  accepts(launch: Pick<Launch, "spec">): boolean;
  /** How many more attempts it would start now. The engine claims no more than this. */
  free(): number;
  /** Makes sure that these run; those that it has already are left alone. */
  ensureLaunched(launches: readonly Launch[]): void;
  /** Outcomes not handed out yet, at most `limit`. After this, the executor has forgotten them. */
  takeOutcomes(limit: number): readonly Outcome[];
  /** Attempts that it still runs or has outcomes of. */
  running(): readonly AttemptRef[];
  /** Tells the task to stop, and ends it by force after the grace period. No outcome follows. */
  stop(attempts: readonly AttemptRef[], reason: string): void;
  /** `wake` is called when there may be outcomes or free places. */
  start(wake: () => void): void;
  /** Ends everything that it runs, and resolves when no process is left. */
  close(): Promise<void>;
}

/** Where executors put what tasks print. Bounded inside; never throws into the executor. */
export interface LogSink {
  append(attempt: AttemptRef, lines: readonly LogLine[]): void;
}

/** From asking a task to stop to killing its process. */
export const stopGraceMs = 5_000;
