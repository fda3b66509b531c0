// Actions as the protocol shows them: briefly in lists, and in details with their attempts.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ActionIdentifier, ActionIdentifierSchema } from "#idl/flyteidl2/common/identifier_pb.js";
import { CatalogCacheStatus } from "#idl/flyteidl2/core/catalog_pb.js";
import {
  type ActionAttemptSchema,
  type ActionDetails,
  ActionDetailsSchema,
  type Action as ActionMessage,
  type ActionMetadata,
  ActionMetadataSchema,
  ActionSchema,
  type ActionStatusSchema,
  ActionType,
  type ConditionActionMetadata,
  ConditionActionMetadataSchema,
  type ErrorInfo,
  ErrorInfo_Kind,
  ErrorInfoSchema,
  RunSource,
} from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { ActionView } from "../control/control.ts";
import { type Action, type ActionError, isTerminal, type Phase } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import type { ConditionSpec } from "../core/messages.ts";
import type { Run, RunRelation } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import { newer, type Relation, RelationSchema, relationTypes, setNewerField } from "../idl/newer.ts";
import { phaseMessage } from "../idl/phase-message.ts";
import { taskSpecMessage } from "../idl/task-spec-message.ts";
import { timestampOfMs } from "../idl/time-message.ts";
import { typeMessage } from "../idl/type-message.ts";
import { conditionMessage } from "./conditions.ts";
import { attemptFailure, failureOf } from "./failures.ts";
import { actionIdMessage, runIdMessage } from "./identifiers.ts";
import { identityMessage } from "./identity-message.ts";

/** What an action is of: its run, and what it calls. Null: it calls nothing of the kind. */
export type Shown = {
  readonly run: Run;
  readonly action: Action;
  readonly spec: TaskSpec | null;
  readonly condition: ConditionSpec | null;
};

export const actionMessage = (shown: Shown): ActionMessage =>
  create(ActionSchema, {
    id: actionIdMessage(shown.run, shown.action.name),
    metadata: metadataMessage(shown),
    status: statusMessage(shown.action),
  });

export function actionDetailsMessage(run: Run, view: ActionView): ActionDetails {
  const { action, spec, condition } = view;
  const shown: Shown = { run, action, spec, condition };
  const details = create(ActionDetailsSchema, {
    id: actionIdMessage(run, action.name),
    metadata: metadataMessage(shown),
    status: statusMessage(action),
    result: resultMessage(run, action, spec),
    ...(spec === null ? {} : { spec: { case: "task", value: taskSpecMessage(spec) } }),
    attempts: attemptMessages(view),
  });
  return condition === null
    ? details
    : setNewerField(details, newer.actionDetails.condition, conditionMessage(condition));
}

const actionTypes = { task: ActionType.TASK, trace: ActionType.TRACE, condition: ActionType.CONDITION } as const;

type CalledInit = NonNullable<MessageInitShape<typeof ActionMetadataSchema>["spec"]>;
type ResultInit = NonNullable<MessageInitShape<typeof ActionDetailsSchema>["result"]>;

function metadataMessage(shown: Shown): ActionMetadata {
  const { run, action, spec } = shown;
  const { trigger, source } = run.origin;
  const metadata = create(ActionMetadataSchema, {
    parent: action.parent ?? "",
    group: action.group ?? "",
    executedBy: identityMessage(run.caller),
    actionType: actionTypes[action.type],
    environmentName: spec?.environment ?? "",
    funtionName: action.label,
    source: sources[source] ?? RunSource.UNSPECIFIED,
    spec: calledMessage(shown),
    ...(trigger === null ? {} : { triggerName: trigger.name, triggerId: triggerIdMessage(run, trigger) }),
  });
  const from = action.phase === "recovered" ? recoveredFrom(run, action) : undefined;
  setNewerField(metadata, newer.actionMetadata.recoveredFrom, from);
  return setNewerField(metadata, newer.actionMetadata.relation, action.parent === null ? relationOf(run) : undefined);
}

const triggerIdMessage = ({ project, domain, task }: Run, { name, revision }: { name: string; revision: number }) => ({
  name: { org: "", project, domain, name, taskName: task },
  revision: BigInt(revision),
});

function recoveredFrom(run: Run, { reusedFrom }: Action): ActionIdentifier | undefined {
  const [name, action] = reusedFrom?.split("/") ?? [];
  if (name === undefined || action === undefined) return undefined;
  return create(ActionIdentifierSchema, actionIdMessage({ ...run, name }, action));
}

const relations: { readonly [type in RunRelation]: number } = {
  rerun: relationTypes.rerun,
  recover: relationTypes.recover,
  spawn: relationTypes.spawn,
  triggered: relationTypes.triggered,
  artifact: relationTypes.onArtifact,
};

function relationOf(run: Run): Relation | undefined {
  const { related } = run.origin;
  if (related === null) return undefined;
  const relatedTo = runIdMessage({ ...run, name: related.run });
  return create(RelationSchema, { relatedTo, relationType: relations[related.type] });
}

function calledMessage(shown: Shown): CalledInit {
  const { run, action, spec, condition } = shown;
  if (action.type === "trace") return { case: "trace", value: { name: action.label } };
  if (action.type === "condition") return { case: "condition", value: conditionMetadata(action, condition) };
  const { project, domain } = run;
  return {
    case: "task",
    value: {
      id: { org: "", project, domain, name: spec?.name ?? action.label, version: versionOf(shown) },
      taskType: spec === null ? "" : taskTypeOf(spec),
      shortName: spec?.shortName ?? action.label,
    },
  };
}

const versions = new WeakMap<TaskSpec, string>();

/** That of the deployed task, or else what its client calls the code. */
function versionOf({ run, action, spec }: Shown): string {
  if (action.parent === null && run.origin.taskVersion !== null) return run.origin.taskVersion;
  if (spec === null) return "";
  const known = versions.get(spec) ?? taskSpecMessage(spec).taskTemplate?.id?.version ?? "";
  versions.set(spec, known);
  return known;
}

const taskTypeOf = ({ target }: TaskSpec): string => (target.type === "container" ? target.taskType : target.type);

function conditionMetadata({ label }: Action, condition: ConditionSpec | null): ConditionActionMetadata {
  const metadata = create(ConditionActionMetadataSchema, { name: label });
  if (condition === null) return metadata;
  const type = typeMessage({ type: "simple", simple: condition.valueType });
  return setNewerField(metadata, newer.conditionActionMetadata.type, type);
}

const sources: { readonly [source in Run["origin"]["source"]]?: RunSource } = {
  web: RunSource.WEB,
  cli: RunSource.CLI,
  schedule: RunSource.SCHEDULE_TRIGGER,
};

function statusMessage(action: Action): MessageInitShape<typeof ActionStatusSchema> {
  const { phase, startedAtMs, endedAtMs, createdAtMs } = action;
  return {
    phase: phaseMessage(phase),
    startTime: timestampOfMs(startedAtMs ?? createdAtMs),
    ...(endedAtMs === null
      ? {}
      : { endTime: timestampOfMs(endedAtMs), durationMs: BigInt(endedAtMs - (startedAtMs ?? createdAtMs)) }),
    attempts: attemptCount(action),
    cacheStatus: cacheMessage(action),
  };
}

/** What came from the cache or was recovered has ended without an attempt; clients look for the last one of a list. */
const attemptCount = ({ attempt, phase }: Action): number => (isTerminal(phase) ? Math.max(attempt, 1) : attempt);

const cacheStatuses = {
  off: CatalogCacheStatus.CACHE_DISABLED,
  miss: CatalogCacheStatus.CACHE_MISS,
  hit: CatalogCacheStatus.CACHE_HIT,
  overwritten: CatalogCacheStatus.CACHE_SKIPPED,
} as const;

const cacheMessage = ({ cacheStatus, phase }: Action): CatalogCacheStatus =>
  cacheStatus === "miss" && phase === "succeeded"
    ? CatalogCacheStatus.CACHE_POPULATED
    : cacheStatuses[cacheStatus ?? "off"];

function resultMessage(run: Run, action: Action, spec: TaskSpec | null): ResultInit {
  if (action.phase === "aborted")
    return {
      case: "abortInfo",
      value: {
        reason: action.error?.message ?? run.abortReason ?? "",
        abortedBy: identityMessage(run.caller),
      },
    };
  if (action.phase !== "failed" && action.phase !== "timed_out") return { case: undefined };
  const failure = failureOf(action, spec?.timeouts ?? null);
  return failure === null ? { case: undefined } : { case: "errorInfo", value: errorInfoMessage(failure) };
}

export function errorInfoMessage({ code, message, kind }: ActionError): ErrorInfo {
  const info = create(ErrorInfoSchema, {
    message,
    kind: kind === "user" ? ErrorInfo_Kind.USER : ErrorInfo_Kind.SYSTEM,
  });
  return setNewerField(info, newer.errorInfo.code, code);
}

type AttemptInit = MessageInitShape<typeof ActionAttemptSchema>;

function attemptMessages(view: ActionView): AttemptInit[] {
  const { action } = view;
  const earlier = view.attempts.map((record, at) => earlierAttempt(action, record, view.attempts[at - 1] ?? null));
  return attemptCount(action) > view.attempts.length ? [...earlier, lastAttempt(view)] : earlier;
}

const earlierPhases: { readonly [phase in AttemptRecord["phase"]]: Phase } = {
  failed: "failed",
  timed_out: "timed_out",
  interrupted: "aborted",
};

function earlierAttempt(action: Action, record: AttemptRecord, before: AttemptRecord | null): AttemptInit {
  const { attempt, phase, startedAtMs, endedAtMs, error } = record;
  const queuedAtMs = before?.endedAtMs ?? action.createdAtMs;
  return {
    attempt,
    phase: phaseMessage(earlierPhases[phase]),
    startTime: timestampOfMs(startedAtMs),
    endTime: timestampOfMs(endedAtMs),
    logsAvailable: true,
    phaseTransitions: transitions({ queuedAtMs, startedAtMs, endedAtMs, phase: earlierPhases[phase] }),
    ...(error === null ? {} : { errorInfo: errorInfoMessage(attemptFailure(error, phase === "timed_out")) }),
  };
}

function lastAttempt({ action, attempts, spec }: ActionView): AttemptInit {
  const queuedAtMs = attempts.at(-1)?.endedAtMs ?? action.createdAtMs;
  const startedAtMs = action.attemptStartedAtMs ?? action.startedAtMs;
  const failure = isTerminal(action.phase) ? failureOf(action, spec?.timeouts ?? null) : null;
  return {
    attempt: attemptCount(action),
    phase: phaseMessage(action.phase),
    startTime: timestampOfMs(startedAtMs ?? queuedAtMs),
    ...(action.endedAtMs === null ? {} : { endTime: timestampOfMs(action.endedAtMs) }),
    logsAvailable: action.type === "task" && action.attempt > 0,
    cacheStatus: cacheMessage(action),
    phaseTransitions: transitions({ queuedAtMs, startedAtMs, endedAtMs: action.endedAtMs, phase: action.phase }),
    ...(failure === null ? {} : { errorInfo: errorInfoMessage(failure) }),
  };
}

type Course = {
  readonly queuedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly phase: Phase;
};

/** From being queued over running to the phase that it is in now, or ended in. */
function transitions({ queuedAtMs, startedAtMs, endedAtMs, phase }: Course) {
  const moments: (readonly [Phase, number])[] = [["queued", queuedAtMs]];
  if (startedAtMs !== null) moments.push([phase === "paused" ? "paused" : "running", startedAtMs]);
  if (endedAtMs !== null) moments.push([phase, endedAtMs]);
  return moments.map(([each, atMs], at) => {
    const next = moments[at + 1]?.[1];
    return {
      phase: phaseMessage(each),
      startTime: timestampOfMs(atMs),
      ...(next === undefined ? {} : { endTime: timestampOfMs(next) }),
    };
  });
}
