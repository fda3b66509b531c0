// Messages and enums that Flyte's protocol has got since its npm package was published: what they look like, and
// their fields with the numbers of the Python package flyteidl2 2.0.51.
import type { Message } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type ActionAttemptIdentifier,
  ActionAttemptIdentifierSchema,
  type ActionIdentifier,
  ActionIdentifierSchema,
  type RunIdentifier,
  RunIdentifierSchema,
} from "#idl/flyteidl2/common/identifier_pb.js";
import { type EnrichedIdentity, EnrichedIdentitySchema } from "#idl/flyteidl2/common/identity_pb.js";
import { type Literal, LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import type { Additions } from "./protocol-additions.ts";

/** How a run came of another. */
export type Relation = Message<"flyteidl2.workflow.Relation"> & { relatedTo?: RunIdentifier; relationType: number };

export const relationTypes = { unspecified: 0, rerun: 1, recover: 2, spawn: 3, triggered: 4, onArtifact: 5 } as const;

export type Recover = Message<"flyteidl2.workflow.Recover"> & { forceRerunActions: string[] };

/** Of RunSpec.task_spec_source. */
export const taskSpecSources = { unspecified: 0, deployed: 1, ephemeral: 2 } as const;

export type ReusePolicy = Message<"flyteidl2.workflow.ReusePolicy"> & {
  minReplicas: number;
  maxReplicas: number;
  concurrency: number;
  idleTtl?: Duration;
  scaledownTtl?: Duration;
  /** 0: all runs, 1: one. */
  scope: number;
};

/** Whose result a cached attempt has. */
export type CacheMetadata = Message<"flyteidl2.workflow.CacheMetadata"> & {
  sourceActionAttempt?: ActionAttemptIdentifier;
};

/** How a condition was answered. */
export type SignalInfo = Message<"flyteidl2.workflow.SignalInfo"> & {
  signalledBy?: EnrichedIdentity;
  output?: Literal;
};

export type EventPayload = Message<"flyteidl2.workflow.EventPayload"> & {
  value:
    | { case: "boolValue"; value: boolean }
    | { case: "intValue"; value: bigint }
    | { case: "floatValue"; value: number }
    | { case: "stringValue"; value: string }
    | { case: undefined; value?: undefined };
};

export type SignalEventRequest = Message<"flyteidl2.workflow.SignalEventRequest"> & {
  actionId?: ActionIdentifier;
  parentActionName: string;
  payload?: EventPayload;
};

export type SignalEventResponse = Message<"flyteidl2.workflow.SignalEventResponse">;

/** Run.labels is a map, and on the wire a list of these. */
export type Label = Message<"flyteidl2.workflow.Label"> & { key: string; value: string };

const own = (name: string) => ({ own: "message", name }) as const;

export const newerMessages: Additions["messages"] = {
  Relation: { related_to: [1, RunIdentifierSchema], relation_type: [2, { own: "enum", name: "RelationType" }] },
  Recover: { force_rerun_actions: [1, "string", "repeated"] },
  ReusePolicy: {
    min_replicas: [1, "int32"],
    max_replicas: [2, "int32"],
    concurrency: [3, "int32"],
    idle_ttl: [4, DurationSchema],
    scaledown_ttl: [5, DurationSchema],
    scope: [6, { own: "enum", name: "ReuseScope" }],
  },
  CacheMetadata: { source_action_attempt: [1, ActionAttemptIdentifierSchema] },
  SignalInfo: { signalled_by: [1, EnrichedIdentitySchema], output: [2, LiteralSchema] },
  EventPayload: {
    bool_value: [1, "bool"],
    int_value: [2, "int64"],
    float_value: [3, "double"],
    string_value: [4, "string"],
  },
  SignalEventRequest: {
    action_id: [1, ActionIdentifierSchema],
    parent_action_name: [2, "string"],
    payload: [3, own("EventPayload")],
  },
  SignalEventResponse: {},
  Label: { key: [1, "string"], value: [2, "string"] },
};

export const newerOneofs: Additions["oneofs"] = {
  EventPayload: ["bool_value", "int_value", "float_value", "string_value"],
};

export const newerEnums: Additions["enums"] = {
  RelationType: [
    "RELATION_TYPE_UNSPECIFIED",
    "RELATION_TYPE_RERUN",
    "RELATION_TYPE_RECOVER",
    "RELATION_TYPE_SPAWN",
    "RELATION_TYPE_TRIGGERED",
    "RELATION_TYPE_ON_ARTIFACT",
  ],
  TaskSpecSource: ["TASK_SPEC_SOURCE_UNSPECIFIED", "TASK_SPEC_SOURCE_DEPLOYED", "TASK_SPEC_SOURCE_EPHEMERAL"],
  ReuseScope: ["GLOBAL", "RUN"],
  EventType: ["TYPE_UNSPECIFIED", "TYPE_NORMAL", "TYPE_WARNING"],
};

export const newerServices: Additions["services"] = {
  RunService: { SignalEvent: ["SignalEventRequest", "SignalEventResponse"] },
};
