// Commands and reads: authorises, decides through core, commits, reads, watches. Commands are
// idempotent; all errors are GodwitErrors in the user's words. It never moves work forward: the engine
// does, and the two meet in the store alone.
import type { Action, ActionError } from "../core/action.ts";
import type { CacheEntry } from "../core/cache.ts";
import type { TaskCalls } from "../core/messages.ts";
import type { PhaseCounts, Run } from "../core/run.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import type { Literals, Payload } from "../core/value.ts";
import type { Wait } from "../core/wait.ts";
import { abortAction, describe, failure, getAction, listActions, signal } from "./actions.ts";
import type {
  ActionListing,
  ActionView,
  CacheExplanation,
  ChildrenUpdate,
  DescribedAction,
  EngineView,
  Enqueued,
  LogRead,
  NewRun,
  Page,
  RunListing,
  RunsUpdate,
  RunUpdate,
  RunView,
  Scope,
  WantedAction,
} from "./answers.ts";
import { type Automation, automationOf } from "./automation.ts";
import { explain, listCache, removeCache } from "./cache.ts";
import { type CachedOutputs, openCachedOutputs } from "./cached-outputs.ts";
import { abortCalls, attach, call } from "./calls.ts";
import { watchAction, watchChildren } from "./children.ts";
import { enqueue } from "./enqueue.ts";
import { readLogs } from "./logs.ts";
import { type ControlOptions, partsOf } from "./parts.ts";
import { openProjects, type Projects } from "./projects.ts";
import { listReports } from "./reports.ts";
import { RunFeeds } from "./run-feed.ts";
import { type WantedRuns, watchRuns } from "./run-watch.ts";
import { abortRun, createRun, getRun, listRuns, rootsOf, withCounts } from "./runs.ts";
import { openSecrets, type Secrets } from "./secrets.ts";
import { openSettings, type Settings } from "./settings.ts";
import { openTasks, type Tasks } from "./task-versions.ts";
import { engines, waitReasons } from "./waits.ts";
import { CallFeeds, watchRun } from "./watch.ts";

export type {
  ActionListing,
  ActionView,
  CacheExplanation,
  ChildrenUpdate,
  DescribedAction,
  EngineView,
  Enqueued,
  LogRead,
  NewRun,
  Page,
  Progress,
  RunListing,
  RunsUpdate,
  RunUpdate,
  RunView,
  Scope,
  WantedAction,
} from "./answers.ts";
export type {
  BackfillPreview,
  NewBackfill,
  NewTrigger,
  Tick,
  TriggerListing,
  TriggerName,
} from "./automation.ts";
export type { CachedOutput, CachedOutputs, HeldKey, Overwrite } from "./cached-outputs.ts";
export type { Starter } from "./parts.ts";
export { domains, type NewProject, type Project, type ProjectListing, type Projects } from "./projects.ts";
export type { Paging } from "./records.ts";
export type { NewSecret, Secret, Secrets, SecretType } from "./secrets.ts";
export type { Settings, SettingsKey, SettingsLevel } from "./settings.ts";
export type { Deployed, DeployedTask, Deployment, TaskListing, Tasks, TaskVersion } from "./task-versions.ts";

export interface Control extends TaskCalls, Automation {
  readonly projects: Projects;
  readonly tasks: Tasks;
  readonly secrets: Secrets;
  readonly settings: Settings;
  readonly cachedOutputs: CachedOutputs;

  /** With a name that exists: the run that has it, if task and inputs are the same; else `already_exists`. */
  createRun(scope: Scope, run: NewRun): Promise<{ readonly run: Run; readonly created: boolean }>;
  getRun(scope: Scope, name: string): Promise<RunView>;
  listRuns(scope: Scope, listing: RunListing): Promise<Page<RunView>>;
  /** Ends when the run has ended and everything was told. Pages of at most 1,000 actions, in the order of their last change. */
  watchRun(scope: Scope, name: string, signal: AbortSignal): AsyncIterable<RunUpdate>;
  /** The newest runs (1,000 at most), `listed`, then each that begins or changes its phase, until `signal` aborts. */
  watchRuns(scope: Scope, wanted: WantedRuns, signal: AbortSignal): AsyncIterable<RunsUpdate>;
  /** Does nothing to a run that has ended. */
  abortRun(scope: Scope, name: string, reason: string): Promise<Run>;

  listActions(scope: Scope, run: string, listing: ActionListing): Promise<Page<Action>>;
  /** `action` is a name, the beginning of one that is not ambiguous, or the label of the only action with it. */
  getAction(scope: Scope, run: string, action: WantedAction): Promise<ActionView>;
  /** With what each of them calls, in their order. */
  describe(actions: readonly Action[]): Promise<readonly DescribedAction[]>;
  /** How many children each of these actions has in each phase, by name. */
  childCounts(run: Run, actions: readonly string[]): Promise<ReadonlyMap<string, PhaseCounts>>;
  /** The roots of these runs, in their order. */
  roots(runs: readonly Run[]): Promise<readonly DescribedAction[]>;
  /** Those that have a report, the root first; of a large run not more than its first 1,000 tasks are looked at. */
  listReports(scope: Scope, run: string): Promise<readonly Action[]>;
  /** Makes a call on behalf of the parent's current attempt. `aborted` if the parent has ended. */
  enqueue(scope: Scope, run: string, parent: string, call: Enqueued): Promise<Action>;
  /** The action at once, and again after each change until it has ended; `action` as in `getAction`. */
  watchAction(scope: Scope, run: string, action: WantedAction, signal: AbortSignal): AsyncIterable<ActionView>;
  /** Of the action with that name, made or not: all its children in pages, `listed`, then what changes, until `signal` aborts. */
  watchChildren(scope: Scope, run: string, action: string, signal: AbortSignal): AsyncIterable<ChildrenUpdate>;
  abortAction(scope: Scope, run: string, action: WantedAction, reason: string): Promise<Action>;
  /** `condition` as `action` above. `value` is JSON and has to be of the condition's type. */
  signal(scope: Scope, run: string, condition: WantedAction, value: unknown): Promise<Action>;
  explain(scope: Scope, run: string, action: string): Promise<CacheExplanation>;
  /** Of one attempt (default: the last), or of all (`attempt: "all"`). With `follow`, until it ends. */
  logs(
    scope: Scope,
    run: string,
    action: WantedAction,
    options: { readonly attempt?: number | "all"; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogRead>;

  /** Why these actions (10,000 at most) do not go on, by name; those that do, or have ended, are left out. */
  waitReasons(
    scope: Scope,
    run: string,
    actions: readonly { readonly name: string }[],
  ): Promise<ReadonlyMap<string, Wait>>;
  /** The processes that serve runs of this data directory. */
  engines(scope: Scope): Promise<readonly EngineView[]>;

  /** Why the run failed: the error of its root, with the action where it began. Null unless it failed. */
  failure(scope: Scope, run: string): Promise<{ readonly error: ActionError; readonly action: Action } | null>;
  literals(payload: Payload): Promise<Literals>;
  manifest(bundle: string): Promise<Manifest>;
  /** By its digest; null if no task has it. */
  specOf(digest: string): Promise<TaskSpec | null>;

  listCache(scope: Scope, task: string | null, limit: number): Promise<readonly CacheEntry[]>;
  /** By key (or its beginning), by task name, or all. Returns how many went. */
  removeCache(
    scope: Scope,
    which: { readonly key?: string; readonly task?: string; readonly all?: true },
  ): Promise<number>;
}

export function openControl(options: ControlOptions): Control {
  const parts = partsOf(options);
  const feeds = new RunFeeds(parts);
  const callFeeds = new CallFeeds(parts, feeds);
  const projects = openProjects(parts);
  return {
    projects,
    tasks: openTasks(parts, projects),
    secrets: openSecrets(parts, projects),
    settings: openSettings(parts, projects),
    cachedOutputs: openCachedOutputs(parts, projects),
    ...automationOf(parts),
    createRun: (scope, run) => createRun(parts, scope, run),
    getRun: async (scope, name) => withCounts(parts, await getRun(parts, scope, name)),
    listRuns: (scope, listing) => listRuns(parts, scope, listing),
    watchRun: (scope, name, signal) => watchRun(parts, scope, name, signal),
    watchRuns: (scope, wanted, signal) => watchRuns(parts, scope, wanted, signal),
    abortRun: (scope, name, reason) => abortRun(parts, scope, name, reason),
    listActions: (scope, run, listing) => listActions(parts, scope, run, listing),
    getAction: (scope, run, action) => getAction(parts, scope, run, action),
    describe: (actions) => describe(parts, actions),
    childCounts: async (run, actions) =>
      new Map(await Promise.all(actions.map(async (name) => [name, await parts.store.counts(run.id, name)] as const))),
    roots: async (runs) => describe(parts, await rootsOf(parts, runs)),
    listReports: (scope, run) => listReports(parts, scope, run),
    enqueue: (scope, run, parent, enqueued) => enqueue(parts, scope, { run, parent }, enqueued),
    watchAction: (scope, run, action, signal) => watchAction(parts, feeds, scope, { run, action, signal }),
    watchChildren: (scope, run, action, signal) => watchChildren(parts, feeds, scope, { run, action, signal }),
    abortAction: (scope, run, action, reason) => abortAction(parts, scope, run, action, reason),
    signal: (scope, run, condition, value) => signal(parts, scope, run, condition, value),
    explain: (scope, run, action) => explain(parts, scope, run, action),
    logs: (scope, run, action, logOptions) => readLogs(parts, scope, { run, action }, logOptions),
    waitReasons: (scope, run, actions) => waitReasons(parts, scope, run, actions),
    engines: (scope) => engines(parts, scope),
    failure: (scope, run) => failure(parts, scope, run),
    literals: (payload) => parts.literals(payload),
    specOf: async (digest) => {
      const found = (await parts.documents.specs([digest])).get(digest);
      return found !== undefined && "target" in found ? found : null;
    },
    manifest: async (bundle) => (await parts.documents.manifest(bundle)).manifest,
    listCache: (scope, task, limit) => listCache(parts, scope, task, limit),
    removeCache: (scope, which) => removeCache(parts, scope, which),
    call: (caller, calls) => call(parts, caller, calls),
    follow: (caller, signal) => callFeeds.follow(caller, signal),
    attach: (caller, attached) => attach(parts, caller, attached),
    abortCalls: (caller, names, reason) => abortCalls(parts, caller, names, reason),
  };
}
