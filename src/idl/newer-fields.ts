// Fields that messages of Flyte's protocol have got since its npm package was published, by message: the number
// and type that the Python package flyteidl2 2.0.51 gives them.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  AbortRequestSchema as ActionsAbortRequestSchema,
  ActionSchema as ActionsActionSchema,
  SignalRequestSchema,
} from "#idl/flyteidl2/actions/actions_service_pb.js";
import { SelectClusterRequestSchema, SelectClusterResponseSchema } from "#idl/flyteidl2/cluster/payload_pb.js";
import {
  ActionIdentifierSchema,
  ClusterIdentifierSchema,
  RunIdentifierSchema,
} from "#idl/flyteidl2/common/identifier_pb.js";
import { EnrichedIdentitySchema } from "#idl/flyteidl2/common/identity_pb.js";
import { OffloadedInputDataSchema } from "#idl/flyteidl2/common/run_pb.js";
import { TaskMetadataSchema, TaskTemplateSchema } from "#idl/flyteidl2/core/tasks_pb.js";
import { LiteralTypeSchema } from "#idl/flyteidl2/core/types_pb.js";
import {
  GetActionDataRequestSchema,
  GetActionDataResponseSchema,
  TailLogsRequestSchema,
  TailLogsResponse_LogsSchema,
  UploadInputsRequestSchema,
} from "#idl/flyteidl2/dataproxy/dataproxy_service_pb.js";
import { ImageSchema, PythonWheelsSchema } from "#idl/flyteidl2/imagebuilder/definition_pb.js";
import { ContainerIdentifierSchema } from "#idl/flyteidl2/logs/dataplane/payload_pb.js";
import { RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import { LatestRunSummarySchema, TaskTriggerSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { ListVersionsResponse_VersionResponseSchema } from "#idl/flyteidl2/task/task_service_pb.js";
import { TriggerSpecSchema } from "#idl/flyteidl2/trigger/trigger_definition_pb.js";
import {
  ActionAttemptSchema,
  ActionDetailsSchema,
  ActionMetadataSchema,
  ClusterEventSchema,
  ConditionActionMetadataSchema,
  ConditionActionSchema,
  ErrorInfoSchema,
  RunSchema,
} from "#idl/flyteidl2/workflow/run_definition_pb.js";
import {
  CreateRunRequestSchema,
  GetActionLogContextResponseSchema,
  ListRunsRequestSchema,
  WatchActionsRequestSchema,
} from "#idl/flyteidl2/workflow/run_service_pb.js";
import type { CacheMetadata, Label, Recover, Relation, ReusePolicy, SignalInfo } from "./newer-messages.ts";
import type { FieldType } from "./protocol-additions.ts";

/** A field of messages M, whose value is a V. */
export type NewField<M extends DescMessage, V> = {
  readonly extendee: M;
  readonly number: number;
  readonly type: FieldType;
  readonly label: "repeated" | undefined;
  readonly value?: V;
};

type Scalars = { string: string; bool: boolean; int32: number; uint32: number; int64: bigint; double: number };

const scalar = <M extends DescMessage, S extends keyof Scalars>(
  extendee: M,
  number: number,
  type: S,
): NewField<M, Scalars[S]> => ({ extendee, number, type, label: undefined });

const message = <M extends DescMessage, T extends DescMessage>(
  extendee: M,
  number: number,
  type: T,
): NewField<M, MessageShape<T>> => ({ extendee, number, type, label: undefined });

/** Of a message of newer-messages.ts. */
const own = <M extends DescMessage, V>(extendee: M, number: number, name: string): NewField<M, V> => ({
  extendee,
  number,
  type: { own: "message", name },
  label: undefined,
});

const enumeration = <M extends DescMessage>(extendee: M, number: number, name: string): NewField<M, number> => ({
  extendee,
  number,
  type: { own: "enum", name },
  label: undefined,
});

const runSpec = {
  runStartTime: message(RunSpecSchema, 12, TimestampSchema),
  maxActionConcurrency: scalar(RunSpecSchema, 13, "uint32"),
  runBaseDir: scalar(RunSpecSchema, 14, "string"),
  relatedTo: message(RunSpecSchema, 15, RunIdentifierSchema),
  clusterPool: scalar(RunSpecSchema, 16, "string"),
  taskSpecSource: enumeration(RunSpecSchema, 17, "TaskSpecSource"),
  relation: own<typeof RunSpecSchema, Relation>(RunSpecSchema, 18, "Relation"),
  recover: own<typeof RunSpecSchema, Recover>(RunSpecSchema, 19, "Recover"),
};

const dataProxy = {
  uploadInputsRequest: { baseDir: scalar(UploadInputsRequestSchema, 7, "string") },
  /** A RunSource. */
  getActionDataRequest: { runSource: scalar(GetActionDataRequestSchema, 2, "int32") },
  getActionDataResponse: {
    inputsUri: scalar(GetActionDataResponseSchema, 3, "string"),
    outputsUri: scalar(GetActionDataResponseSchema, 4, "string"),
  },
  tailLogsRequest: {
    allPods: scalar(TailLogsRequestSchema, 5, "bool"),
    primaryPod: scalar(TailLogsRequestSchema, 6, "bool"),
  },
  tailLogsResponseLogs: { container: message(TailLogsResponse_LogsSchema, 2, ContainerIdentifierSchema) },
};

const actionDetails = {
  condition: message(ActionDetailsSchema, 9, ConditionActionSchema),
  signalInfo: own<typeof ActionDetailsSchema, SignalInfo>(ActionDetailsSchema, 10, "SignalInfo"),
};

const clusterEvent = {
  type: enumeration(ClusterEventSchema, 3, "EventType"),
  reason: scalar(ClusterEventSchema, 4, "string"),
  sourceComponent: scalar(ClusterEventSchema, 5, "string"),
  count: scalar(ClusterEventSchema, 6, "int32"),
};

/** Message → field, as TypeScript would name them. */
export const newFields = {
  runSpec,
  ...dataProxy,
  createRunRequest: { runStartTime: message(CreateRunRequestSchema, 10, TimestampSchema) },
  listRunsRequest: { pausedActionsOnly: scalar(ListRunsRequestSchema, 9, "bool") },
  watchActionsRequest: { enableRunStore: scalar(WatchActionsRequestSchema, 3, "bool") },
  getActionLogContextResponse: {
    startTime: message(GetActionLogContextResponseSchema, 3, TimestampSchema),
    endTime: message(GetActionLogContextResponseSchema, 4, TimestampSchema),
  },
  selectClusterRequest: { clusterId: message(SelectClusterRequestSchema, 10, ClusterIdentifierSchema) },
  selectClusterResponse: { cluster: scalar(SelectClusterResponseSchema, 2, "string") },
  /** A map: see `labelsOf`. */
  run: { labels: { ...own<typeof RunSchema, Label[]>(RunSchema, 2, "Label"), label: "repeated" as const } },
  actionMetadata: {
    relation: own<typeof ActionMetadataSchema, Relation>(ActionMetadataSchema, 17, "Relation"),
    recoveredFrom: message(ActionMetadataSchema, 18, ActionIdentifierSchema),
  },
  conditionActionMetadata: { type: message(ConditionActionMetadataSchema, 5, LiteralTypeSchema) },
  errorInfo: { code: scalar(ErrorInfoSchema, 3, "string") },
  actionDetails,
  actionAttempt: {
    cacheMetadata: own<typeof ActionAttemptSchema, CacheMetadata>(ActionAttemptSchema, 14, "CacheMetadata"),
  },
  clusterEvent,
  /** Of flyteidl2.actions, as the next two. */
  actionsAction: { recoveredFrom: message(ActionsActionSchema, 10, ActionIdentifierSchema) },
  actionsAbortRequest: { abortedBy: message(ActionsAbortRequestSchema, 3, EnrichedIdentitySchema) },
  actionsSignalRequest: { signalledBy: message(SignalRequestSchema, 4, EnrichedIdentitySchema) },
  taskMetadata: {
    producesArtifacts: scalar(TaskMetadataSchema, 23, "bool"),
    cacheMaxAge: message(TaskMetadataSchema, 24, DurationSchema),
  },
  taskTemplate: {
    reusePolicy: own<typeof TaskTemplateSchema, ReusePolicy>(TaskTemplateSchema, 19, "ReusePolicy"),
  },
  taskTriggerSpec: { offloadedInputData: message(TaskTriggerSpecSchema, 5, OffloadedInputDataSchema) },
  triggerSpec: { offloadedInputData: message(TriggerSpecSchema, 7, OffloadedInputDataSchema) },
  listVersionsResponseVersion: {
    deployedBy: message(ListVersionsResponse_VersionResponseSchema, 3, EnrichedIdentitySchema),
    latestRun: message(ListVersionsResponse_VersionResponseSchema, 4, LatestRunSummarySchema),
  },
  image: { buildRun: message(ImageSchema, 3, RunIdentifierSchema) },
  pythonWheels: { packageName: scalar(PythonWheelsSchema, 4, "string") },
};
