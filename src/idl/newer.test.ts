// Fields that the protocol's npm package lacks, in bytes that the newer Python package made.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { AbortRequestSchema } from "#idl/flyteidl2/actions/actions_service_pb.js";
import { SelectClusterRequestSchema, SelectClusterResponseSchema } from "#idl/flyteidl2/cluster/payload_pb.js";
import { FilterSchema } from "#idl/flyteidl2/common/list_pb.js";
import * as dataProxy from "#idl/flyteidl2/dataproxy/dataproxy_service_pb.js";
import { RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import { TaskTriggerSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { TriggerSpecSchema } from "#idl/flyteidl2/trigger/trigger_definition_pb.js";
import * as definitions from "#idl/flyteidl2/workflow/run_definition_pb.js";
import { CreateRunRequestSchema, ListRunsRequestSchema } from "#idl/flyteidl2/workflow/run_service_pb.js";
import {
  EventPayloadSchema,
  labelsOf,
  newer,
  newerField,
  newerFunctions,
  newerOperations,
  newerRunSources,
  RecoverSchema,
  RelationSchema,
  relationTypes,
  SignalEventRequestSchema,
  SignalEventService,
  setLabels,
  setNewerField,
  taskSpecSources,
} from "./newer.ts";
import { phaseOf } from "./phase-message.ts";

const made = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/python/messages.json"), "utf8"),
) as { readonly newer: { readonly [name: string]: string } };

const python = <Desc extends DescMessage>(schema: Desc, name: string): MessageShape<Desc> =>
  fromBinary(schema, Buffer.from(made.newer[name] as string, "base64"));

test("a run's spec from a newer client says of what it came and how much it may do", () => {
  const spec = python(RunSpecSchema, "runSpec");
  assert.equal(spec.cluster, "gpus");
  assert.deepEqual(newerField(spec, newer.runSpec.runStartTime)?.seconds, 1_800_000_000n);
  assert.equal(newerField(spec, newer.runSpec.maxActionConcurrency), 4);
  assert.equal(newerField(spec, newer.runSpec.runBaseDir), "/base");
  assert.equal(newerField(spec, newer.runSpec.relatedTo)?.name, "before");
  assert.equal(newerField(spec, newer.runSpec.clusterPool), "pool");
  assert.equal(newerField(spec, newer.runSpec.taskSpecSource), taskSpecSources.deployed);
  const relation = newerField(spec, newer.runSpec.relation);
  assert.equal(relation?.relationType, relationTypes.recover);
  assert.equal(relation?.relatedTo?.name, "before");
  assert.deepEqual(newerField(spec, newer.runSpec.recover)?.forceRerunActions, ["x", "y"]);
});

test("a field that is not there is undefined, in a message that is not there too", () => {
  assert.equal(newerField(create(RunSpecSchema), newer.runSpec.relation), undefined);
  assert.equal(newerField(undefined, newer.runSpec.relation), undefined);
});

test("requests of newer clients are read", () => {
  const { uploadInputsRequest, getActionDataRequest, tailLogsRequest, selectClusterRequest } = newer;
  const action = newerField(python(AbortRequestSchema, "actionsAbortRequest"), newer.actionsAbortRequest.abortedBy);
  assert.equal(action?.principal.case === "user" && action.principal.value.id?.subject, "ada");
  assert.equal(python(definitions.TaskActionSchema, "taskAction").cluster, "gpus");
  const create = python(CreateRunRequestSchema, "createRunRequest");
  assert.equal(newerField(create, newer.createRunRequest.runStartTime)?.nanos, 5);
  const list = python(ListRunsRequestSchema, "listRunsRequest");
  assert.equal(newerField(list, newer.listRunsRequest.pausedActionsOnly), true);
  const upload = python(dataProxy.UploadInputsRequestSchema, "uploadInputsRequest");
  assert.equal(newerField(upload, uploadInputsRequest.baseDir), "/base");
  const get = python(dataProxy.GetActionDataRequestSchema, "getActionDataRequest");
  assert.equal(newerField(get, getActionDataRequest.runSource), newerRunSources.tracked);
  const tail = python(dataProxy.TailLogsRequestSchema, "tailLogsRequest");
  assert.equal(newerField(tail, tailLogsRequest.allPods), true);
  const select = python(SelectClusterRequestSchema, "selectClusterRequest");
  assert.equal(select.operation, newerOperations.getImage);
  assert.equal(newerField(select, selectClusterRequest.clusterId)?.name, "c");
  for (const [schema, name, field] of [
    [TaskTriggerSpecSchema, "taskTriggerSpec", newer.taskTriggerSpec.offloadedInputData],
    [TriggerSpecSchema, "triggerSpec", newer.triggerSpec.offloadedInputData],
  ] as const) {
    assert.equal(
      newerField(python(schema, name), field as typeof newer.triggerSpec.offloadedInputData)?.uri,
      "/inputs/1",
    );
  }
  assert.equal(python(FilterSchema, "filter").function, newerFunctions.notExists);
  assert.equal(phaseOf(python(definitions.ActionStatusSchema, "actionStatus").phase), "recovered");
});

test("a signal of a newer client is read, its integer exactly", () => {
  const request = python(SignalEventRequestSchema, "signalEventRequest");
  assert.equal(request.actionId?.name, "a0");
  assert.equal(request.parentActionName, "a0");
  assert.deepEqual(request.payload?.value, { case: "intValue", value: 2n ** 53n + 1n });
  assert.equal(SignalEventService.typeName, "flyteidl2.workflow.RunService");
  assert.equal(SignalEventService.method.signalEvent.name, "SignalEvent");
});

test("what is written has the bytes that Python writes", () => {
  const written = <Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, name: string): void =>
    assert.equal(Buffer.from(toBinary(schema, message)).toString("base64"), made.newer[name], name);

  const run = create(definitions.RunSchema);
  assert.equal(setLabels(run, { team: "red" }), run);
  assert.deepEqual(labelsOf(run), { team: "red" });
  written(definitions.RunSchema, run, "run");

  const error = create(definitions.ErrorInfoSchema, { message: "m" });
  written(definitions.ErrorInfoSchema, setNewerField(error, newer.errorInfo.code, "ValueError"), "errorInfo");

  const data = create(dataProxy.GetActionDataResponseSchema);
  setNewerField(data, newer.getActionDataResponse.inputsUri, "/i");
  setNewerField(data, newer.getActionDataResponse.outputsUri, "/o");
  written(dataProxy.GetActionDataResponseSchema, data, "getActionDataResponse");

  const cluster = create(SelectClusterResponseSchema, { clusterEndpoint: "http://localhost" });
  written(
    SelectClusterResponseSchema,
    setNewerField(cluster, newer.selectClusterResponse.cluster, "c"),
    "selectClusterResponse",
  );

  const relatedTo = { org: "local", project: "p", domain: "development", name: "before" };
  const relation = create(RelationSchema, { relatedTo, relationType: relationTypes.recover });
  const metadata = create(definitions.ActionMetadataSchema);
  setNewerField(metadata, newer.actionMetadata.relation, relation);
  const recovered = newerField(
    python(definitions.ActionMetadataSchema, "actionMetadata"),
    newer.actionMetadata.recoveredFrom,
  );
  setNewerField(metadata, newer.actionMetadata.recoveredFrom, recovered);
  written(definitions.ActionMetadataSchema, metadata, "actionMetadata");

  for (const [schema, name, fields] of [
    [definitions.ActionDetailsSchema, "actionDetails", newer.actionDetails],
    [definitions.ActionAttemptSchema, "actionAttempt", newer.actionAttempt],
    [definitions.ConditionActionMetadataSchema, "conditionActionMetadata", newer.conditionActionMetadata],
  ] as const) {
    const from = python(schema as DescMessage, name);
    const to = create(schema as DescMessage);
    for (const field of Object.values(fields)) setNewerField(to, field as never, newerField(from, field as never));
    written(schema as DescMessage, to, name);
  }
});

test("messages that are new are made like any other", () => {
  assert.deepEqual(create(RecoverSchema).forceRerunActions, []);
  assert.equal(create(EventPayloadSchema).value.case, undefined);
});
