// Lists of runs and of a run's actions.
import { type Filter, Filter_Function, type ListRequest } from "#idl/flyteidl2/common/list_pb.js";
import type { ListRunsRequest, WatchRunsRequest } from "#idl/flyteidl2/workflow/run_service_pb.js";
import type { ActionListing, RunListing, Scope } from "../control/control.ts";
import type { Action, ActionType, Phase } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import { newer, newerField, newerFunctions } from "../idl/newer.ts";
import {
  containedIn,
  equalTo,
  orderOf,
  pagingOf,
  phasesOf,
  type TimeRange,
  unknownField,
  unsuited,
  withBound,
} from "./filters.ts";
import { type Asking, scopeOf, scopeOfProject } from "./identifiers.ts";

const runFields = [
  "phase",
  "task_name",
  "task_version",
  "created_by",
  "created_at",
  "updated_at",
  "run_name",
  "labels.<key>",
];

type Draft = { -readonly [key in keyof RunListing]: RunListing[key] };

export type WantedRuns = {
  readonly scope: Scope;
  readonly listing: RunListing;
  /** The store finds names by a part of them: of the rows of a page, those are shown. */
  readonly isShown: (run: Pick<Run, "name">) => boolean;
};

/** Whose runs, and which of them. */
export async function runListingOf(asking: Asking, message: ListRunsRequest): Promise<WantedRuns> {
  const names = (message.request?.filters ?? []).filter(isExactName).map(equalTo);
  return { ...(await scopedListing(asking, message)), isShown: ({ name }) => names.every((each) => each === name) };
}

const isName = (field: string): boolean => field === "run_name" || field === "name";

const isExactName = ({ field, function: how }: Filter): boolean => isName(field) && how === Filter_Function.EQUAL;

async function scopedListing(asking: Asking, message: ListRunsRequest): Promise<Omit<WantedRuns, "isShown">> {
  const { request, scopeBy } = message;
  const listing: Draft = { ...pagingOf(request), order: orderOf(request) };
  const labels: { readonly key: string; readonly value: string | null }[] = [];
  for (const filter of request?.filters ?? []) addRunFilter(listing, labels, filter);
  if (labels.length > 0) listing.labels = labels;
  if (newerField(message, newer.listRunsRequest.pausedActionsOnly) === true) listing.hasPaused = true;
  switch (scopeBy.case) {
    case "projectId":
      return { scope: await scopeOfProject(asking, scopeBy.value), listing };
    case "taskName":
      return { scope: await scopeOf(asking, scopeBy.value), listing: { ...listing, task: scopeBy.value.name } };
    case "taskId": {
      const { name, version } = scopeBy.value;
      const versioned = version === "" ? {} : { taskVersion: version };
      return { scope: await scopeOf(asking, scopeBy.value), listing: { ...listing, task: name, ...versioned } };
    }
    case "triggerName":
      return { scope: await scopeOf(asking, scopeBy.value), listing: { ...listing, trigger: scopeBy.value.name } };
    default:
      throw new GodwitError(
        "invalid_argument",
        "Say in which project runs are to be listed: project_id, with its domain.",
      );
  }
}

/** What a stream of runs is about. */
export async function watchedRuns(
  asking: Asking,
  target: WatchRunsRequest["target"],
): Promise<{ readonly scope: Scope; readonly wanted: Pick<RunListing, "task" | "taskVersion"> }> {
  if (target.case === "projectId") return { scope: await scopeOfProject(asking, target.value), wanted: {} };
  if (target.case !== "taskId")
    throw new GodwitError(
      "invalid_argument",
      "Say which runs are to be watched: those of a project_id or of a task_id.",
    );
  const { name, version } = target.value;
  const scope = await scopeOf(asking, target.value);
  return { scope, wanted: { task: name, ...(version === "" ? {} : { taskVersion: version }) } };
}

function addRunFilter(
  listing: Draft,
  labels: { readonly key: string; readonly value: string | null }[],
  filter: Filter,
): void {
  const { field } = filter;
  if (field.startsWith("labels.")) {
    const isAny = filter.function === newerFunctions.exists;
    labels.push({ key: field.slice("labels.".length), value: isAny ? null : equalTo(filter) });
    return;
  }
  switch (field) {
    case "phase":
      listing.phases = intersected(listing.phases, phasesOf(filter));
      return;
    case "task_name":
      listing.task = equalTo(filter);
      return;
    case "task_version":
      listing.taskVersion = equalTo(filter);
      return;
    case "created_by":
      listing.caller = equalTo(filter);
      return;
    case "created_at":
      listing.createdAtMs = withBound(listing.createdAtMs ?? {}, filter);
      return;
    case "updated_at":
      listing.updatedAtMs = withBound(listing.updatedAtMs ?? {}, filter);
      return;
    case "run_name":
    case "name":
      listing.nameContains = containedIn(filter);
      return;
    default:
      throw unknownField(field, runFields);
  }
}

const actionFields = ["phase", "parent_name", "action_type", "created_at", "updated_at"];

export type WantedActions = {
  readonly listing: ActionListing;
  /** What no index knows: of the rows of a page, those are shown. */
  readonly isShown: (action: Action) => boolean;
};

export function actionListingOf(request: ListRequest | undefined): WantedActions {
  const listing: { -readonly [key in keyof ActionListing]: ActionListing[key] } = {
    ...pagingOf(request),
    order: orderOf(request, "oldest"),
  };
  let created: TimeRange = {};
  let updated: TimeRange = {};
  for (const filter of request?.filters ?? []) {
    switch (filter.field) {
      case "phase":
        listing.phases = intersected(listing.phases, phasesOf(filter));
        break;
      case "parent_name":
        listing.parent = equalTo(filter);
        break;
      case "action_type":
        listing.type = actionTypeOf(filter);
        break;
      case "created_at":
        created = withBound(created, filter);
        break;
      case "updated_at":
        updated = withBound(updated, filter);
        break;
      default:
        throw unknownField(filter.field, actionFields);
    }
  }
  return {
    listing,
    isShown: (action) => isWithin(action.createdAtMs, created) && isWithin(updatedAtMs(action), updated),
  };
}

const isWithin = (
  atMs: number,
  { fromMs = Number.NEGATIVE_INFINITY, beforeMs = Number.POSITIVE_INFINITY }: TimeRange,
) => atMs >= fromMs && atMs < beforeMs;

const updatedAtMs = ({ endedAtMs, attemptStartedAtMs, createdAtMs }: Action): number =>
  endedAtMs ?? attemptStartedAtMs ?? createdAtMs;

const intersected = (before: readonly Phase[] | undefined, more: readonly Phase[]): readonly Phase[] =>
  before === undefined ? more : before.filter((phase) => more.includes(phase));

const actionTypes: { readonly [number: string]: ActionType } = { 1: "task", 2: "trace", 3: "condition" };

function actionTypeOf(filter: Filter): ActionType {
  const type = actionTypes[equalTo(filter)];
  if (type === undefined) throw unsuited(filter.field, filter.function);
  return type;
}
