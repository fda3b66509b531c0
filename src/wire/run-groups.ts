// Runs by the task that they execute: how many, how they went, how long they took; of the newest ones.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { TaskGroupSchema } from "#idl/flyteidl2/workflow/run_definition_pb.js";
import type { WatchGroupsRequest } from "#idl/flyteidl2/workflow/run_service_pb.js";
import type { RunView } from "../control/control.ts";
import { isTerminal, type Phase } from "../core/action.ts";
import { phaseMessage } from "../idl/phase-message.ts";
import { msOfTimestamp, timestampOfMs } from "../idl/time-message.ts";
import { type Asking, scopeOfProject } from "./identifiers.ts";
import { identityMessage } from "./identity-message.ts";

/** Phases of a group's newest runs that are shown. */
const maxRecent = 10;
/** Runs that are counted; the oldest go first. */
const maxRuns = 1_000;

type GroupInit = MessageInitShape<typeof TaskGroupSchema>;

/** All groups, a sentinel, then those that have changed. */
export async function* watchGroups(asking: Asking, request: WatchGroupsRequest, signal: AbortSignal) {
  const scope = await scopeOfProject(asking, request.scopeBy.value);
  const { startDate, endDate } = request;
  const createdAtMs = {
    ...(startDate === undefined ? {} : { fromMs: msOfTimestamp(startDate) }),
    ...(endDate === undefined ? {} : { beforeMs: msOfTimestamp(endDate) }),
  };
  const runs = new Map<number, RunView>();
  for await (const update of asking.parts.control.watchRuns(scope, { createdAtMs }, signal)) {
    if (update.type === "listed") {
      yield { taskGroups: [], sentinel: true };
      continue;
    }
    for (const run of update.runs) runs.set(run.id, run);
    forgetOldest(runs);
    const tasks = new Set(update.runs.map(({ task }) => task));
    yield { taskGroups: [...tasks].map((task) => groupOf(task, [...runs.values()])), sentinel: false };
  }
}

function forgetOldest(runs: Map<number, RunView>): void {
  if (runs.size <= maxRuns) return;
  const byAge = [...runs.values()].sort((a, b) => a.createdAtMs - b.createdAtMs);
  for (const { id } of byAge.slice(0, runs.size - maxRuns)) runs.delete(id);
}

function groupOf(task: string, all: readonly RunView[]): GroupInit {
  const runs = all.filter((run) => run.task === task).sort((a, b) => b.createdAtMs - a.createdAtMs);
  const ended = runs.filter(({ phase }) => isTerminal(phase));
  const failed = ended.filter(({ phase }) => phase === "failed" || phase === "timed_out");
  const durations = ended.map(({ createdAtMs, endedAtMs }) => (endedAtMs ?? createdAtMs) - createdAtMs);
  const [latest] = runs;
  const lastEndMs = Math.max(...ended.map(({ endedAtMs }) => endedAtMs ?? 0));
  return {
    taskName: task,
    shortName: task.slice(task.lastIndexOf(".") + 1),
    environmentName: task.slice(0, Math.max(0, task.lastIndexOf("."))),
    totalRuns: BigInt(runs.length),
    ...(latest === undefined ? {} : { latestRunTime: timestampOfMs(latest.createdAtMs) }),
    recentStatuses: runs.slice(0, maxRecent).map(({ name, phase }) => ({ runName: name, phase: phaseMessage(phase) })),
    averageFailureRate: ended.length === 0 ? 0 : failed.length / ended.length,
    ...(ended.length === 0
      ? {}
      : { averageDuration: durationFromMs(average(durations)), latestFinishedTime: timestampOfMs(lastEndMs) }),
    createdBy: [...new Set(runs.map(({ caller }) => caller))].map(identityMessage),
    phaseCounts: phaseCounts(runs),
  };
}

const average = (numbers: readonly number[]): number =>
  Math.round(numbers.reduce((sum, number) => sum + number, 0) / numbers.length);

function phaseCounts(runs: readonly RunView[]) {
  const counts = new Map<Phase, number>();
  for (const { phase } of runs) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => ({ phase: phaseMessage(phase), count: BigInt(count) }));
}
