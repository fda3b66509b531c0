// The row of an action that is called for the first time.
import { type Action, type NewAction, noTimeouts, queuedAction } from "../core/action.ts";
import { cacheKey } from "../core/cache.ts";
import { canonicalJson, sha256Hex } from "../core/hash.ts";
import type { Call } from "../core/messages.ts";
import { laneOf } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import { specDigest, type TaskSpec, type Timeouts, withOverrides } from "../core/task.ts";
import { emptyPayload } from "../core/value.ts";
import type { KnownTasks } from "../store/documents.ts";

export type Making = {
  readonly run: Run;
  readonly tasks: KnownTasks;
  readonly parent: Action;
  readonly request: Call;
  readonly documents: Map<string, string>;
  readonly nowMs: number;
};

/** Null: no such task. */
export function makeAction({
  run,
  tasks,
  parent,
  request,
  documents,
  nowMs,
}: Making): { readonly action: Action; readonly timeouts: Timeouts } | null {
  if (request.type === "trace")
    return { action: queuedAction(newAction(parent, request, unplaced), noTimeouts, nowMs), timeouts: noTimeouts };
  if (request.type === "condition") {
    const text = canonicalJson(request.condition);
    const digest = sha256Hex(text);
    documents.set(digest, text);
    const timeouts = { ...noTimeouts, deadlineMs: request.condition.timeoutMs };
    return {
      action: queuedAction(newAction(parent, request, { ...unplaced, spec: digest }), timeouts, nowMs),
      timeouts,
    };
  }
  const task = request.spec === undefined ? tasks.get(request.task) : null;
  if (task === undefined) return null;
  const said = task?.spec ?? (request.spec as TaskSpec);
  const isOverridden = Object.keys(request.overrides).length > 0;
  const spec = isOverridden ? withOverrides(said, request.overrides) : said;
  const isNew = isOverridden || task === null || task.isElsewhere === true;
  const digest = isNew ? specDigest(spec) : task.digest;
  if (isNew) documents.set(digest, canonicalJson(spec));
  const placed: Placed = {
    spec: digest,
    cacheKey: spec.cache.type === "off" ? null : cacheKey(run, spec, request.inputHashes),
    lane: isNew ? laneOf(spec) : task.lane,
    priority: spec.priority ?? parent.priority,
  };
  return {
    action: queuedAction(newAction(parent, request, placed), spec.timeouts, nowMs),
    timeouts: spec.timeouts,
  };
}

export type Placed = {
  readonly spec: string | null;
  readonly cacheKey: string | null;
  readonly lane: number;
  readonly priority: number;
};

export const unplaced: Placed = { spec: null, cacheKey: null, lane: 0, priority: 0 };

export const newAction = (parent: Action, request: Call, placed: Placed): NewAction => ({
  ...placed,
  run: parent.run,
  name: request.name,
  parent: parent.name,
  depth: parent.depth + 1,
  type: request.type,
  label: request.type === "task" ? request.task.slice(request.task.indexOf(".") + 1) : request.label,
  group: request.type === "task" ? request.group : null,
  identity: request.identity,
  inputs: request.type === "task" ? request.inputs : emptyPayload,
  inputsHash: request.type === "condition" ? "" : request.inputsHash,
});
