// Runs and actions as the protocol tells them, in the words that everything else here has for them. What the
// protocol does not tell (the code bundle, hashes, who serves it) is empty.

import { CatalogCacheStatus } from "#idl/flyteidl2/core/catalog_pb.js";
import type {
  ActionAttempt,
  ActionDetails,
  Action as ActionMessage,
  ErrorInfo,
  Run as RunMessage,
} from "#idl/flyteidl2/workflow/run_definition_pb.js";
import { ActionType, ErrorInfo_Kind } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { ActionView, RunView } from "../control/control.ts";
import { type Action, type ActionError, isTerminal } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import { sha256Hex } from "../core/hash.ts";
import { rootName } from "../core/names.ts";
import { plainOrigin } from "../core/run.ts";
import { emptyPayload } from "../core/value.ts";
import { labelsOf, newer, newerField } from "../idl/newer.ts";
import { phaseOf } from "../idl/phase-message.ts";
import { taskSpecOf } from "../idl/task-spec-message.ts";
import { msOfTimestamp } from "../idl/time-message.ts";
import { conditionSpecOf } from "./condition-views.ts";

export type RunPlace = { readonly project: string; readonly domain: string; readonly name: string };

/** The protocol has none; what rows of one run have in common in this process. */
export const runIdOf = ({ project, domain, name }: RunPlace): number =>
  Number.parseInt(sha256Hex(`${project}/${domain}/${name}`).slice(0, 12), 16);

export function runViewOf(message: RunMessage, counts: RunView["counts"] = {}): RunView {
  const view = rootViewOf(message.action ?? ({} as ActionMessage), counts);
  return { ...view, labels: labelsOf(message) };
}

/** A run is its root. */
export function rootViewOf(
  root: Pick<ActionMessage, "id" | "metadata" | "status">,
  counts: RunView["counts"] = {},
): RunView {
  const { id, metadata } = root;
  const place = { project: id?.run?.project ?? "", domain: id?.run?.domain ?? "", name: id?.run?.name ?? "" };
  const action = actionOf(root);
  const called = metadata?.spec.case === "task" ? metadata.spec.value : null;
  const task = called?.id?.name ?? metadata?.funtionName ?? "";
  const relation = newerField(metadata, newer.actionMetadata.relation);
  const recovered = relation?.relationType === 2 ? relation.relatedTo : undefined;
  return {
    ...place,
    id: runIdOf(place),
    task,
    bundle: "",
    source: { file: "", projectDir: "" },
    phase: action.phase,
    createdAtMs: action.createdAtMs,
    updatedAtMs: action.endedAtMs ?? action.createdAtMs,
    endedAtMs: action.endedAtMs,
    caller: callerOf(metadata?.executedBy),
    owner: null,
    abortReason: null,
    recovers:
      recovered === undefined ? null : { run: runIdOf({ ...place, name: recovered.name }), name: recovered.name },
    overwriteCache: false,
    priority: 0,
    maxConcurrency: null,
    labels: {},
    origin: { ...plainOrigin(action.createdAtMs), taskVersion: called?.id?.version || null },
    revision: 0,
    counts,
  };
}

type Identity = NonNullable<ActionMessage["metadata"]>["executedBy"];

function callerOf(identity: Identity): string {
  const principal = identity?.principal;
  if (principal?.case === "user") return principal.value.id?.subject ?? "";
  return principal?.case === "application" ? (principal.value.id?.subject ?? "") : "";
}

const types = { [ActionType.TRACE]: "trace", [ActionType.CONDITION]: "condition" } as const;

export function actionOf({ id, metadata, status }: Pick<ActionMessage, "id" | "metadata" | "status">): Action {
  const phase = phaseOf(status?.phase ?? 0);
  const startedAtMs = status?.startTime === undefined ? null : msOfTimestamp(status.startTime);
  const endedAtMs = status?.endTime === undefined ? null : msOfTimestamp(status.endTime);
  const name = id?.name ?? "";
  const source = newerField(metadata, newer.actionMetadata.recoveredFrom);
  const place = { project: id?.run?.project ?? "", domain: id?.run?.domain ?? "", name: id?.run?.name ?? "" };
  return {
    run: runIdOf(place),
    name,
    parent: name === rootName ? null : metadata?.parent || rootName,
    depth: name === rootName ? 0 : 1,
    type: types[(metadata?.actionType ?? 0) as keyof typeof types] ?? "task",
    label: labelOf(metadata) || name,
    group: metadata?.group || null,
    identity: "",
    spec: null,
    inputs: emptyPayload,
    inputsHash: "",
    phase,
    attempt: isTerminal(phase) && source !== undefined ? 0 : (status?.attempts ?? 0),
    userFailures: 0,
    systemFailures: 0,
    interruptions: 0,
    oomFailures: 0,
    priority: 0,
    lane: 0,
    owner: null,
    readyAtMs: 0,
    dueAtMs: null,
    createdAtMs: startedAtMs ?? 0,
    startedAtMs: phase === "queued" ? null : startedAtMs,
    attemptStartedAtMs: phase === "queued" ? null : startedAtMs,
    endedAtMs: isTerminal(phase) ? endedAtMs : null,
    outputs: null,
    error: null,
    cacheKey: null,
    cacheStatus: cacheStatusOf(status?.cacheStatus),
    reusedFrom: source === undefined ? null : `${source.run?.name ?? ""}/${source.name}`,
    revision: 0,
  };
}

function labelOf(metadata: ActionMessage["metadata"]): string {
  const { spec } = metadata ?? {};
  if (spec?.case === "task") return spec.value.shortName || (spec.value.id?.name ?? "");
  return spec?.case === undefined ? (metadata?.funtionName ?? "") : spec.value.name;
}

function cacheStatusOf(status: CatalogCacheStatus | undefined): Action["cacheStatus"] {
  switch (status) {
    case CatalogCacheStatus.CACHE_HIT:
      return "hit";
    case CatalogCacheStatus.CACHE_MISS:
    case CatalogCacheStatus.CACHE_POPULATED:
      return "miss";
    case CatalogCacheStatus.CACHE_SKIPPED:
      return "overwritten";
    default:
      return "off";
  }
}

export function actionViewOf(details: ActionDetails): ActionView {
  const last = details.attempts.at(-1);
  const { result } = details;
  const error =
    result.case === "errorInfo"
      ? errorOf(result.value)
      : result.case === "abortInfo"
        ? abortedOf(result.value.reason)
        : last?.errorInfo === undefined
          ? null
          : errorOf(last.errorInfo);
  return {
    action: { ...actionOf(details), error },
    spec: details.spec.case === "task" ? taskSpecOf(details.spec.value) : null,
    attempts: details.attempts.slice(0, -1).map(attemptOf),
    progress: null,
    condition: conditionSpecOf(details),
    report: null,
    checkpointSizeBytes: null,
  };
}

function errorOf(info: ErrorInfo): ActionError {
  return {
    code: newerField(info, newer.errorInfo.code) || "Error",
    message: info.message,
    kind: info.kind === ErrorInfo_Kind.SYSTEM ? "system" : "user",
    recoverable: true,
    stack: null,
    location: null,
    origin: null,
  };
}

const abortedOf = (reason: string): ActionError => ({
  code: "Aborted",
  message: reason,
  kind: "user",
  recoverable: false,
  stack: null,
  location: null,
  origin: null,
});

function attemptOf({ attempt, phase, startTime, endTime, errorInfo }: ActionAttempt): AttemptRecord {
  const startedAtMs = startTime === undefined ? 0 : msOfTimestamp(startTime);
  const ended = phaseOf(phase);
  return {
    attempt,
    phase: ended === "timed_out" ? "timed_out" : ended === "failed" ? "failed" : "interrupted",
    startedAtMs,
    endedAtMs: endTime === undefined ? startedAtMs : msOfTimestamp(endTime),
    error: errorInfo === undefined ? null : errorOf(errorInfo),
  } as AttemptRecord;
}
