// The door of the client: what may be asked of a server, in domain words. It speaks Flyte's protocol, so that it
// works against any server that does; code goes with the task (uploads.ts), not by calls of our own.
import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { RunIdentifierSchema } from "#idl/flyteidl2/common/identifier_pb.js";
import { Filter_Function, ListRequestSchema } from "#idl/flyteidl2/common/list_pb.js";
import { InputsSchema } from "#idl/flyteidl2/task/common_pb.js";
import { type RunSpec, RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import type { TaskSpec as TaskSpecMessage } from "#idl/flyteidl2/task/task_definition_pb.js";
import { type CreateRunRequest, CreateRunRequestSchema } from "#idl/flyteidl2/workflow/run_service_pb.js";
import { packArchive } from "../blob/archive.ts";
import type { BlobStore } from "../blob/blob.ts";
import type { DefinedTrigger } from "../core/automation.ts";
import { inBundle } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { checkRunName, newRunName, rootName } from "../core/names.ts";
import type { NotificationRule } from "../core/notification.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import { newer, RecoverSchema, RelationSchema, relationTypes, setNewerField } from "../idl/newer.ts";
import { rulesMessage } from "../idl/notification-message.ts";
import { inputsMessage } from "../idl/task-files.ts";
import { taskSpecMessage, taskSpecOf } from "../idl/task-spec-message.ts";
import { withUploadedBundle } from "../idl/uploaded-bundle.ts";
import type { CodeBundle } from "../sdk/bundle.ts";
import { RemoteAutomation, type TriggerName, triggerOfTask } from "./automation.ts";
import { type Connection, type ConnectOptions, openConnection } from "./connection.ts";
import { literalsOfJson } from "./json-inputs.ts";
import { RemoteRun } from "./remote-run.ts";
import { sentLiterals } from "./sent-values.ts";
import { type DeployedVersion, deployedVersion } from "./task-views.ts";
import { upload } from "./uploads.ts";

export type {
  BackfillPeriod,
  BackfillState,
  NotificationState,
  RemoteAutomation,
  RevisionSummary,
  TriggerName,
  TriggerState,
  TriggerTick,
} from "./automation.ts";
export type { ConnectOptions } from "./connection.ts";
export { defaultEndpoint, defaultRemoteProject } from "./connection.ts";
export { RemoteRun, type RunUpdate } from "./remote-run.ts";
export type { DeployedSummary, DeployedVersion } from "./task-views.ts";

/** Code that a server is to run: uploaded once, whoever starts or deploys what is in it. */
export type SentCode = { readonly digest: string; readonly uri: string };

export type StartOptions = {
  /** Default: a name is made up. The same request under the same name is the same run. */
  readonly name?: string;
  readonly labels?: { readonly [key: string]: string };
  readonly env?: { readonly [name: string]: string };
  readonly overwriteCache?: boolean;
  readonly maxConcurrency?: number;
  /** Who is told when it has ended. */
  readonly notify?: readonly NotificationRule[];
  /** The run that this one does again, or goes on with: then what succeeded in it is taken over. */
  readonly related?: { readonly run: string; readonly recovers: boolean };
};

/** What is to run: a task of code that was sent, or a deployed one. */
export type Startable =
  | { readonly type: "sent"; readonly spec: TaskSpec; readonly code: SentCode }
  /** A version of null is the one that was deployed last. */
  | { readonly type: "deployed"; readonly task: DeployedVersion };

export class Client {
  readonly connection: Connection;
  readonly automation: RemoteAutomation;

  constructor(options: ConnectOptions = {}) {
    this.connection = openConnection(options);
    this.automation = new RemoteAutomation(this.connection);
  }

  /** Uploads a portable bundle. */
  async sendCode(bundle: Pick<CodeBundle, "digest" | "files">): Promise<SentCode> {
    const bytes = packArchive(bundle.files.map((file) => ({ ...file, executable: false })));
    const filename = `${bundle.digest.slice(0, 32)}.tar.gz`;
    return { digest: bundle.digest, uri: await upload(this.connection, { filename, root: "godwit-bundles", bytes }) };
  }

  /** `blobs`: where files that the inputs name lie. */
  async start(
    startable: Startable,
    inputs: Literals,
    blobs: BlobStore,
    options: StartOptions = {},
  ): Promise<RemoteRun> {
    const { project, domain } = this.connection;
    const name = options.name === undefined ? newRunName(randomBytes(10)) : checkRunName(options.name);
    const types = (startable.type === "sent" ? startable.spec : startable.task.spec).interface;
    const sent = await sentLiterals(this.connection, inputs, blobs);
    const request = create(CreateRunRequestSchema, {
      id: { case: "runId", value: create(RunIdentifierSchema, { project, domain, name }) },
      task: taskOf(this.connection, startable),
      inputWrapper: { case: "inputs", value: inputsMessage(sent, types) },
      runSpec: runSpecOf(this.connection, options),
    });
    await this.#create(request);
    return new RemoteRun(this.connection, name);
  }

  /** A new run with the task and inputs of an old one; with the code that it had, unless there is other. */
  async rerun(old: string, options: StartOptions & { readonly code?: Startable } = {}): Promise<RemoteRun> {
    const { project, domain, runs, data } = this.connection;
    const runId = create(RunIdentifierSchema, { project, domain, name: old });
    const { details } = await this.connection.ask((asking) => runs.getRunDetails({ runId }, asking));
    const spec = details?.action?.spec;
    if (spec?.case !== "task") throw new GodwitError("internal", `The server does not say what the run ${old} ran.`);
    const actionId = { run: runId, name: rootName };
    const { inputs = create(InputsSchema) } = await this.connection.ask((asking) =>
      data.getActionData({ actionId }, asking),
    );
    const name = options.name === undefined ? newRunName(randomBytes(10)) : checkRunName(options.name);
    const task = options.code === undefined ? spec : taskOf(this.connection, options.code);
    const request = create(CreateRunRequestSchema, {
      id: { case: "runId", value: create(RunIdentifierSchema, { project, domain, name }) },
      task: task.case === "task" ? { case: "taskSpec", value: task.value } : task,
      inputWrapper: { case: "inputs", value: inputs },
      runSpec: runSpecOf(this.connection, { ...saidBefore(details?.runSpec), ...options }),
    });
    await this.#create(request);
    return new RemoteRun(this.connection, name);
  }

  async #create(request: CreateRunRequest): Promise<void> {
    await this.connection.ask((options) => this.connection.runs.createRun(request, options));
  }

  /**
   * Starts a run of a trigger, now; what is given of inputs goes before the trigger's own, as JSON. The same again under
   * the same name is the same run.
   */
  async fire(trigger: TriggerName, run: string, inputs: { readonly [name: string]: unknown }): Promise<RemoteRun> {
    if (Object.keys(inputs).length === 0) await this.automation.fire(trigger, run);
    else {
      const state = (await this.automation.triggers(trigger.task)).find(({ name }) => name === trigger.name);
      const { spec } = await this.task(trigger.task, state?.taskVersion ?? null);
      const literals = literalsOfJson(spec, inputs);
      await this.automation.fire(trigger, run, inputsMessage(literals, spec.interface));
    }
    return new RemoteRun(this.connection, run);
  }

  run(name: string): RemoteRun {
    return new RemoteRun(this.connection, name);
  }

  /**
   * With those of the triggers that are the task's. The same version with other content is refused with what differs;
   * with the same content nothing happens.
   */
  async deploy(
    spec: TaskSpec,
    code: SentCode,
    version: string,
    defined: readonly DefinedTrigger[] = [],
  ): Promise<void> {
    const { project, domain, tasks } = this.connection;
    const taskId = { org: "", project, domain, name: spec.name, version };
    const triggers = defined
      .filter(({ task }) => task === spec.name)
      .map((trigger) => triggerOfTask(trigger, spec.interface));
    await this.connection.ask((options) => tasks.deployTask({ taskId, spec: sentSpec(spec, code), triggers }, options));
  }

  /** Makes a version of this client's domain one of another domain too, without a rebuild; if asked to, with its triggers. */
  async promote(name: string, version: string, to: string, { triggers = false } = {}): Promise<void> {
    if (to === this.connection.domain)
      throw new GodwitError(
        "invalid_argument",
        `${name} ${version} is in ${to} already; --domain says where it comes from.`,
      );
    const { project, tasks } = this.connection;
    const spec = taskSpecMessage((await this.task(name, version)).spec);
    const taskId = { org: "", project, domain: to, name, version };
    const taken = triggers ? await this.automation.deployed(name, version) : [];
    await this.connection.ask((options) => tasks.deployTask({ taskId, spec, triggers: [...taken] }, options));
  }

  /** A version of null is the one that was deployed last. */
  async task(name: string, version: string | null = null): Promise<DeployedVersion> {
    const { project, domain, tasks } = this.connection;
    const found = version ?? (await this.#latest(name));
    const taskId = { org: "", project, domain, name, version: found };
    const { details } = await this.connection.ask((options) => tasks.getTaskDetails({ taskId }, options));
    const message = details?.spec;
    if (message === undefined) throw new GodwitError("internal", `The server says nothing of the task ${name}.`);
    return { ...deployedVersion(details ?? {}), name, version: found, spec: taskSpecOf(message) };
  }

  async #latest(name: string): Promise<string> {
    const { items } = await this.listTasks({ name, limit: 1 });
    const [newest] = items;
    if (newest !== undefined) return newest.version;
    const { project, domain } = this.connection;
    throw new GodwitError(
      "not_found",
      `No task "${name}" is deployed in ${project}/${domain}. \`godwit get tasks --remote\` lists those that are.`,
    );
  }

  /** One of each task: the version that was deployed last. */
  async listTasks(listing: { readonly name?: string; readonly limit: number; readonly token?: string }) {
    const { project, domain, tasks } = this.connection;
    const request = create(ListRequestSchema, {
      limit: listing.limit,
      token: listing.token ?? "",
      filters:
        listing.name === undefined ? [] : [{ field: "name", function: Filter_Function.EQUAL, values: [listing.name] }],
    });
    const answer = await this.connection.ask((options) =>
      tasks.listTasks(
        { request, scopeBy: { case: "projectId", value: { organization: "", domain, name: project } } },
        options,
      ),
    );
    return { items: answer.tasks.map(deployedVersion), token: answer.token || null };
  }
}

const sentSpec = (spec: TaskSpec, { digest, uri }: SentCode): TaskSpecMessage =>
  withUploadedBundle(taskSpecMessage(inBundleOf(spec, digest)), uri);

const inBundleOf = (spec: TaskSpec, digest: string): TaskSpec =>
  spec.target.type === "typescript"
    ? { ...spec, target: { type: "typescript", bundle: { digest, projectDir: inBundle } } }
    : spec;

function taskOf({ project, domain }: Connection, startable: Startable): CreateRunRequest["task"] {
  if (startable.type === "sent") return { case: "taskSpec", value: sentSpec(startable.spec, startable.code) };
  const { name, version } = startable.task;
  return {
    case: "taskId",
    value: { $typeName: "flyteidl2.task.TaskIdentifier", org: "", project, domain, name, version },
  };
}

/** Of the old run's, what holds for a new one too. */
const saidBefore = (runSpec: RunSpec | undefined): StartOptions => ({
  labels: runSpec?.labels?.values ?? {},
  env: Object.fromEntries((runSpec?.envs?.values ?? []).map(({ key, value }) => [key, value])),
});

function runSpecOf({ project, domain }: Connection, options: StartOptions): RunSpec {
  const { labels = {}, env = {}, notify = [], related } = options;
  const runSpec = create(RunSpecSchema, {
    labels: { values: { ...labels } },
    envs: { values: Object.entries(env).map(([key, value]) => ({ key, value })) },
    overwriteCache: options.overwriteCache === true,
    cacheConfig: { overwriteCache: options.overwriteCache === true },
    ...(notify.length === 0 ? {} : { notificationSettings: rulesMessage(notify) }),
  });
  setNewerField(runSpec, newer.runSpec.maxActionConcurrency, options.maxConcurrency);
  if (related === undefined) return runSpec;
  const relation = create(RelationSchema, {
    relatedTo: { org: "", project, domain, name: related.run },
    relationType: related.recovers ? relationTypes.recover : relationTypes.rerun,
  });
  setNewerField(runSpec, newer.runSpec.relation, relation);
  return related.recovers ? setNewerField(runSpec, newer.runSpec.recover, create(RecoverSchema, {})) : runSpec;
}
