// From running to an end: takes what executors report, decides, commits. A report that is late, or
// about another attempt, changes nothing (core/action.ts R2).
import { fromPayload, isLost } from "../blob/payload.ts";
import type { Action, ActionEvent, Policy } from "../core/action.ts";
import { type CacheEntry, hashInputs } from "../core/cache.ts";
import type { Outcome } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import type { Change } from "../store/store.ts";
import { batchSize, changesOf, type EngineParts, runOf } from "./parts.ts";
import { wakeWaiters } from "./waiters.ts";

export type Settled = {
  readonly progress: boolean /** To be tried again: the row moved in between. */;
  readonly again: readonly Outcome[];
};

export async function settleOutcomes(parts: EngineParts, outcomes: readonly Outcome[]): Promise<Settled> {
  if (outcomes.length === 0) return { progress: false, again: [] };
  const actions = new Map(
    (await parts.store.actions(outcomes.map(({ run, action }) => ({ run, name: action })))).map((action) => [
      `${action.run}/${action.name}`,
      action,
    ]),
  );
  const known = outcomes.flatMap((outcome) => {
    const action = actions.get(`${outcome.run}/${outcome.action}`);
    return action === undefined ? [] : [{ action, outcome }];
  });
  const policies = await parts.documents.policies(known.map(({ action }) => action));
  const settled = await Promise.all(
    known.map(async ({ action, outcome }, index) =>
      (await settleOne(parts, action, policies[index] as Policy, outcome)) ? [] : [outcome],
    ),
  );
  return { progress: true, again: settled.flat() };
}

/** False if it has to be decided again on newer rows. */
async function settleOne(parts: EngineParts, action: Action, policy: Policy, outcome: Outcome): Promise<boolean> {
  const changed = await changesOf(parts, action, policy, eventOf(outcome));
  if (changed === null) return true;
  const entry = changed.next.phase === "succeeded" ? await entryOf(parts, changed.next) : null;
  const changes: readonly Change[] =
    entry === null ? changed.changes : [...changed.changes, { type: "putCacheEntry", entry }];
  const result = await parts.store.commit(changes);
  if (result.type !== "committed") return false;
  if (action.cacheKey !== null) await wakeWaiters(parts, [action.cacheKey]);
  return true;
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
  const [run, spec] = await Promise.all([runOf(parts, action.run), parts.documents.taskSpec(action)]);
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

/** Everything that executors have to say, in batches. */
export function takeOutcomes(parts: EngineParts): readonly Outcome[] {
  return parts.executors.flatMap((executor) => executor.takeOutcomes(batchSize));
}
