// What Flyte's protocol has got since its npm package (2.0.16) was published, by name. The package keeps such fields
// of a message as unknown bytes, in which they are read and written here:
//
//   newerField(request.runSpec, newer.runSpec.relation)            undefined: not set
//   setNewerField(details, newer.actionDetails.signalInfo, value)
//
// R1  A renamed field has its old name in the package and is read there: RunSpec.cluster and TaskAction.cluster are
//     the queue.
// R2  A newer value of an enum is its number, because enums are open: `newerFunctions` and `newerOperations`.
// R3  A member of a oneof is set in the place of the others: whoever sets one leaves the package's members unset.
import {
  create,
  type DescMessage,
  getExtension,
  hasExtension,
  type Message,
  type MessageShape,
  setExtension,
} from "@bufbuild/protobuf";
import type { GenExtension, GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import type { SelectClusterRequest_Operation } from "#idl/flyteidl2/cluster/payload_pb.js";
import type { Filter_Function } from "#idl/flyteidl2/common/list_pb.js";
import type { Run, RunSource } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import { type NewField, newFields } from "./newer-fields.ts";
import {
  type CacheMetadata,
  type EventPayload,
  type Label,
  newerEnums,
  newerMessages,
  newerOneofs,
  newerServices,
  type Recover,
  type Relation,
  type ReusePolicy,
  type SignalEventRequest,
  type SignalEventResponse,
  type SignalInfo,
} from "./newer-messages.ts";
import { type Additions, found, registryOf } from "./protocol-additions.ts";

export { relationTypes, taskSpecSources } from "./newer-messages.ts";
export type {
  CacheMetadata,
  EventPayload,
  Recover,
  Relation,
  ReusePolicy,
  SignalEventRequest,
  SignalEventResponse,
  SignalInfo,
};

const packageName = "flyteidl2.workflow";

const extensionName = (group: string, field: string): string => `newer_${group}_${field}`;

const entries = Object.entries(newFields).flatMap(([group, fields]) =>
  Object.entries(fields).map(
    ([field, spec]) => [extensionName(group, field), spec as NewField<DescMessage, unknown>] as const,
  ),
);

const registry = registryOf({
  package: packageName,
  enums: newerEnums,
  messages: newerMessages,
  oneofs: newerOneofs,
  services: newerServices,
  extensions: Object.fromEntries(
    entries.map(([name, { extendee, number, type, label }]): [string, Additions["extensions"][string]] => [
      name,
      label === undefined ? [extendee, number, type] : [extendee, number, type, label],
    ]),
  ),
});

type Newer = {
  readonly [group in keyof typeof newFields]: {
    readonly [field in keyof (typeof newFields)[group]]: (typeof newFields)[group][field] extends NewField<
      infer M,
      infer V
    >
      ? GenExtension<MessageShape<M>, V>
      : never;
  };
};

/** Message → field → its descriptor, for `newerField` and `setNewerField`. */
export const newer = extensionsByName() as unknown as Newer;

function extensionsByName(): { readonly [group: string]: { readonly [field: string]: unknown } } {
  const inGroup = (group: string, fields: object) =>
    Object.fromEntries(Object.keys(fields).map((field) => [field, extension(extensionName(group, field))]));
  return Object.fromEntries(Object.entries(newFields).map(([group, fields]) => [group, inGroup(group, fields)]));
}

function extension(name: string): unknown {
  return found(registry.getExtension(`${packageName}.${name}`), name);
}

/** Undefined if it is not set. */
export const newerField = <M extends Message, V>(message: M | undefined, field: GenExtension<M, V>): V | undefined =>
  message !== undefined && hasExtension(message, field) ? (getExtension(message, field) as V) : undefined;

/** Leaves the message as it is where there is no value. Gives the message back. */
export function setNewerField<M extends Message, V>(message: M, field: GenExtension<M, V>, value: V | undefined): M {
  if (value !== undefined) setExtension(message, field, value as Parameters<typeof setExtension>[2] as never);
  return message;
}

const messageNamed = <M extends Message>(name: string): GenMessage<M> =>
  found<GenMessage<M>>(registry.getMessage(`${packageName}.${name}`), name);

export const RelationSchema = messageNamed<Relation>("Relation");
export const RecoverSchema = messageNamed<Recover>("Recover");
export const ReusePolicySchema = messageNamed<ReusePolicy>("ReusePolicy");
export const CacheMetadataSchema = messageNamed<CacheMetadata>("CacheMetadata");
export const SignalInfoSchema = messageNamed<SignalInfo>("SignalInfo");
export const EventPayloadSchema = messageNamed<EventPayload>("EventPayload");
export const SignalEventRequestSchema = messageNamed<SignalEventRequest>("SignalEventRequest");
export const SignalEventResponseSchema = messageNamed<SignalEventResponse>("SignalEventResponse");
const LabelSchema = messageNamed<Label>("Label");

/** flyteidl2.workflow.RunService again, with the one call that the package lacks. */
export const SignalEventService = found<
  GenService<{
    signalEvent: {
      methodKind: "unary";
      input: typeof SignalEventRequestSchema;
      output: typeof SignalEventResponseSchema;
    };
  }>
>(registry.getService(`${packageName}.RunService`), "RunService");

export type Labels = { readonly [key: string]: string };

/** Run.labels. */
export const labelsOf = (run: Run | undefined): Labels =>
  Object.fromEntries((newerField(run, newer.run.labels) ?? []).map(({ key, value }) => [key, value]));

export function setLabels(run: Run, labels: Labels): Run {
  const list = Object.entries(labels).map(([key, value]) => create(LabelSchema, { key, value }));
  return setNewerField(run, newer.run.labels, list);
}

/** R2. Of flyteidl2.common.Filter.Function. */
export const newerFunctions = {
  valueNotIn: 9 as Filter_Function,
  exists: 15 as Filter_Function,
  notExists: 16 as Filter_Function,
} as const;

/** R2. Of flyteidl2.cluster.SelectClusterRequest.Operation. */
export const newerOperations = {
  uploadTrigger: 9 as SelectClusterRequest_Operation,
  getImage: 10 as SelectClusterRequest_Operation,
  trackedRunData: 11 as SelectClusterRequest_Operation,
  getClusterConfig: 12 as SelectClusterRequest_Operation,
} as const;

/** R2. Of flyteidl2.workflow.RunSource. */
export const newerRunSources = { tracked: 4 as RunSource, artifactTrigger: 5 as RunSource } as const;
