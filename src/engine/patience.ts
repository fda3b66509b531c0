// For whom something is kept free. Who asks for much could wait for ever beside small work that always
// fits, so that after a while others may have only what it leaves.
//
// R1  What is kept lies idle until there is enough of it. So nothing is kept for nine times as long as the
//     last keeping took: it costs a tenth of the time at most, and everybody's time comes.
// R2  What it has not lacked is not kept for it.
// R3  Nothing is kept for somebody behind others of the project that have a higher priority.
import { effectiveResources, type Resources, type WaitReason } from "../core/resources.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Kept } from "../executor/executor.ts";
import type { LaneQueue } from "./lane-queue.ts";
import type { RunQueue } from "./ready-queue.ts";
import type { Turn } from "./turns.ts";

/** A refusal that is older is one of somebody who waits for long. */
export const patienceMs = 5_000;

/** R1: the rest after a keeping, in times of it. */
const restFactor = 9;

export class Patience {
  #keeping: { readonly lane: LaneQueue; readonly sinceMs: number } | null = null;
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  /** Who is to go first, as soon as it can; null: nobody. */
  next(queues: readonly RunQueue[], nowMs: number): Turn | null {
    // As a rule nobody has been refused, and then there is nothing to look at.
    if (!queues.some(({ lanes }) => [...lanes.values()].some(isRefused))) {
      this.#rest(nowMs);
      return null;
    }
    const turns = queues.flatMap((queue) => [...queue.lanes.values()].flatMap((lane) => turnOf(queue, lane) ?? []));
    const keeping = turns.find(({ lane }) => lane === this.#keeping?.lane && isRefused(lane));
    if (keeping !== undefined) return keeping;
    this.#rest(nowMs);
    if (nowMs < this.#restsUntilMs) return null;
    const highest = new Map<string, number>();
    for (const { queue, action } of turns)
      highest.set(queue.run.project, Math.max(highest.get(queue.run.project) ?? action.priority, action.priority));
    let longest: Turn | null = null;
    for (const turn of turns) {
      const sinceMs = turn.lane.refusal?.sinceMs ?? nowMs;
      if (!isRefused(turn.lane) || sinceMs > nowMs - patienceMs) continue;
      if (turn.action.priority < (highest.get(turn.queue.run.project) ?? 0)) continue;
      if (longest === null || sinceMs < (longest.lane.refusal?.sinceMs ?? nowMs)) longest = turn;
    }
    if (longest !== null) this.#keeping = { lane: longest.lane, sinceMs: nowMs };
    return longest;
  }

  #rest(nowMs: number): void {
    if (this.#keeping === null) return;
    this.#restsUntilMs = nowMs + restFactor * Math.max(0, nowMs - this.#keeping.sinceMs);
    this.#keeping = null;
  }
}

function turnOf(queue: RunQueue, lane: LaneQueue): Turn | null {
  const action = lane.peek();
  return action === null ? null : { queue, lane, action };
}

/** Limits end with what is limited; what the machine does not have never comes. */
const isRefused = ({ refusal }: LaneQueue): boolean =>
  refusal !== null && (refusal.reason.type === "reserved" || isShort(refusal.reason));

const isShort = (reason: WaitReason): boolean => reason.type === "resource" && reason.asked <= reason.total;

/** R2. Null if it is not known yet what it lacks. */
export function keptFor({ lane, action }: Turn, spec: TaskSpec): Kept | null {
  if (lane.refusal === null || lane.refusal.lacked.size === 0) return null;
  const { lacked } = lane.refusal;
  const { cpuMillis, memoryBytes, gpus, diskBytes, tokens } = effectiveResources(spec, action.oomFailures);
  const names = Object.entries(tokens ?? {}).filter(([name]) => lacked.has(`token:${name}`));
  const resources: Resources = {
    cpuMillis: lacked.has("cpu") ? cpuMillis : 0,
    memoryBytes: lacked.has("memory") ? memoryBytes : null,
    ...(gpus !== undefined && lacked.has("gpu") ? { gpus } : {}),
    ...(diskBytes !== undefined && lacked.has("disk") ? { diskBytes } : {}),
    ...(names.length > 0 ? { tokens: Object.fromEntries(names) } : {}),
  };
  return { resources, action: action.name };
}

/** What a reason adds to what was lacked before. */
export const lackedAfter = (before: ReadonlySet<string> | undefined, reason: WaitReason): ReadonlySet<string> =>
  reason.type !== "resource"
    ? (before ?? new Set())
    : new Set([...(before ?? []), reason.resource.startsWith("gpu") ? "gpu" : reason.resource]);
