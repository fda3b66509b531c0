// Runs: creating, listing, aborting.
import { toPayload } from "../blob/payload.ts";
import type { Action } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { canonicalJson } from "../core/hash.ts";
import { checkRunName, didYouMean, newRunName, rootName } from "../core/names.ts";
import { newRun, type RunPlan, runId } from "../core/new-run.ts";
import { checkRules } from "../core/notification.ts";
import type { Run } from "../core/run.ts";
import { specDigest, type TaskSpec } from "../core/task.ts";
import { hashLiterals, type Payload } from "../core/value.ts";
import { manifestKey } from "../store/documents.ts";
import type { Change, RunPlace } from "../store/store.ts";
import { abortOne } from "./abort.ts";
import type { NewRun, Page, RunListing, RunView, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";

/** The most rows that one page of a listing has. */
export const maxPage = 1_000;

export async function createRun(
  parts: Parts,
  scope: Scope,
  wanted: NewRun,
): Promise<{ readonly run: Run; readonly created: boolean }> {
  const spec = specOf(wanted);
  if (wanted.origin?.notify !== undefined) checkRules(wanted.origin.notify);
  const inputs = await toPayload(wanted.inputs, parts.blobs);
  const inputsHash = hashLiterals(wanted.inputs);
  const recovers = wanted.recovers === null ? null : await getRun(parts, scope, wanted.recovers);
  for (let tries = 0; tries < 5; tries++) {
    const plan = planOf(parts, scope, { wanted, spec, inputs, recovers });
    const { run, root } = newRun(plan, parts.nowMs());
    const documents = [
      ...wanted.manifest.tasks.map((task) => ({ digest: specDigest(task), text: canonicalJson(task) })),
    ];
    const result = await parts.store.commit([
      { type: "putDocument", digest: manifestKey(wanted.manifest.bundle), text: JSON.stringify(wanted.manifest) },
      ...documents.map((document): Change => ({ type: "putDocument", ...document })),
      { type: "insertRun", run },
      { type: "insertAction", action: root },
    ]);
    if (result.type === "committed") return { run, created: true };
    const existing = await parts.store.run(scope.project, scope.domain, run.name);
    if (existing !== null && wanted.name !== null)
      return { run: await sameRun(parts, existing, { wanted, spec, inputsHash }), created: false };
  }
  throw new GodwitError("unavailable", "No free name for the run was found; try again.");
}

function specOf({ manifest, task }: NewRun): TaskSpec {
  const spec = manifest.tasks.find(({ name }) => name === task);
  if (spec !== undefined) return spec;
  const names = manifest.tasks.map(({ name }) => name);
  throw new GodwitError(
    "not_found",
    `There is no task "${task}" in ${manifest.entry}.${didYouMean(task, names)} It has: ${names.join(", ") || "no tasks"}.`,
  );
}

type Command = { readonly wanted: NewRun; readonly spec: TaskSpec; readonly inputsHash: string };

/**
 * The same command again is answered with the same run; another command under its name is refused. So is the same one,
 * if its client numbers its calls and this is not the one that it has made before.
 */
async function sameRun(parts: Parts, existing: Run, { wanted, spec, inputsHash }: Command): Promise<Run> {
  const [root] = await parts.store.actions([{ run: existing.id, name: rootName }]);
  const requestId = wanted.origin?.requestId;
  const isCalledAgain = requestId === undefined || requestId === existing.origin.requestId;
  const isSame = existing.task === spec.name && root?.inputsHash === inputsHash;
  if (isSame && isCalledAgain) return existing;
  const other = existing.task === spec.name ? "other inputs" : `another task (${existing.task})`;
  const what = isSame ? "the same task and inputs" : other;
  throw new GodwitError(
    "already_exists",
    `There is already a run "${existing.name}", with ${what}. Take another name, or see \`godwit get run ${existing.name}\`.`,
  );
}

type Wanted = {
  readonly wanted: NewRun;
  readonly spec: TaskSpec;
  readonly inputs: Payload;
  readonly recovers: Run | null;
};

const planOf = (parts: Parts, scope: Scope, { wanted, spec, inputs, recovers }: Wanted): RunPlan => ({
  id: runId(parts.randomBytes(6)),
  project: scope.project,
  domain: scope.domain,
  name: wanted.name === null ? newRunName(parts.randomBytes(10)) : checkRunName(wanted.name),
  bundle: wanted.manifest.bundle,
  source: wanted.source,
  caller: scope.caller,
  recovers: recovers === null ? null : { run: recovers.id, name: recovers.name },
  overwriteCache: wanted.overwriteCache,
  maxConcurrency: wanted.maxConcurrency ?? null,
  spec,
  literals: wanted.inputs,
  inputs,
  priority: wanted.priority ?? null,
  ...(wanted.labels === undefined ? {} : { labels: wanted.labels }),
  ...(wanted.origin === undefined ? {} : { origin: wanted.origin }),
});

export async function getRun(parts: Parts, scope: Scope, name: string): Promise<Run> {
  const run = await parts.store.run(scope.project, scope.domain, name);
  if (run !== null) return run;
  const { items: recent } = await parts.store.runs({ project: scope.project, domain: scope.domain }, 200);
  throw new GodwitError(
    "not_found",
    `There is no run "${name}" in ${scope.project}/${scope.domain}.${didYouMean(
      name,
      recent.map((each) => each.name),
    )} \`godwit get runs\` lists them.`,
  );
}

/** In the order of the runs. */
export async function rootsOf(parts: Parts, runs: readonly Run[]): Promise<readonly Action[]> {
  const found = await parts.store.actions(runs.map(({ id }) => ({ run: id, name: rootName })));
  const roots = new Map(found.map((root) => [root.run, root]));
  return runs.flatMap(({ id }) => roots.get(id) ?? []);
}

export const withCounts = async (parts: Parts, run: Run): Promise<RunView> => ({
  ...run,
  counts: await parts.store.counts(run.id),
});

export async function listRuns(parts: Parts, scope: Scope, listing: RunListing): Promise<Page<RunView>> {
  const { limit, token, ...filter } = listing;
  const { project, domain } = scope;
  const after = token === null ? null : runPlaceOf(token);
  const { items, next } = await parts.store.runs(
    { ...filter, project, domain, ...(after === null ? {} : { after }) },
    Math.min(limit, maxPage),
  );
  return {
    items: await Promise.all(items.map((run) => withCounts(parts, run))),
    token: next === null ? null : pageToken(next),
  };
}

function runPlaceOf(token: string): RunPlace {
  const { createdAtMs, id } = tokenOf<Partial<RunPlace>>(token);
  if (Number.isSafeInteger(createdAtMs) && Number.isSafeInteger(id)) return { createdAtMs, id } as RunPlace;
  throw notAToken();
}

export const notAToken = (cause?: unknown): GodwitError =>
  new GodwitError("invalid_argument", "The page token is not one that a listing gave.", { cause });

export const pageToken = (position: object): string => Buffer.from(JSON.stringify(position)).toString("base64url");

export function tokenOf<T>(token: string): T {
  try {
    const position: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (typeof position === "object" && position !== null) return position as T;
  } catch (error) {
    throw notAToken(error);
  }
  throw notAToken();
}

export async function abortRun(parts: Parts, scope: Scope, name: string, reason: string): Promise<Run> {
  const run = await getRun(parts, scope, name);
  await abortOne(parts, { run: run.id, name: rootName }, reason);
  return getRun(parts, scope, name);
}
