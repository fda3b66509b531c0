// A run: one execution of a task with given inputs. Its state follows from its root action.
import type { Action, Phase } from "./action.ts";

export type Run = {
  /** Random and unique; what rows of the run refer to. */
  readonly id: number;
  readonly project: string;
  readonly domain: string;
  /** Unique in its project and domain. */
  readonly name: string;
  /** Full name of the root's task. */
  readonly task: string;
  /** Digest of the code bundle that every attempt of this run uses. */
  readonly bundle: string;
  /** The file the task came from and the directory its packages are found in, both absolute. */
  readonly source: { readonly file: string; readonly projectDir: string };
  readonly phase: Phase;
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  /** Who asked for it. */
  readonly caller: string;
  /** The engine that serves this run, whether or not it still lives. */
  readonly owner: string | null;
  /** Set once an abort was asked for. */
  readonly abortReason: string | null;
  /** The run whose results this one may reuse, by action name. */
  readonly recovers: { readonly run: number; readonly name: string } | null;
  /** Do not read the cache; replace what it holds. */
  readonly overwriteCache: boolean;
  /** Of its actions, unless their task says otherwise: higher goes first within a project. */
  readonly priority: number;
  /** Attempts that may be active at once. Null: as the operator says. */
  readonly maxConcurrency: number | null;
  /** Of the last change of this very row. Actions of the run have revisions of the same sequence. */
  readonly revision: number;
};

/** Number of actions in each phase; a phase without actions may be left out. */
export type PhaseCounts = { readonly [phase in Phase]?: number };

/** A run ends in the very commit that ends its root, and shows the root's phase until then. */
export const afterRoot = (run: Run, root: Action): Run =>
  run.phase === root.phase ? run : { ...run, phase: root.phase, endedAtMs: root.endedAtMs };
