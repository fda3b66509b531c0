// What the process of a container task's attempt is started with: its words and its variables, by the
// process contract of Flyte's protocol.
//
// R1  Environment: this process's without what would speak for another Flyte or for Godwit itself, over it
//     the image's, over it the task's, over it the run's, over it secrets, over it the protocol's own names.
// R2  In the words, tokens stand for the paths of the attempt (core/template.ts).
import { delimiter, dirname } from "node:path";
import { assert } from "../core/error.ts";
import type { Launch } from "../core/messages.ts";
import { absentPath, filledTemplate, type Tokens } from "../core/template.ts";
import type { AttemptPaths } from "../storage/storage.ts";

export type Variables = { readonly [name: string]: string };

/** Where the attempt finds what it reads and writes. */
export type CommandPaths = AttemptPaths & {
  readonly inputs: string;
  readonly runBase: string;
  /** Of an attempt before it, if one has made any. */
  readonly previousCheckpoint: string | null;
};

export type CommandOptions = {
  readonly paths: CommandPaths;
  /** The run's server, as `host:port`. */
  readonly endpoint: string;
  readonly cwd: string;
  /** Directory of the environment's programs, `a0` among them. */
  readonly bin: string;
  /** The image's own. */
  readonly imageEnv: Variables;
  readonly gpus: Variables;
  readonly secrets: Variables;
  /** Of inputs, for tokens that ask for them. */
  readonly texts: Variables;
};

/** R2. */
export function commandWords(launch: Launch, { paths, texts }: CommandOptions): readonly string[] {
  const { target } = launch.spec;
  assert(target.type === "container", `a ${target.type} task has no container`);
  const tokens = tokensOf(launch, paths);
  return [...target.command, ...target.args].map((word) => filledTemplate(word, tokens, texts));
}

/** Whether `texts` matter. */
export const asksForInputs = (words: readonly string[]): boolean =>
  words.some((word) => /\{\{\s*[.$]inputs\./i.test(word));

function tokensOf(launch: Launch, paths: CommandPaths): Tokens {
  const { runName, action, attempt, project, domain } = launch;
  return {
    input: paths.inputs,
    inputPrefix: dirname(paths.inputs),
    outputPrefix: paths.dir,
    rawOutputDataPrefix: launch.origin?.rawDataPrefix ?? paths.raw,
    checkpointOutputPrefix: paths.checkpoint,
    prevCheckpointPrefix: paths.previousCheckpoint ?? absentPath,
    runName,
    actionName: action,
    runStartTime: new Date(launch.origin?.runStartAtMs ?? 0).toISOString(),
    perRetryUniqueKey: `${runName}-${action}-${attempt}`,
    namespace: `${project}-${domain}`,
    executionProject: project,
    executionDomain: domain,
    executionOrg: organisation,
    executionName: runName,
    podName: `${runName}-${action}-${attempt - 1}`,
  };
}

/** The SDK insists on one; Godwit has none. */
const organisation = "local";

/** R1. */
export function commandVariables(launch: Launch, options: CommandOptions): Variables {
  const { spec, origin, resources, runName, action, attempt, project, domain } = launch;
  assert(spec.target.type === "container", `a ${spec.target.type} task has no container`);
  const { gpus, bin, cwd, paths, imageEnv } = options;
  const own = { ...spec.env, ...spec.target.env, ...origin?.env };
  const isGiven = (resources.gpus?.count ?? 0) > 0;
  return {
    ...inherited(process.env),
    ...imageEnv,
    VIRTUAL_ENV: dirname(bin),
    // What a task prints is told at once, and files may be written where there is no directory yet.
    PYTHONUNBUFFERED: "1",
    FSSPEC_FILE: '{"auto_mkdir": true}',
    ...(isGiven ? own : { ...gpus, ...own }),
    ...(isGiven ? gpus : {}),
    ...options.secrets,
    PATH: [bin, own.PATH ?? imageEnv.PATH ?? process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin"].join(delimiter),
    PWD: cwd,
    ACTION_NAME: action,
    RUN_NAME: runName,
    FLYTE_INTERNAL_EXECUTION_PROJECT: project,
    FLYTE_INTERNAL_EXECUTION_DOMAIN: domain,
    FLYTE_INTERNAL_EXECUTION_ID: runName,
    FLYTE_INTERNAL_TASK_PROJECT: project,
    FLYTE_INTERNAL_TASK_DOMAIN: domain,
    FLYTE_INTERNAL_TASK_NAME: spec.name,
    FLYTE_INTERNAL_TASK_VERSION: versionOf(spec.target.args),
    FLYTE_ATTEMPT_NUMBER: String(attempt - 1),
    _U_RUN_BASE: paths.runBase,
    _U_ORG_NAME: organisation,
    _U_EP_OVERRIDE: options.endpoint,
    _U_INSECURE: "true",
    _U_USE_ACTIONS: "1",
  };
}

/** Of one attempt alone; the others are the same for all attempts of a task in one run, and mostly in all runs. */
export const ownVariables = (options: CommandOptions): ReadonlySet<string> =>
  new Set([...attemptNames, ...Object.keys(options.gpus), ...Object.keys(options.secrets)]);

const attemptNames = [
  "PWD",
  "ACTION_NAME",
  "RUN_NAME",
  "FLYTE_INTERNAL_EXECUTION_ID",
  "FLYTE_INTERNAL_EXECUTION_PROJECT",
  "FLYTE_INTERNAL_EXECUTION_DOMAIN",
  "FLYTE_INTERNAL_TASK_PROJECT",
  "FLYTE_INTERNAL_TASK_DOMAIN",
  "FLYTE_INTERNAL_TASK_NAME",
  "FLYTE_INTERNAL_TASK_VERSION",
  "FLYTE_ATTEMPT_NUMBER",
  "_U_RUN_BASE",
  "TRACEPARENT",
];

/** Configuration of another Flyte, and of this Godwit; what Node and another Python were told. */
const foreign =
  /^(FLYTE(?!_AWS_)|FLYTECTL_|UCTL_|UNION_|_UNION_|EAGER_API_KEY$|_U_|_F_|GODWIT_|NODE_|npm_|PYTHON|VIRTUAL_ENV$|CONDA_|ACTION_NAME$|RUN_NAME$)/;

function inherited(env: NodeJS.ProcessEnv): Variables {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && !foreign.test(name)) kept[name] = value;
  return kept;
}

function versionOf(args: readonly string[]): string {
  const at = args.indexOf("--version");
  return at < 0 ? "" : (args[at + 1] ?? "");
}
