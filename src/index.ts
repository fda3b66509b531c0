// `import … from "godwit"`: what users write pipelines with.

export { GodwitError } from "./core/error.ts";
export { bytes } from "./sdk/bytes.ts";
export { type ConditionOptions, condition } from "./sdk/condition.ts";
export type { Context, LogFields, TaskLog } from "./sdk/context.ts";
export { context } from "./sdk/current.ts";
export { Dir, dir } from "./sdk/dir.ts";
export {
  type Environment,
  type EnvironmentOptions,
  environment,
  type ShellOptions,
  type TaskOptions,
} from "./sdk/environment.ts";
export { NonRecoverableError, TaskError } from "./sdk/errors.ts";
export { File, file } from "./sdk/file.ts";
export { type MapOptions, map } from "./sdk/map.ts";
export type { CacheOption, RetriesOption, TimeoutOption } from "./sdk/policy.ts";
export { type RemoteTaskOptions, remoteTask } from "./sdk/remote-task.ts";
export type { OomOption, ResourcesOption } from "./sdk/resource-option.ts";
export { Table, table } from "./sdk/table.ts";
export type { CallOptions, Task, TaskFunction } from "./sdk/task.ts";
export { trace } from "./sdk/trace.ts";
export type { TriggerOption } from "./sdk/triggers.ts";
