// What a trial has come to, in a form that can be compared, and what it has left behind.
import { mkdirSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { openFileBlobs } from "../../src/blob/files.ts";
import { type Action, errorCodes, isTerminal } from "../../src/core/action.ts";
import type { AttemptRecord } from "../../src/core/attempt-record.ts";
import { canonicalJson } from "../../src/core/hash.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { payloadText } from "../../src/store/store.ts";
import { runNames, scope } from "./points.ts";

export type Ending = {
  /** Run, action or count → what must be the same, as text. */
  readonly compared: { readonly [name: string]: string };
  readonly actions: ReadonlyMap<string, Action>;
};

/** What had been accepted when a process was killed. */
export type Progress = {
  readonly ended: ReadonlyMap<string, Action>;
  /** Lines of the journal by then. */
  readonly bodies: number;
};

const opened = async <T>(dataDir: string, work: (store: Store) => Promise<T>): Promise<T> => {
  const store = await openSqliteStore({ path: join(dataDir, "godwit.db") });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
};

async function allActions(store: Store): Promise<ReadonlyMap<string, Action>> {
  const found = new Map<string, Action>();
  for (const name of runNames) {
    const run = await store.run(scope.project, scope.domain, name);
    if (run === null) continue;
    for (const action of await store.listActions({ run: run.id }, 10_000)) found.set(`${name} ${action.name}`, action);
  }
  return found;
}

export const progressOf = (dataDir: string, journal: string): Promise<Progress> =>
  opened(dataDir, async (store) => ({
    ended: new Map([...(await allActions(store))].filter(([, { phase }]) => isTerminal(phase))),
    bodies: readFileSync(journal, "utf8").split("\n").filter(Boolean).length,
  }));

export const endingOf = (dataDir: string): Promise<Ending> =>
  opened(dataDir, async (store) => {
    const actions = await allActions(store);
    const compared: { [name: string]: string } = {};
    for (const name of runNames) {
      const run = await store.run(scope.project, scope.domain, name);
      compared[name] = canonicalJson(
        run === null ? null : { phase: run.phase, counts: { ...(await store.counts(run.id)) } },
      );
    }
    const shared = cacheStatuses(actions.values());
    for (const [name, action] of actions) {
      const records = await store.attempts(action);
      const failed = records.filter(({ phase }) => phase !== "interrupted" && phase !== "failed").length;
      compared[name] = canonicalJson({
        ...lasting(action),
        userFailures: userFailures(action, records),
        otherEnds: failed,
        cacheStatus: action.cacheKey === null ? action.cacheStatus : (shared.get(action.cacheKey) ?? ""),
      });
    }
    return { compared, actions };
  });

/** What may not change, whatever happened on the way. */
const lasting = (action: Action) => ({
  type: action.type,
  label: action.label,
  parent: action.parent,
  inputs: payloadText(action.inputs),
  phase: action.phase,
  outputs: action.outputs === null ? null : payloadText(action.outputs),
  error: action.error?.code ?? null,
  isRecovered: action.phase === "recovered" && action.reusedFrom !== null,
});

/** A trace that failed is done anew when its caller runs again (core/action.ts R1). */
const attemptOf = ({ type, phase, attempt }: Action): number | null =>
  type === "trace" && phase === "failed" ? null : attempt;

/** Its first attempt is the one that fails; if that was cut short, the next one succeeds. */
function userFailures({ label, userFailures: failures }: Action, records: readonly AttemptRecord[]): number {
  const first = records.find(({ attempt }) => attempt === 1);
  const isCutShort = first?.phase === "interrupted" || first?.error?.code === errorCodes.workerLost;
  return label === "flaky" && isCutShort ? failures + 1 : failures;
}

/** Which of several calls with one key did the work is a matter of luck; that one did is not. */
function cacheStatuses(actions: Iterable<Action>): ReadonlyMap<string, string> {
  const found = new Map<string, string[]>();
  for (const { cacheKey, cacheStatus } of actions) {
    if (cacheKey !== null) found.set(cacheKey, [...(found.get(cacheKey) ?? []), String(cacheStatus)].sort());
  }
  return new Map([...found].map(([key, statuses]) => [key, statuses.join(" ")]));
}

/**
 * Bodies that ran more often than they may: a journal line is `run action attempt`. A body runs once
 * under its attempt's number, and never after its action's end was accepted; such an end stays.
 */
export function repeats(lines: readonly string[], accepted: readonly Progress[], ending: Ending): readonly string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const line of lines) {
    if (seen.has(line)) problems.push(`the body of an attempt ran twice: ${line}`);
    seen.add(line);
  }
  for (const { ended, bodies } of accepted) {
    for (const line of lines.slice(bodies)) {
      const name = line.split(" ").slice(0, 2).join(" ");
      if (ended.has(name)) problems.push(`a body ran after its action had ended: ${line}`);
    }
    for (const [name, before] of ended) {
      const after = ending.actions.get(name);
      const [was, is] = [before, after].map(
        (action) => action && canonicalJson({ ...lasting(action), attempt: attemptOf(action) }),
      );
      if (was !== is) problems.push(`an accepted end was changed: ${name} was\n    ${was}\n  and is\n    ${is}`);
    }
  }
  return problems;
}

/** What nobody will ever take away: leases, marks of dead processes, half of a blob. */
export async function leftovers(dataDir: string): Promise<readonly string[]> {
  return [...(await opened(dataDir, leases)), ...(await brokenBlobs(dataDir)), ...workspaces(dataDir)];
}

async function leases(store: Store): Promise<readonly string[]> {
  const problems: string[] = [];
  const actions = await allActions(store);
  for (const [name, { owner, phase }] of actions) {
    if (owner !== null) problems.push(`${name} (${phase}) is still leased to ${owner}`);
    if (!isTerminal(phase)) problems.push(`${name} has not ended: it is ${phase}`);
  }
  const runs = [...new Set([...actions.values()].map(({ run }) => run))];
  for (const { name } of await store.sweeps(runs, 100)) problems.push(`what ${name} called is still to be ended`);
  const keys = [...new Set([...actions.values()].flatMap(({ cacheKey }) => (cacheKey === null ? [] : [cacheKey])))];
  for (const { action } of await store.reservations(keys)) problems.push(`${action} still holds its cache key`);
  for (const { id, isLive } of await store.engines())
    problems.push(`the engine ${id} is still known (live: ${isLive})`);
  return problems;
}

/** Of commands: they hold copies of inputs. */
const workspaces = (dataDir: string): readonly string[] =>
  readdirSync(join(dataDir, "tmp"))
    .filter((name) => name.startsWith("shell-"))
    .map((name) => `the working directory ${name} of a dead process stays`);

async function brokenBlobs(dataDir: string): Promise<readonly string[]> {
  const dir = join(dataDir, "blobs");
  mkdirSync(join(dir, "tmp"), { recursive: true });
  // As if the next process came an hour and more later.
  const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1_000);
  for (const name of readdirSync(join(dir, "tmp"))) utimesSync(join(dir, "tmp", name), longAgo, longAgo);
  const blobs = await openFileBlobs(dir);
  const problems = readdirSync(join(dir, "tmp")).map((name) => `the temporary file ${name} stays for ever`);
  for (const digest of await blobs.list(null, 10_000)) {
    if ((await blobs.verify(digest)) !== true) problems.push(`the blob ${digest} is not what its name says`);
  }
  return problems;
}
