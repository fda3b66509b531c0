// Tasks that are deployed. A version of a task is what it was when it was deployed, for ever: it can be run
// as long as it is there, whatever comes after it, and is never another one.
//
// A task has a record of its newest version, for lists of tasks; it moves in the commit that deploys one.
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import { didYouMean } from "../core/names.ts";
import { differenceText, specDifferences } from "../core/spec-difference.ts";
import { specDigest, type TaskSpec } from "../core/task.ts";
import type { Change, RecordKey, StoreRecord } from "../store/store.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { checkDomain, type Projects } from "./projects.ts";
import {
  checkWord,
  type Decision,
  decide,
  documentOf,
  newRecord,
  type Paging,
  readRecord,
  recordPage,
} from "./records.ts";

export type TaskVersion = {
  readonly project: string;
  readonly domain: string;
  /** Full name. */
  readonly name: string;
  readonly version: string;
  readonly shortName: string;
  readonly environment: string;
  readonly description: string | null;
  readonly deployedAtMs: number;
  readonly deployedBy: string;
  /** Meant to be started by people, and not only called by other tasks. */
  readonly isEntrypoint: boolean;
  /** The domain that it was promoted from. */
  readonly promotedFrom: string | null;
  /** Of its spec (core/task.ts `specDigest`). */
  readonly digest: string;
};

export type DeployedTask = TaskVersion & { readonly spec: TaskSpec };

export type Deployment = {
  readonly version: string;
  readonly spec: TaskSpec;
  /** Left out: false. */
  readonly isEntrypoint?: boolean;
};

/** `created` is false if the very same was there already. */
export type Deployed = { readonly task: TaskVersion; readonly created: boolean };

export type TaskListing = Paging & {
  /** Full name. */
  readonly name?: string;
  readonly nameContains?: string;
  readonly isEntrypoint?: boolean;
  readonly deployedBy?: string;
  /** By name, or by when the newest version was deployed. */
  readonly order: "name" | "newest" | "oldest";
};

export interface Tasks {
  /** Refused with `already_exists` if that version has other content; the message says what differs. */
  deploy(scope: Scope, deployment: Deployment): Promise<Deployed>;
  /** A version of null is the one that was deployed last. */
  get(scope: Scope, name: string, version: string | null): Promise<DeployedTask>;
  /** One of each task: the version that was deployed last. */
  list(scope: Scope, listing: TaskListing): Promise<Page<TaskVersion>>;
  /** Newest first. */
  versions(scope: Scope, name: string, paging: Paging): Promise<Page<TaskVersion>>;
  /** The same version of the same content, in the scope's domain: from another domain of its project. */
  promote(
    scope: Scope,
    version: { readonly name: string; readonly version: string; readonly from: string },
  ): Promise<Deployed>;
}

type Document = Omit<TaskVersion, "project" | "domain" | "name" | "deployedAtMs">;

type Place = Pick<Scope, "project" | "domain">;

const taskKey = ({ project, domain }: Place, name: string): RecordKey => ({
  kind: "task",
  project,
  domain,
  name,
  version: "",
});

const versionKey = ({ project, domain }: Place, name: string, version: string): RecordKey => ({
  kind: "taskVersion",
  project,
  domain,
  name,
  version,
});

/** Of either kind of record. */
const versionOf = (record: StoreRecord): TaskVersion => ({
  project: record.project,
  domain: record.domain,
  name: record.name,
  ...documentOf<Document>(record),
  deployedAtMs: record.createdAtMs,
});

export const openTasks = (parts: Parts, projects: Projects): Tasks => ({
  deploy: (scope, deployment) => deploy(parts, projects, scope, deployment),
  get: (scope, name, version) => deployedTask(parts, scope, name, version),
  list: (scope, listing) => list(parts, scope, listing),
  versions: async ({ project, domain }, name, paging) => {
    const { items, token } = await recordPage(
      parts,
      { kind: "taskVersion", project, domain, name, order: "newest" },
      paging,
    );
    return { items: items.map(versionOf), token };
  },
  promote: async (scope, { name, version, from }) => {
    checkDomain(from);
    const task = await deployedTask(parts, { ...scope, domain: from }, name, version);
    const { spec, digest: _, ...rest } = task;
    return put(parts, projects, scope, spec, { ...rest, deployedBy: scope.caller, promotedFrom: from });
  },
});

function deploy(parts: Parts, projects: Projects, scope: Scope, deployment: Deployment): Promise<Deployed> {
  const { version, spec, isEntrypoint = false } = deployment;
  checkWord("name of a task", spec.name);
  checkWord("version of a task", version);
  const { shortName, environment, description } = spec;
  const deployedBy = scope.caller;
  const document = { version, shortName, environment, description, deployedBy, isEntrypoint, promotedFrom: null };
  return put(parts, projects, scope, spec, document);
}

type Told = Omit<Document, "digest">;

async function put(parts: Parts, projects: Projects, scope: Scope, spec: TaskSpec, told: Told): Promise<Deployed> {
  await projects.check(scope);
  const { version, shortName, environment, description, deployedBy, isEntrypoint, promotedFrom } = told;
  const digest = specDigest(spec);
  const words = { version, shortName, environment, description, deployedBy, isEntrypoint, promotedFrom };
  const document: Document = { ...words, digest };
  return decide(parts, async (): Promise<Decision<Deployed>> => {
    const existing = await readRecord(parts, versionKey(scope, spec.name, version));
    if (existing !== null) return { changes: [], answer: await unchanged(parts, versionOf(existing), spec, digest) };
    const nowMs = parts.nowMs();
    const record = newRecord(versionKey(scope, spec.name, version), document, nowMs);
    const changes: readonly Change[] = [
      { type: "putDocument", digest, text: canonicalJson(spec) },
      { type: "putRecord", record },
      ...(await newest(parts, record)),
    ];
    return { changes, answer: { task: versionOf(record), created: true } };
  });
}

/** The record of the task goes and comes again, so that it is the newest of all. */
async function newest(parts: Parts, version: StoreRecord): Promise<readonly Change[]> {
  const key = taskKey(version, version.name);
  const before = await readRecord(parts, key);
  const record = { ...version, ...key };
  return [
    ...(before === null ? [] : [{ type: "deleteRecord", record: before } as const]),
    { type: "putRecord", record },
  ];
}

async function unchanged(parts: Parts, task: TaskVersion, spec: TaskSpec, digest: string): Promise<Deployed> {
  if (task.digest === digest) return { task, created: false };
  const differences = specDifferences(await specOf(parts, task), spec);
  throw new GodwitError(
    "already_exists",
    `The task ${task.name} already has a version ${task.version} in ${task.project}/${task.domain}, deployed ${new Date(task.deployedAtMs).toISOString()} by ${task.deployedBy}, and this is another one:\n${differenceText(differences)}\nA version never changes: deploy this under another version.`,
  );
}

async function specOf(parts: Parts, { name, version, digest }: TaskVersion): Promise<TaskSpec> {
  const spec = (await parts.documents.specs([digest])).get(digest);
  if (spec !== undefined) return spec as TaskSpec;
  throw new GodwitError(
    "data_loss",
    `The definition of version ${version} of the task ${name} is missing. Deploy it again under another version.`,
  );
}

/** A version of null is the one that was deployed last. */
export async function deployedTask(
  parts: Parts,
  scope: Place,
  name: string,
  version: string | null,
): Promise<DeployedTask> {
  const key = version === null ? taskKey(scope, name) : versionKey(scope, name, version);
  const record = await readRecord(parts, key);
  if (record === null) return unknown(parts, scope, name, version);
  const task = versionOf(record);
  return { ...task, spec: await specOf(parts, task) };
}

async function list(parts: Parts, { project, domain }: Scope, listing: TaskListing): Promise<Page<TaskVersion>> {
  const { name, nameContains, isEntrypoint, deployedBy, order, ...paging } = listing;
  const named = { ...(name === undefined ? {} : { name }), ...(nameContains === undefined ? {} : { nameContains }) };
  const { items, token } = await recordPage(parts, { kind: "task", project, domain, order, ...named }, paging);
  const isWanted = (task: TaskVersion): boolean =>
    task.isEntrypoint === (isEntrypoint ?? task.isEntrypoint) && task.deployedBy === (deployedBy ?? task.deployedBy);
  return { items: items.map(versionOf).filter(isWanted), token };
}

/** Names and versions that are looked through for a similar one. */
const maxSimilar = 200;
/** Versions that are named to whoever asked for another one. */
const maxNamed = 5;

async function unknown(parts: Parts, { project, domain }: Place, name: string, version: string | null): Promise<never> {
  const place = `${project}/${domain}`;
  const versions = await parts.store.listRecords(
    { kind: "taskVersion", project, domain, name, order: "newest" },
    maxSimilar,
  );
  const known = versions.items.map((record) => record.version);
  if (version !== null && known.length > 0) {
    const hint = didYouMean(version, known);
    throw new GodwitError(
      "not_found",
      `The task ${name} has no version "${version}" in ${place}.${hint} The newest are: ${known.slice(0, maxNamed).join(", ")}.`,
    );
  }
  const tasks = await parts.store.listRecords({ kind: "task", project, domain, order: "newest" }, maxSimilar);
  const hint = didYouMean(
    name,
    tasks.items.map((record) => record.name),
  );
  throw new GodwitError("not_found", `No task "${name}" is deployed in ${place}.${hint} Deploy it first.`);
}
