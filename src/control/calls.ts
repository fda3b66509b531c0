// What running attempts ask for. A call is decided once: the first time its name is seen in the run.
//
// R1  Only the attempt that an action is running may call, attach or abort on its behalf.
// R2  A name that exists with the same identity and inputs is answered as it stands; with others it is
//     refused: the parent did not do again what it did before.
// R3  In a recovering run, a call whose name succeeded in the recovered run, or in one that this recovered
//     (lineage.ts), with the same identity and inputs and all its bytes in place, is recorded as recovered.
//     Whatever does not match runs. A trace that brings its result has been made again, and is as it ran.
import { hasBytes } from "../blob/payload.ts";
import { type Action, type ActionError, errorCodes, isSuccess, recordedTrace, step } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import {
  type Attach,
  type AttemptRef,
  type Call,
  type CallAnswer,
  type CallState,
  maxCallsPerRequest,
} from "../core/messages.ts";
import { conditionNotice } from "../core/notification.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Run } from "../core/run.ts";
import type { Payload } from "../core/value.ts";
import type { KnownTasks } from "../store/documents.ts";
import { ancestors } from "../store/lineage.ts";
import { putNotice } from "../store/notice-rows.ts";
import type { Attachment, Change, CommitResult } from "../store/store.ts";
import { abortOne } from "./abort.ts";
import { makeAction, newAction, unplaced } from "./called-action.ts";
import { type Resolved, tasksFor, withDeployed } from "./called-tasks.ts";
import type { Parts } from "./parts.ts";

/** Deeper nesting is taken for a recursion without end. */
const maxDepth = 10_000;
/** Commits lost to others before giving up; each loss means that somebody else made progress. */
const maxTries = 100;

export async function call(parts: Parts, caller: AttemptRef, calls: readonly Call[]): Promise<readonly CallAnswer[]> {
  checkSize(calls.length);
  const run = await parts.knownRun(caller.run);
  const resolved = await withDeployed(parts, run, calls);
  for (let tries = 0; tries < maxTries; tries++) {
    // What a first attempt calls has as a rule not been called before; if it has, the commit says so.
    const isNew = tries === 0 && caller.attempt === 1 && run.recovers === null && !asksOnly(calls);
    const answers = await tryCall(parts, { run, caller, ...resolved }, isNew);
    if (answers !== null) return answers;
  }
  throw new GodwitError(
    "unavailable",
    `Calls of ${caller.action} met others of the same names ${maxTries} times; try again.`,
  );
}

/** Whether some of them look for what is recorded already. */
const asksOnly = (calls: readonly Call[]): boolean =>
  calls.some((request) => request.type === "trace" && request.result === null);

function checkSize(calls: number): void {
  if (calls <= maxCallsPerRequest) return;
  throw new GodwitError("resource_exhausted", `A request is about at most ${maxCallsPerRequest} calls, not ${calls}.`);
}

type Calling = Resolved & { readonly run: Run; readonly caller: AttemptRef };

/** Null: somebody else was faster, or not all of them were new; read and decide again. */
async function tryCall(parts: Parts, calling: Calling, isNew: boolean): Promise<readonly CallAnswer[] | null> {
  const { run, caller, calls } = calling;
  const names = isNew ? [] : [...new Set(calls.map(({ name }) => name))];
  const [parent, ...known] = await currentAttempt(parts, caller, names);
  const existing = new Map(known.map((action) => [action.name, action]));
  const tasks = await tasksFor(parts.documents, run, parent);
  const recovered = await recoverable(parts, run, isNew ? [] : calls.filter((each) => isSought(each, existing)));
  const changes: Change[] = [];
  const documents = new Map<string, string>();
  const answers = calls.map((request): CallAnswer => {
    const found = existing.get(request.name);
    const decided =
      found === undefined
        ? decideNew(parts, { ...calling, tasks, parent }, request, recovered, documents)
        : decideExisting(found, request, parent);
    if (decided.type === "refused") return { name: request.name, refused: decided.error };
    if (decided.type === "nothing") return { name: request.name, phase: null, attempt: 0, outputs: null, error: null };
    if (decided.change !== null) {
      changes.push(decided.change, ...toldOf(parts, run, request));
      existing.set(request.name, decided.action);
    }
    return stateOf(decided.action);
  });
  if (changes.length === 0) return answers;
  const texts = [...documents].map(([digest, text]): Change => ({ type: "putDocument", digest, text }));
  // What a trace has done counts from now on. A call is the beginning of something: its result, which
  // is what the task sees of it, is committed later and synced (store.ts R1).
  const isResult = calls.some((request) => request.type === "trace" && request.result !== null);
  const expected: Change = { type: "expectAction", key: parent, phase: parent.phase, attempt: parent.attempt };
  const isMade = await make(parts, run, [expected, ...texts, ...changes], isResult ? "synced" : "written");
  return isMade ? answers : null;
}

/** Who is to be told that a condition waits, with the commit that makes it. */
function toldOf(parts: Parts, run: Run, request: Call): readonly Change[] {
  if (request.type !== "condition" || request.condition.webhook === undefined) return [];
  const nowMs = parts.nowMs();
  const notice = conditionNotice(run, { action: request.name, ...request.condition.webhook }, nowMs);
  return [putNotice(notice, { from: null, dueAtMs: nowMs, nowMs })];
}

/** Not a trace that has been made again already: it is what its caller goes by. */
const isSought = (request: Call, existing: ReadonlyMap<string, Action>): boolean =>
  !existing.has(request.name) && (request.type !== "trace" || request.result === null);

/** Commits new actions, those of them as running that somebody has room for. */
async function make(
  parts: Parts,
  run: Run,
  changes: readonly Change[],
  durability: "synced" | "written",
): Promise<boolean> {
  const { documents, store } = parts;
  const starter = parts.starter();
  if (starter === null) return (await store.commit(changes, durability)).type === "committed";
  const starting: Action[] = [];
  const decided = changes.map((change): Change => {
    if (change.type !== "insertAction" || change.action.spec === null) return change;
    const spec = documents.known(change.action.spec);
    const running = spec === undefined || !("target" in spec) ? null : starter.admit(run, change.action, spec);
    if (running === null) return change;
    starting.push(running);
    return { type: "insertAction", action: running };
  });
  let result: CommitResult | null = null;
  try {
    result = await store.commit(decided, durability);
  } finally {
    if (result?.type !== "committed" && starting.length > 0) starter.refused(starting);
  }
  if (result.type !== "committed") return false;
  if (starting.length > 0) starter.started(result.actions.filter(({ phase }) => phase === "running"));
  return true;
}

/** The calling action, in the attempt that calls (R1), and those of the named actions that exist. */
async function currentAttempt(
  parts: Parts,
  caller: AttemptRef,
  names: readonly string[],
): Promise<readonly [Action, ...Action[]]> {
  // If it is not the latest, the commit of what is decided on it is refused.
  const known = names.length > 0 ? null : (parts.starter()?.underWay(caller.run, caller.action) ?? null);
  if (known?.attempt === caller.attempt) return [known];
  const found = await parts.store.actions([caller.action, ...names].map((name) => ({ run: caller.run, name })));
  const parent = found.find(({ name }) => name === caller.action);
  if (parent === undefined || parent.phase !== "running" || parent.attempt !== caller.attempt) {
    throw new GodwitError(
      "aborted",
      `Attempt ${caller.attempt} of ${caller.action} is over; nothing can be called on its behalf.`,
    );
  }
  return [parent, ...found.filter((action) => action !== parent)];
}

type Decided =
  | { readonly type: "action"; readonly action: Action; readonly change: Change | null }
  | { readonly type: "refused"; readonly error: ActionError }
  | { readonly type: "nothing" };

/** R2. */
function decideExisting(found: Action, request: Call, parent: Action): Decided {
  const inputsHash = request.type === "condition" ? "" : request.inputsHash;
  if (found.parent !== parent.name || found.identity !== request.identity || found.inputsHash !== inputsHash) {
    return refused(
      `The call "${request.name}" was ${found.label} before, with ${found.identity === request.identity ? "other inputs or from another task" : "another task or other types"}. ` +
        "A task that is tried again has to make the same calls under the same names: give calls names that follow from their inputs, and take times and random numbers from a trace or from context().",
    );
  }
  if (request.type === "trace" && request.result !== null && found.phase === "failed") {
    const again = recordedTrace(newAction(parent, request, unplaced), request.result);
    const action: Action = {
      ...again,
      attempt: found.attempt + 1,
      createdAtMs: found.createdAtMs,
      revision: found.revision,
    };
    return { type: "action", action, change: { type: "updateAction", action } };
  }
  return { type: "action", action: found, change: null };
}

function decideNew(
  parts: Parts,
  { run, tasks, parent, refusals }: Calling & { readonly tasks: KnownTasks; readonly parent: Action },
  request: Call,
  recovered: ReadonlyMap<string, Recovered>,
  documents: Map<string, string>,
): Decided {
  if (parent.depth >= maxDepth) return refused(`Calls are nested ${maxDepth} deep; is there a recursion without end?`);
  const refusal = refusals.get(request.name);
  if (refusal !== undefined) return refused(refusal.message, refusal.code);
  const nowMs = parts.nowMs();
  const made = makeAction({ run, tasks, parent, request, documents, nowMs });
  if (made === null) return refused(unknownTask(request, tasks));
  const old = recovered.get(request.name);
  if (old !== undefined) {
    const from = `${old.run}/${request.name}`;
    const action = step(
      made.action,
      { retries: defaultRetries, timeouts: made.timeouts },
      { type: "reused", how: "recovery", outputs: old.outputs, from },
      nowMs,
    );
    return inserted(action);
  }
  if (request.type !== "trace") return inserted(made.action);
  if (request.result === null) return { type: "nothing" };
  return inserted(recordedTrace(newAction(parent, request, unplaced), request.result));
}

const inserted = (action: Action): Decided => ({ type: "action", action, change: { type: "insertAction", action } });

const refused = (message: string, code: string = errorCodes.nonDeterministic): Decided => ({
  type: "refused",
  error: {
    code,
    message,
    kind: "user",
    recoverable: false,
    stack: null,
    location: null,
    origin: null,
  },
});

const unknownTask = (request: Call, tasks: KnownTasks): string =>
  `This run's code has no task "${request.type === "task" ? request.task : request.label}". It has: ${[...tasks.keys()].join(", ")}. ` +
  "Define tasks at the top level of a module, so that every worker knows them.";

type Recovered = { readonly run: string; readonly outputs: Payload };

/** R3: what the recovered runs have for these calls, the nearest first. */
async function recoverable(parts: Parts, run: Run, calls: readonly Call[]): Promise<ReadonlyMap<string, Recovered>> {
  const found = new Map<string, Recovered>();
  const isReused = ({ name }: Call): boolean => !run.origin.rerunActions.includes(name);
  let missing = new Map(calls.filter(isReused).map((request) => [request.name, request]));
  if (missing.size === 0) return found;
  for await (const ancestor of ancestors(parts.store, run)) {
    const old = await parts.store.actions([...missing.keys()].map((name) => ({ run: ancestor.run, name })));
    const outputs = await Promise.all(old.map((action) => usableOutputs(parts, action, missing.get(action.name))));
    for (const [index, action] of old.entries()) {
      const usable = outputs[index];
      if (usable != null) found.set(action.name, { run: ancestor.name, outputs: usable });
    }
    missing = new Map([...missing].filter(([name]) => !found.has(name)));
    if (missing.size === 0) break;
  }
  return found;
}

/** Null: it has not what the request asks for. */
async function usableOutputs(parts: Parts, old: Action, request: Call | undefined): Promise<Payload | null> {
  if (request === undefined || !isSuccess(old.phase) || old.outputs === null) return null;
  if (old.type !== request.type || old.identity !== request.identity) return null;
  if (old.inputsHash !== (request.type === "condition" ? "" : request.inputsHash)) return null;
  return (await hasBytes(old.outputs, parts.blobs)) ? old.outputs : null;
}

export const stateOf = (action: Action): CallState => ({
  name: action.name,
  phase: action.phase,
  attempt: action.attempt,
  outputs: action.outputs,
  error: action.error,
});

export async function attach(parts: Parts, caller: AttemptRef, attached: Attach): Promise<void> {
  const { type, ...content } = attached;
  const attachment: Attachment = {
    run: caller.run,
    name: caller.action,
    kind: type,
    attempt: caller.attempt,
    text: JSON.stringify("checkpoint" in content ? content.checkpoint : content),
    atMs: parts.nowMs(),
  };
  const result = await parts.store.commit([
    { type: "expectAction", key: { run: caller.run, name: caller.action }, phase: "running", attempt: caller.attempt },
    { type: "putAttachment", attachment },
  ]);
  if (result.type !== "committed")
    throw new GodwitError(
      "aborted",
      `Attempt ${caller.attempt} of ${caller.action} is over; its ${type} was not kept.`,
    );
}

export async function abortCalls(
  parts: Parts,
  caller: AttemptRef,
  names: readonly string[],
  reason: string,
): Promise<void> {
  checkSize(names.length);
  const [parent, ...children] = await currentAttempt(parts, caller, names);
  const own = children.filter((child) => child.parent === parent.name);
  await Promise.all(own.map((child) => abortOne(parts, child, reason)));
}
