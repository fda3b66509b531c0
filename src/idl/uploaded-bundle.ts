// Where the archive of a TypeScript task's code was uploaded to: it goes with the task's spec, so that any
// client of the protocol can start the task.
import type { TaskSpec } from "#idl/flyteidl2/task/task_definition_pb.js";

const key = "godwit-bundle-uri";

/** Null: the message does not say; the code has to be there already. */
export const uploadedBundle = ({ taskTemplate }: TaskSpec): string | null => taskTemplate?.config[key] ?? null;

/** Gives the message back. */
export function withUploadedBundle(message: TaskSpec, uri: string): TaskSpec {
  if (message.taskTemplate !== undefined) message.taskTemplate.config[key] = uri;
  return message;
}
