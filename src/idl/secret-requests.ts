// Which secrets a task of another SDK asks for, and under which variables it looks for them.
import { Secret_MountType } from "#idl/flyteidl2/core/security_pb.js";
import { GodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import { taskSpecMessage } from "./task-spec-message.ts";

export type SecretRequest = {
  /** Of the secret, `GROUP_key` if it has a group. */
  readonly name: string;
  readonly variable: string;
};

/** Throws `unimplemented` for a secret that is wanted as a file: its path is fixed, and belongs to the machine. */
export function secretRequestsOf(spec: TaskSpec): readonly SecretRequest[] {
  if (spec.target.type !== "container") return [];
  const secrets = taskSpecMessage(spec).taskTemplate?.securityContext?.secrets ?? [];
  return secrets.map(({ group, key, envVar, mountRequirement }) => {
    const name = group === "" ? key : `${group}_${key}`;
    if (mountRequirement === Secret_MountType.FILE)
      throw new GodwitError(
        "unimplemented",
        `The task ${spec.name} wants the secret "${name}" as a file in /etc/flyte/secrets, which tasks that run as processes cannot have. Ask for it as an environment variable (as_env_var).`,
      );
    return { name, variable: envVar || name.replaceAll("-", "_").toUpperCase() };
  });
}
