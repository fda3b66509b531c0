// A run: one execution of a task with given inputs. Its state follows from its root action.
import type { Action, Phase } from "./action.ts";
import type { NotificationRule } from "./notification.ts";
import type { BundleReference, TaskSpec } from "./task.ts";

/** What people file a run under: key → value. */
export type Labels = { readonly [key: string]: string };

/** What asked for a run. "unknown": nobody said. */
export type RunSource = "cli" | "web" | "schedule" | "artifact" | "webhook" | "spawn" | "tracked" | "unknown";

/** How two runs hang together: the one does again, goes on with, or was started by, the other. */
export type RunRelation = "rerun" | "recover" | "spawn" | "triggered" | "artifact";

/** Where a run comes from, and what was said with it. Settled when it is created. */
export type RunOrigin = {
  readonly source: RunSource;
  readonly trigger: { readonly name: string; readonly revision: number } | null;
  /** Of the task version that it executes; null if the task was not deployed. */
  readonly taskVersion: string | null;
  /** What its client calls the code of a task that was not deployed. Left out: nothing. */
  readonly codeVersion?: string;
  /** By which its client knows a call again that it repeats because the answer was lost. Left out: it has none. */
  readonly requestId?: string;
  /** Environment variables of all its attempts. */
  readonly env: { readonly [name: string]: string };
  /** The moment that it is about, for its tasks: of a scheduled run, the scheduled one. */
  readonly runStartAtMs: number;
  /** Another run of the same project and domain, by name. */
  readonly related: { readonly run: string; readonly type: RunRelation } | null;
  /** Names of actions that are run again, though the run that this one recovers has their results. */
  readonly rerunActions: readonly string[];
  /** What the root gets beside its inputs, and hands on to what it calls: Flyte's custom context. */
  readonly context: { readonly [key: string]: string };
  /** Where tasks of other SDKs put files that they make, if not in the storage. */
  readonly rawDataPrefix: string | null;
  /** The Flyte protocol's RunSpec as the client sent it, base64 of its bytes. */
  readonly message: string | null;
  /** Who is told of its end, besides those whom its project tells of all runs. Left out: nobody. */
  readonly notify?: readonly NotificationRule[];
};

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
  /** When its phase last changed. */
  readonly updatedAtMs: number;
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
  readonly labels: Labels;
  readonly origin: RunOrigin;
  /** Of the last change of this very row. Actions of the run have revisions of the same sequence. */
  readonly revision: number;
};

/** Number of actions in each phase; a phase without actions may be left out. */
export type PhaseCounts = { readonly [phase in Phase]?: number };

/** A run ends in the very commit that ends its root, and shows the root's phase until then. */
export const afterRoot = (run: Run, root: Action): Run =>
  run.phase === root.phase
    ? run
    : { ...run, phase: root.phase, endedAtMs: root.endedAtMs, updatedAtMs: changedAtMs(run, root) };

// A root that waits for its next attempt does not say since when.
const changedAtMs = (run: Run, root: Action): number =>
  Math.max(run.updatedAtMs, root.endedAtMs ?? root.attemptStartedAtMs ?? run.createdAtMs);

/** Of a run that somebody simply started. */
export const plainOrigin = (createdAtMs: number, source: RunSource = "cli"): RunOrigin => ({
  source,
  trigger: null,
  taskVersion: null,
  env: {},
  runStartAtMs: createdAtMs,
  related: null,
  rerunActions: [],
  context: {},
  rawDataPrefix: null,
  message: null,
});

/** The code that runs an action: of a deployed TypeScript task its own bundle, else the run's. */
export function codeOf(run: Pick<Run, "bundle" | "source">, { target }: Pick<TaskSpec, "target">): BundleReference {
  const own = target.type === "typescript" ? target.bundle : undefined;
  return own ?? { digest: run.bundle, projectDir: run.source.projectDir };
}
