// Actions: finding, listing, reading, aborting, signalling.
import { type Action, type ActionError, isTerminal, step } from "../core/action.ts";
import { assert, GodwitError } from "../core/error.ts";
import type { Checkpoint, ConditionSpec } from "../core/messages.ts";
import { didYouMean, rootName } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { type Literal, soleOutput } from "../core/value.ts";
import { abortOne } from "./abort.ts";
import type { ActionListing, ActionView, DescribedAction, Page, Progress, Scope, WantedAction } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun, maxPage, notAToken, pageToken, tokenOf } from "./runs.ts";

/** How many actions are looked at to find one by its label; in larger runs a full name is needed. */
const maxSearched = 20_000;

/** By name; from people also by the beginning of a name, or by label, if only one action fits. */
export async function findAction(parts: Parts, run: Run, which: WantedAction): Promise<Action> {
  const wanted = typeof which === "string" ? which : which.name;
  const [exact] = await parts.store.actions([{ run: run.id, name: wanted }]);
  if (exact !== undefined) return exact;
  if (typeof which !== "string")
    throw new GodwitError("not_found", `The run ${run.name} has no action with the name "${wanted}".`);
  const labels = new Set<string>();
  const fits: Action[] = [];
  let searched = 0;
  for await (const page of allActions(parts, run)) {
    for (const action of page) {
      labels.add(action.label);
      if (action.label === wanted || (wanted.length >= 4 && action.name.startsWith(wanted))) fits.push(action);
    }
    searched += page.length;
    if (searched >= maxSearched) break;
  }
  const [found, other] = fits;
  if (found === undefined) {
    throw new GodwitError(
      "not_found",
      `The run ${run.name} has no action "${wanted}".${didYouMean(wanted, labels)} \`godwit get actions ${run.name}\` lists them.`,
    );
  }
  if (other !== undefined) {
    const names = fits.slice(0, 5).map(({ name, phase }) => `${name} (${phase})`);
    throw new GodwitError(
      "invalid_argument",
      `"${wanted}" is ambiguous: ${fits.length} actions of ${run.name} fit, among them ${names.join(", ")}. Give a name.`,
    );
  }
  return found;
}

async function* allActions(parts: Parts, run: Run): AsyncIterable<readonly Action[]> {
  let after: { readonly createdAtMs: number; readonly name: string } | undefined;
  for (;;) {
    const page = await parts.store.listActions({ run: run.id, ...(after === undefined ? {} : { after }) }, maxPage);
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < maxPage) return;
    after = { createdAtMs: last.createdAtMs, name: last.name };
  }
}

export async function listActions(
  parts: Parts,
  scope: Scope,
  runName: string,
  listing: ActionListing,
): Promise<Page<Action>> {
  const run = await getRun(parts, scope, runName);
  const limit = Math.min(listing.limit, maxPage);
  const after = listing.token === null ? null : placeOf(listing.token);
  const items = await parts.store.listActions(
    {
      run: run.id,
      ...(listing.parent === undefined ? {} : { parent: listing.parent }),
      ...(listing.phases === undefined ? {} : { phases: listing.phases }),
      ...(listing.type === undefined ? {} : { type: listing.type }),
      ...(listing.order === undefined ? {} : { order: listing.order }),
      ...(after === null ? {} : { after }),
    },
    limit,
  );
  const last = items.at(-1);
  return {
    items,
    token:
      last === undefined || items.length < limit ? null : pageToken({ createdAtMs: last.createdAtMs, name: last.name }),
  };
}

function placeOf(token: string): { readonly createdAtMs: number; readonly name: string } {
  const { createdAtMs, name } = tokenOf<{ readonly createdAtMs?: unknown; readonly name?: unknown }>(token);
  if (typeof createdAtMs === "number" && typeof name === "string") return { createdAtMs, name };
  throw notAToken();
}

export async function getAction(
  parts: Parts,
  scope: Scope,
  runName: string,
  wanted: WantedAction,
): Promise<ActionView> {
  const action = await findAction(parts, await getRun(parts, scope, runName), wanted);
  const [spec, attempts, progress, report, checkpoint] = await Promise.all([
    parts.documents.taskSpec(action),
    parts.store.attempts(action),
    attachment<Omit<Progress, "atMs">>(parts, action, "progress"),
    attachment<{ readonly digest: string }>(parts, await madeBy(parts, scope, action), "report"),
    attachment<Checkpoint>(parts, action, "checkpoint"),
  ]);
  return {
    action,
    spec,
    condition: action.type === "condition" ? await conditionOf(parts, action) : null,
    attempts,
    progress: progress === null ? null : { ...progress.content, atMs: progress.atMs },
    report: report?.content.digest ?? null,
    checkpointSizeBytes: checkpoint?.content.sizeBytes ?? null,
  };
}

/** With what each calls, in their order. */
export async function describe(parts: Parts, actions: readonly Action[]): Promise<readonly DescribedAction[]> {
  const specs = await parts.documents.specs(actions.flatMap(({ spec }) => spec ?? []));
  return actions.map((action) => {
    const document = action.spec === null ? undefined : specs.get(action.spec);
    const isTask = document !== undefined && "target" in document;
    return {
      action,
      spec: isTask ? document : null,
      condition: document === undefined || isTask ? null : document,
    };
  });
}

/** A result that was taken over may itself have been: followed so far. */
const maxReuses = 100;

/** The action that did the work: what the cache or a recovery took over, its report among it, is there. */
export async function madeBy(parts: Parts, scope: Scope, action: Action): Promise<Action> {
  let at = action;
  for (let reuses = 0; at.reusedFrom !== null && reuses < maxReuses; reuses++) {
    const [runName, name] = at.reusedFrom.split("/") as [string, string];
    const run = await parts.store.run(scope.project, scope.domain, runName);
    const [source] = run === null ? [] : await parts.store.actions([{ run: run.id, name }]);
    if (source === undefined) return at;
    at = source;
  }
  return at;
}

async function attachment<T>(
  parts: Parts,
  action: Action,
  kind: "checkpoint" | "report" | "progress",
): Promise<{ readonly content: T; readonly atMs: number } | null> {
  const [found] = await parts.store.attachments([action], kind);
  return found === undefined ? null : { content: JSON.parse(found.text) as T, atMs: found.atMs };
}

export async function abortAction(
  parts: Parts,
  scope: Scope,
  runName: string,
  wanted: WantedAction,
  reason: string,
): Promise<Action> {
  const run = await getRun(parts, scope, runName);
  const { name } = await findAction(parts, run, wanted);
  await abortOne(parts, { run: run.id, name }, reason);
  return findAction(parts, run, name);
}

export async function signal(
  parts: Parts,
  scope: Scope,
  runName: string,
  wanted: WantedAction,
  value: unknown,
): Promise<Action> {
  const run = await getRun(parts, scope, runName);
  const action = await findCondition(parts, run, wanted);
  const spec = await conditionOf(parts, action);
  const literal = signalLiteral(spec, value);
  const [policy] = await parts.documents.policies([action]);
  if (policy === undefined) throw new GodwitError("internal", `The condition ${wanted} has no policy.`);
  const outputs = { type: "inline", text: JSON.stringify({ [soleOutput]: literal }) } as const;
  const next = step(action, policy, { type: "signalled", outputs }, parts.nowMs());
  const result = await parts.store.commit([{ type: "updateAction", action: next }]);
  if (result.type !== "committed") throw answered(action.label);
  return next;
}

async function conditionOf(parts: Parts, action: Action): Promise<ConditionSpec> {
  const digest = action.spec ?? "";
  const spec = (await parts.documents.specs([digest])).get(digest) as ConditionSpec | undefined;
  assert(spec !== undefined, `what the condition ${action.name} waits for is recorded`);
  return spec;
}

/** The one that waits; if none does, the one that did, to say so. */
async function findCondition(parts: Parts, run: Run, which: WantedAction): Promise<Action> {
  if (typeof which !== "string") return conditionNamed(parts, run, which);
  const wanted = which;
  const paused = await parts.store.listActions({ run: run.id, phases: ["paused"], type: "condition" }, maxPage);
  const fits = paused.filter(
    ({ name, label }) => label === wanted || name === wanted || (wanted.length >= 4 && name.startsWith(wanted)),
  );
  const [found] = fits;
  if (found !== undefined && fits.length === 1) return found;
  if (found !== undefined) {
    throw new GodwitError(
      "invalid_argument",
      `${fits.length} conditions "${wanted}" are waiting: ${fits.map(({ name }) => name).join(", ")}. Give a name.`,
    );
  }
  await conditionNamed(parts, run, wanted);
  throw answered(wanted);
}

async function conditionNamed(parts: Parts, run: Run, wanted: WantedAction): Promise<Action> {
  const action = await findAction(parts, run, wanted);
  if (action.type === "condition") {
    if (action.phase === "paused") return action;
    throw answered(action.label);
  }
  throw new GodwitError("invalid_argument", `"${action.name}" is a ${action.type}, not a condition.`);
}

const answered = (name: string): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `The condition "${name}" does not wait any more: it has been answered, has timed out or was aborted.`,
  );

function signalLiteral(spec: ConditionSpec, value: unknown): Literal {
  const { valueType } = spec;
  if (valueType === "boolean" && typeof value === "boolean") return { type: "boolean", value };
  if (valueType === "string" && typeof value === "string") return { type: "string", value };
  if (valueType === "integer" && Number.isSafeInteger(value)) return { type: "integer", value: String(value) };
  if (valueType === "float" && typeof value === "number") return { type: "float", value };
  throw new GodwitError(
    "invalid_argument",
    `The condition "${spec.name}" takes ${taken[valueType]}, not ${JSON.stringify(value)}.`,
  );
}

const taken: Record<ConditionSpec["valueType"], string> = {
  boolean: "true or false",
  integer: "a whole number",
  float: "a number",
  string: "a text",
};

export async function failure(
  parts: Parts,
  scope: Scope,
  runName: string,
): Promise<{ readonly error: ActionError; readonly action: Action } | null> {
  const run = await getRun(parts, scope, runName);
  const [root] = await parts.store.actions([{ run: run.id, name: rootName }]);
  if (root === undefined || !isTerminal(root.phase) || root.error === null) return null;
  const { origin } = root.error;
  const [at] = origin === null ? [root] : await parts.store.actions([{ run: run.id, name: origin.action }]);
  return { error: root.error, action: at ?? root };
}
