// Which task a request means: one that it brings along, or one that was deployed.
import type { TaskIdentifier, TaskSpec as TaskSpecMessage } from "#idl/flyteidl2/task/task_definition_pb.js";
import { GodwitError } from "../core/error.ts";
import { type Manifest, specDigest, type TaskSpec } from "../core/task.ts";
import { taskSpecMessage, taskSpecOf } from "../idl/task-spec-message.ts";
import type { Storage } from "../storage/storage.ts";
import { type Asking, required, scopeOf } from "./identifiers.ts";

export type CalledTask = {
  readonly spec: TaskSpec;
  /** All tasks of its code. */
  readonly manifest: Manifest;
  readonly message: TaskSpecMessage;
  /** Of a deployed task. */
  readonly version: string | null;
  /** What the client calls the code of a task that it brings along. */
  readonly codeVersion: string | null;
};

/** TypeScript's code is a bundle, which says what its tasks are: the message only names one of them. */
export async function inlineTask(asking: Asking, message: TaskSpecMessage): Promise<CalledTask> {
  const said = taskSpecOf(message);
  const manifest = await manifestOf(asking, said, message);
  const spec = manifest.tasks.find(({ name }) => name === said.name);
  if (spec !== undefined)
    return { spec, manifest, message, version: null, codeVersion: message.taskTemplate?.id?.version || null };
  const names = manifest.tasks.map(({ name }) => name);
  throw new GodwitError(
    "not_found",
    `The code bundle ${manifest.bundle.slice(0, 8)} has no task "${said.name}". It has: ${names.join(", ") || "no tasks"}.`,
  );
}

/** Where its client has put the bundle's archive. */
const bundleUriKey = "godwit-bundle-uri";

async function manifestOf({ parts }: Asking, spec: TaskSpec, message: TaskSpecMessage): Promise<Manifest> {
  const { target } = spec;
  if (target.type !== "typescript") return { bundle: specDigest(spec), entry: "", tasks: [spec] };
  if (target.bundle === undefined)
    throw new GodwitError(
      "invalid_argument",
      `The task "${spec.name}" is TypeScript and names no code bundle. Start it with \`godwit run --remote\`.`,
    );
  const uri = message.taskTemplate?.config[bundleUriKey] ?? null;
  return parts.adoptBundle(target.bundle.digest, () => (uri === null ? null : uploaded(parts.storage, uri)));
}

/** Looked for only when it is read. */
async function* uploaded(storage: Storage, uri: string): AsyncIterable<Uint8Array> {
  const { stream } = await storage.openFile(uri);
  yield* stream();
}

export async function deployedTask(asking: Asking, id: Omit<TaskIdentifier, "$typeName">): Promise<CalledTask> {
  const scope = await scopeOf(asking, id);
  const name = required("task_id.name", id.name);
  const { spec, version } = await asking.parts.control.tasks.get(scope, name, id.version === "" ? null : id.version);
  const message = taskSpecMessage(spec);
  return { spec, manifest: await manifestOf(asking, spec, message), message, version, codeVersion: null };
}
