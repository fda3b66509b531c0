// Task specs of the protocol (task/task_definition.proto) as specs of core and back.
//
// R1  `taskSpecOf(taskSpecMessage(spec))` is the spec. Of other SDKs' tasks the message itself is kept (core/task.ts,
//     SpecMessage) and goes out again as it came; of our own, what the protocol has no field for is in `custom`.
// R2  What cannot be run is refused here, and not taken for something else.
import { Buffer } from "node:buffer";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Container, TaskMetadata, TaskTemplate } from "#idl/flyteidl2/core/tasks_pb.js";
import { RuntimeMetadata_RuntimeType, TaskTemplateSchema } from "#idl/flyteidl2/core/tasks_pb.js";
import { type TaskSpec as Message, TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { noTimeouts } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { defaultRetries, type RetryPolicy } from "../core/retry.ts";
import { type CachePolicy, interfaceHash, type Target, type TaskSpec, type Timeouts } from "../core/task.ts";
import type { TypedInterface } from "../core/value.ts";
import { acceptingInterface, defaultsMessage, interfaceOf } from "./interface-message.ts";
import { mapsInOrder } from "./map-order.ts";
import { newer, newerField } from "./newer.ts";
import { ownSpecOf, ownSpecText } from "./own-spec.ts";
import { resourcesOfContainer } from "./resources-message.ts";
import { durationOfMs, msOfDuration } from "./time-message.ts";

/** Our own kinds of task, as the protocol's `type`. */
const ownTypes = ["typescript", "shell", "image"];
const sleepType = "core-sleep";

/** Throws `invalid_argument` for a spec that says too little, `unimplemented` for a task that nothing here can run. */
export function taskSpecOf(message: Message): TaskSpec {
  const template = message.taskTemplate;
  const name = template?.id?.name ?? "";
  if (template === undefined || name === "")
    throw new GodwitError("invalid_argument", "A task's spec needs a task_template with an id.name.");
  return ownTypes.includes(template.type) ? ownSpec(message, template, name) : foreignSpec(message, template, name);
}

function foreignSpec(message: Message, template: TaskTemplate, name: string): TaskSpec {
  const types = interfaceOf(template.interface, message.defaultInputs);
  const target = foreignTarget(message, template, types, name);
  const container = template.target.case === "container" ? template.target.value : undefined;
  const { shortDescription = "", longDescription = "" } = message.documentation ?? {};
  const metadata = template.metadata;
  return {
    name,
    shortName: message.shortName || name.slice(name.lastIndexOf(".") + 1),
    environment: message.environment?.name || name.slice(0, Math.max(0, name.lastIndexOf("."))),
    description: shortDescription || longDescription || null,
    location: null,
    interface: types,
    target,
    resources:
      target.type === "sleep" || container === undefined
        ? { cpuMillis: 0, memoryBytes: null }
        : resourcesOfContainer(container, template.extendedResources, name),
    retries: retriesOf(metadata, name),
    timeouts: timeoutsOf(metadata),
    cache: cacheOf(metadata),
    env: {},
    code: { type: "unknown", reason: "the task runs a container, whose code Godwit does not see" },
  };
}

/** R2. */
function foreignTarget(message: Message, template: TaskTemplate, types: TypedInterface, name: string): Target {
  const { target, type } = template;
  if (type === sleepType) return sleepTarget(message, types, name);
  switch (target.case) {
    case "container":
      return containerTarget(message, target.value, type);
    case "k8sPod":
      throw refused(name, "a pod template, which needs Kubernetes", "Leave out pod_template.");
    case "sql":
      throw refused(name, "an SQL statement, which needs a connector", "Run the query from a task's own code.");
    case undefined:
      throw refused(name, `a task of type ${JSON.stringify(type)} without a container`, "Give it a container.");
  }
}

const refused = (name: string, what: string, hint: string): GodwitError =>
  new GodwitError("unimplemented", `The task ${name} is ${what}; this server cannot run it. ${hint}`);

function sleepTarget(message: Message, { inputs, outputs }: TypedInterface, name: string): Target {
  const [input] = inputs;
  const isDuration = input?.type.type === "simple" && input.type.simple === "duration";
  if (inputs.length === 1 && isDuration && outputs.length === 0) return { type: "sleep", message: kept(message) };
  throw new GodwitError(
    "invalid_argument",
    `The task ${name} is of type ${sleepType}, so it takes one duration and gives nothing; its interface says something else.`,
  );
}

const containerTarget = (message: Message, container: Container, taskType: string): Target => ({
  type: "container",
  image: container.image,
  command: container.command,
  args: container.args,
  env: Object.fromEntries(container.env.map(({ key, value }) => [key, value])),
  taskType,
  message: kept(message),
});

/** With its maps in order, so that one task has one spec, whichever process sends it. */
const kept = (message: Message): string =>
  Buffer.from(toBinary(TaskSpecSchema, mapsInOrder(TaskSpecSchema, message))).toString("base64");

/** The most retries that a task may ask for. */
const maxRetries = 1_000;

/** Without a backoff, retries follow at once: so the SDK promises. */
function retriesOf(metadata: TaskMetadata | undefined, name: string): RetryPolicy {
  const { retries = 0, backoff } = metadata?.retries ?? {};
  if (retries > maxRetries)
    throw new GodwitError(
      "invalid_argument",
      `The task ${name} asks for ${retries} retries; ${maxRetries} is the most.`,
    );
  const baseMs = backoff?.base === undefined ? 0 : msOfDuration(backoff.base);
  const factor = Math.max(1, backoff?.factor ?? 1);
  const capMs = backoff?.cap === undefined ? maxBackoffMs : msOfDuration(backoff.cap);
  return { ...defaultRetries, user: retries, backoff: { baseMs, factor, capMs } };
}

/** A day, where the task sets no bound. */
const maxBackoffMs = 86_400_000;

function timeoutsOf(metadata: TaskMetadata | undefined): Timeouts {
  const { timeout, timeouts } = metadata ?? {};
  const part = (duration: Parameters<typeof msOfDuration>[0] | undefined): number | null =>
    duration === undefined ? null : msOfDuration(duration) || null;
  return {
    ...noTimeouts,
    attemptMs: part(timeout),
    queuedMs: part(timeouts?.queuedTimeout),
    deadlineMs: part(timeouts?.deadline),
  };
}

function cacheOf(metadata: TaskMetadata | undefined): CachePolicy {
  if (metadata?.discoverable !== true) return { type: "off" };
  const maxAge = newerField(metadata, newer.taskMetadata.cacheMaxAge);
  const maxAgeMs = maxAge === undefined ? 0 : msOfDuration(maxAge);
  return {
    type: "version",
    version: metadata.discoveryVersion,
    ignoredInputs: [...metadata.cacheIgnoreInputVars].sort(),
    // Zero is how the protocol says: however old.
    ...(maxAgeMs === 0 ? {} : { maxAgeMs }),
  };
}

/** Our own: the spec is in `custom`, and must say the same as the fields that others read. */
function ownSpec(message: Message, template: TaskTemplate, name: string): TaskSpec {
  const spec = ownSpecOf(template.custom?.[specKey]);
  const types = interfaceOf(template.interface, message.defaultInputs);
  if (spec === null || spec.name !== name || spec.target.type !== template.type) {
    throw new GodwitError(
      "invalid_argument",
      `The task ${name} of type ${template.type} has no spec in custom.${specKey} that this server understands. Deploy it with the same version of godwit as the server's.`,
    );
  }
  if (interfaceHash(interfaceOf(acceptingInterface(spec.interface))) !== interfaceHash(types)) {
    throw new GodwitError(
      "invalid_argument",
      `The task ${name} has one interface in its template and another in custom.${specKey}.`,
    );
  }
  return spec;
}

const specKey = "godwitSpec";

/** The protocol's spec: of other SDKs' tasks the one that came. */
export function taskSpecMessage(spec: TaskSpec): Message {
  const { target } = spec;
  if (target.type === "container" || target.type === "sleep")
    return fromBinary(TaskSpecSchema, Buffer.from(target.message, "base64"));
  return create(TaskSpecSchema, {
    taskTemplate: templateMessage(spec),
    defaultInputs: defaultsMessage(spec.interface),
    shortName: spec.shortName,
    environment: { name: spec.environment },
    documentation: { shortDescription: spec.description ?? "" },
  });
}

function templateMessage(spec: TaskSpec): TaskTemplate {
  const { retries, timeouts, cache } = spec;
  const duration = (ms: number | null) => (ms === null ? undefined : durationOfMs(ms));
  const { baseMs, factor, capMs } = retries.backoff;
  const timeout = duration(timeouts.attemptMs);
  const queuedTimeout = duration(timeouts.queuedMs);
  const deadline = duration(timeouts.deadlineMs);
  return create(TaskTemplateSchema, {
    id: { name: spec.name },
    type: spec.target.type,
    interface: acceptingInterface(spec.interface),
    custom: { [specKey]: ownSpecText(spec) },
    metadata: {
      runtime: { type: RuntimeMetadata_RuntimeType.OTHER, flavor: "typescript" },
      retries: { retries: retries.user, backoff: { base: durationOfMs(baseMs), factor, cap: durationOfMs(capMs) } },
      ...(timeout === undefined ? {} : { timeout }),
      timeouts: {
        ...(queuedTimeout === undefined ? {} : { queuedTimeout }),
        ...(deadline === undefined ? {} : { deadline }),
      },
      discoverable: cache.type !== "off",
      discoveryVersion: cache.type === "version" ? cache.version : "",
      cacheIgnoreInputVars: cache.type === "off" ? [] : [...cache.ignoredInputs],
    },
  });
}
