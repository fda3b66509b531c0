// Deployed tasks as the protocol tells them.
import type { TaskIdentifier, TaskMetadata } from "#idl/flyteidl2/task/task_definition_pb.js";
import type { TaskSpec } from "../core/task.ts";
import { msOfTimestamp } from "../idl/time-message.ts";

export type DeployedSummary = {
  /** Full name. */
  readonly name: string;
  readonly version: string;
  readonly deployedAtMs: number;
  readonly deployedBy: string;
};

type DeployedMessage = {
  readonly taskId?: TaskIdentifier | undefined;
  readonly metadata?: TaskMetadata | undefined;
};

export type DeployedVersion = DeployedSummary & { readonly spec: TaskSpec };

export function deployedVersion({ taskId, metadata }: DeployedMessage): DeployedSummary {
  const deployer = metadata?.deployedBy?.principal;
  return {
    name: taskId?.name ?? "",
    version: taskId?.version ?? "",
    deployedAtMs: metadata?.deployedAt === undefined ? 0 : msOfTimestamp(metadata.deployedAt),
    deployedBy: deployer?.case === undefined ? "" : (deployer.value.id?.subject ?? ""),
  };
}
