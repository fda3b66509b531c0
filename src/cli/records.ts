// Runs and actions as `--json` shows them: plain names, times in ISO 8601, values instead of payloads.

import type { RunView } from "../control/control.ts";
import type { Action } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import { type Wait, waitText } from "../core/wait.ts";
import type { Session } from "./session.ts";
import { literalsJson } from "./value-text.ts";

const time = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString());

const took = (fromMs: number | null, toMs: number | null): number | null =>
  fromMs === null || toMs === null ? null : toMs - fromMs;

export const runRecord = (run: RunView) => ({
  run: run.name,
  project: run.project,
  domain: run.domain,
  task: run.task,
  phase: run.phase,
  caller: run.caller,
  createdAt: time(run.createdAtMs),
  endedAt: time(run.endedAtMs),
  durationMs: took(run.createdAtMs, run.endedAtMs),
  file: run.source.file,
  bundle: run.bundle,
  recovers: run.recovers?.name ?? null,
  abortReason: run.abortReason,
  labels: run.labels,
  source: run.origin.source,
  trigger: run.origin.trigger?.name ?? null,
  version: run.origin.taskVersion,
  actions: run.counts,
});

/** Why it does not go on, with the sentence that people read. */
export const waitRecord = (wait: Wait | undefined, nowMs: number) =>
  wait === undefined
    ? null
    : {
        ...("atMs" in wait ? { type: wait.type, at: time(wait.atMs) } : wait),
        text: waitText(wait, nowMs),
      };

export const actionRecord = (action: Action, runName: string) => ({
  run: runName,
  action: action.name,
  parent: action.parent,
  type: action.type,
  label: action.label,
  group: action.group,
  phase: action.phase,
  attempt: action.attempt,
  priority: action.priority,
  cache: action.cacheStatus,
  reusedFrom: action.reusedFrom,
  createdAt: time(action.createdAtMs),
  startedAt: time(action.startedAtMs),
  endedAt: time(action.endedAtMs),
  durationMs: took(action.startedAtMs, action.endedAtMs),
  error: action.error,
});

export const attemptRecord = (attempt: AttemptRecord) => ({
  attempt: attempt.attempt,
  phase: attempt.phase,
  startedAt: time(attempt.startedAtMs),
  endedAt: time(attempt.endedAtMs),
  durationMs: attempt.endedAtMs - attempt.startedAtMs,
  error: attempt.error,
});

export async function actionValues(session: Session, action: Action) {
  const { control, blobs } = session.godwit;
  return {
    inputs: await literalsJson(await control.literals(action.inputs), blobs),
    outputs: action.outputs === null ? null : await literalsJson(await control.literals(action.outputs), blobs),
  };
}
