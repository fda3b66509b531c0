// The runs that triggers start, as the changes that make them: for ticks, under names that follow from
// them (core/trigger.ts R2).
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { type Launch, newRun, runId } from "../core/new-run.ts";
import type { Run } from "../core/run.ts";
import type { CronTicks } from "../core/schedule.ts";
import type { TaskSpec } from "../core/task.ts";
import { type TriggerContent, type TriggeredRun, type TriggerKey, tickRunName } from "../core/trigger.ts";
import { timeLiteral } from "../core/trigger-changes.ts";
import type { Literals, Payload } from "../core/value.ts";
import type { Documents } from "../store/documents.ts";
import type { Change, Store } from "../store/store.ts";

export type TriggerParts = {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly documents: Documents;
  readonly cron: CronTicks;
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
};

/** What starts them. `series` as in `tickRunName`. */
export type Starter = TriggerKey & {
  readonly revision: number;
  readonly content: TriggerContent;
  readonly caller: string;
  readonly series: string;
};

export type TickRuns = { readonly runs: readonly Run[]; readonly changes: readonly Change[] };

export async function tickRuns(parts: TriggerParts, starter: Starter, ticks: readonly number[]): Promise<TickRuns> {
  if (ticks.length === 0) return { runs: [], changes: [] };
  const { launch } = starter.content;
  const spec = await specOf(parts, starter);
  const inputs = await fromPayload(starter.content.inputs, parts.blobs);
  const made = await Promise.all(
    ticks.map(async (atMs) => {
      const literals = withTime(starter, spec, inputs, atMs);
      const payload = await toPayload(literals, parts.blobs);
      return runAt(parts, { starter, launch, spec, literals, payload, atMs });
    }),
  );
  return {
    runs: made.map(({ run }) => run),
    changes: made.flatMap(({ run, root }): Change[] => [
      { type: "insertRun", run },
      { type: "insertAction", action: root },
    ]),
  };
}

type RunAt = {
  readonly starter: Starter;
  readonly launch: Launch;
  readonly spec: TaskSpec;
  readonly literals: Literals;
  readonly payload: Payload;
  readonly atMs: number;
};

function runAt(parts: TriggerParts, { starter, launch, spec, literals, payload, atMs }: RunAt) {
  const { bundle, source, overwriteCache, maxConcurrency, labels, priority, origin } = launch;
  const plan = {
    id: runId(parts.randomBytes(6)),
    project: starter.project,
    domain: starter.domain,
    name: tickRunName(starter, atMs, starter.series),
    caller: starter.caller,
    recovers: null,
    ...{ bundle, source, overwriteCache, maxConcurrency, labels, priority, spec, literals },
    inputs: payload,
    origin: {
      ...origin,
      source: "schedule" as const,
      trigger: { name: starter.name, revision: starter.revision },
      runStartAtMs: atMs,
    },
  };
  return newRun(plan, parts.nowMs());
}

async function specOf({ documents }: TriggerParts, { content, task, name }: Starter): Promise<TaskSpec> {
  const spec = (await documents.specs([content.launch.spec])).get(content.launch.spec);
  if (spec !== undefined && "target" in spec) return spec;
  throw new GodwitError("failed_precondition", `The task ${task} of the trigger "${name}" is gone; deploy it again.`);
}

function withTime({ content, name }: Starter, spec: TaskSpec, inputs: Literals, atMs: number): Literals {
  const input = content.automation.type === "schedule" ? content.automation.timeInput : null;
  if (input === null) return inputs;
  const type = spec.interface.inputs.find((each) => each.name === input)?.type;
  const literal = type === undefined ? null : timeLiteral(type, atMs);
  if (literal !== null) return { ...inputs, [input]: literal };
  throw new GodwitError(
    "failed_precondition",
    `The input "${input}" of ${spec.name} cannot take the time of the trigger "${name}".`,
  );
}

/** Of those ticks, the runs that are there already. */
export async function existingRuns(
  { store }: Pick<TriggerParts, "store">,
  starter: Starter,
  ticks: readonly number[],
): Promise<readonly (TriggeredRun & { readonly hasEnded: boolean })[]> {
  const found = await Promise.all(
    ticks.map(async (scheduledAtMs) => {
      const run = await store.run(starter.project, starter.domain, tickRunName(starter, scheduledAtMs, starter.series));
      return run === null ? [] : [{ id: run.id, name: run.name, scheduledAtMs, hasEnded: isTerminal(run.phase) }];
    }),
  );
  return found.flat();
}

export const triggeredRun = ({ id, name, origin }: Run): TriggeredRun => ({
  id,
  name,
  scheduledAtMs: origin.runStartAtMs,
});
