// From running to an end: takes what executors report, decides, commits. A report that is late, or
// about another attempt, changes nothing (core/action.ts R2).
import { fromPayload, isLost } from "../blob/payload.ts";
import { type Action, type ActionEvent, isTerminal } from "../core/action.ts";
import { type CacheEntry, hashInputs } from "../core/cache.ts";
import type { Outcome } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import type { Change } from "../store/store.ts";
import { commitEach } from "./commits.ts";
import { batchSize, type Changed, changesOf, type EngineParts, runOf } from "./parts.ts";
import { wakeNext, wakeWaiters } from "./waiters.ts";

/** Everything that executors have to say, in batches. */
export function takeOutcomes(parts: EngineParts): readonly Outcome[] {
  return parts.executors.flatMap((executor) => executor.takeOutcomes(batchSize));
}

/** Resolves when all of them are committed, or known to change nothing. */
export async function settleOutcomes(parts: EngineParts, outcomes: readonly Outcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  const rows = outcomes.map(({ run, action }) => parts.live.get(run, action));
  let again = await settleThese(parts, outcomes, rows);
  while (again.length > 0) {
    const read = await parts.store.actions(again.map(({ run, action }) => ({ run, name: action })));
    const known = new Map(read.map((action) => [`${action.run}/${action.name}`, action]));
    again = await settleThese(
      parts,
      again,
      again.map(({ run, action }) => known.get(`${run}/${action}`) ?? null),
    );
  }
}

/** Those that have to be decided on newer rows: there was none (undefined), or it was too old. */
async function settleThese(
  parts: EngineParts,
  outcomes: readonly Outcome[],
  rows: readonly (Action | null | undefined)[],
): Promise<readonly Outcome[]> {
  await parts.documents.specs(rows.flatMap((row) => (row?.spec == null ? [] : [row.spec])));
  const made = await Promise.all(
    outcomes.map((outcome, at) => {
      const row = rows[at];
      return row == null ? null : changesFor(parts, row, outcome);
    }),
  );
  const results = await commitEach(
    parts.store,
    made.filter((changes) => changes !== null),
    "synced",
  );
  const done: string[] = [];
  const freed: string[] = [];
  let next = 0;
  const again = outcomes.filter((_, at) => {
    if (made[at] === null) return rows[at] === undefined;
    const result = results[next++];
    if (result?.type !== "committed") return true;
    for (const row of result.actions) parts.note(row);
    const key = rows[at]?.cacheKey;
    if (key == null) return false;
    if (made[at]?.some(({ type }) => type === "putCacheEntry")) done.push(key);
    // One that is tried again keeps the key.
    else if (result.actions.some(({ cacheKey, phase }) => cacheKey === key && isTerminal(phase))) freed.push(key);
    return false;
  });
  if (done.length > 0) await wakeWaiters(parts, done);
  if (freed.length > 0) await wakeNext(parts, freed);
  return again;
}

/** Null: the outcome changes nothing. */
function changesFor(
  parts: EngineParts,
  action: Action,
  outcome: Outcome,
): readonly Change[] | null | Promise<readonly Change[] | null> {
  const decided = changesOf(parts, action, parts.documents.policy(action), eventOf(outcome));
  if (decided === null) return null;
  if (!(decided instanceof Promise) && action.cacheKey === null) return decided.changes;
  return withEntry(parts, decided);
}

async function withEntry(parts: EngineParts, decided: Changed | Promise<Changed>): Promise<readonly Change[]> {
  const { next, changes } = await decided;
  const entry = next.phase === "succeeded" ? await entryOf(parts, next) : null;
  return entry === null ? changes : [...changes, { type: "putCacheEntry", entry }];
}

function eventOf({ attempt, result }: Outcome): ActionEvent {
  switch (result.type) {
    case "succeeded":
      return { type: "succeeded", attempt, outputs: result.outputs };
    case "failed":
      return { type: "failed", attempt, error: result.error };
    case "interrupted":
      return { type: "interrupted", attempt };
  }
}

async function entryOf(parts: EngineParts, action: Action): Promise<CacheEntry | null> {
  if (action.cacheKey === null || action.outputs === null || action.spec === null) return null;
  // An attempt may come to its end after its run was given up here.
  const run = parts.served.get(action.run) ?? (await runOf(parts, action.run));
  const spec = await parts.documents.taskSpec(action);
  if (run === null || spec === null) return null;
  const inputs = await inputsOf(parts, action);
  if (inputs === null) return null;
  return {
    key: action.cacheKey,
    project: run.project,
    domain: run.domain,
    task: spec.name,
    run: run.id,
    runName: run.name,
    action: action.name,
    spec: action.spec,
    inputHashes: hashInputs(inputs),
    outputs: action.outputs,
    createdAtMs: parts.nowMs(),
  };
}

/** Null if their bytes were lost while it ran: it has succeeded all the same, only unknown to the cache. */
async function inputsOf(parts: EngineParts, action: Action): Promise<Literals | null> {
  try {
    return await fromPayload(action.inputs, parts.blobs);
  } catch (error) {
    if (isLost(error)) return null;
    throw error;
  }
}
