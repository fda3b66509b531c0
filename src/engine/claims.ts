// From queued to running: looks up the cache, sets resources aside, commits, and only then launches.
//
// R1  A key is worked on by one action at a time: the one that has the reservation. Others wait.
// R2  What is in the cache counts only if all its bytes are there and undamaged.
// R3  An action is launched after it was committed as running, under the attempt of that commit. The
//     commit need not be synced: attempts do not outlive the machine's power, and what an attempt
//     reports is committed after it (store.ts R1).
// R4  Who has been refused for long is next to get what it asks for (patience.ts): until then others may
//     have only what it leaves. So small work fills the gaps, and does not starve what is large.
import type { Action, CacheStatus } from "../core/action.ts";
import type { Reservation } from "../core/cache.ts";
import { effectiveResources } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor, Kept } from "../executor/executor.ts";
import type { Change } from "../store/store.ts";
import { type Lookup, lookUp } from "./cache-lookup.ts";
import type { Decision } from "./decision.ts";
import type { LaneQueue } from "./lane-queue.ts";
import { launch, type Starting } from "./launches.ts";
import { attemptOf, batchSize, changesOf, type EngineParts } from "./parts.ts";
import { keptFor, lackedAfter, type Patience } from "./patience.ts";
import type { Sharing } from "./sharing.ts";
import { type Turn, Turns } from "./turns.ts";
import { type Usage, weightOf } from "./usage.ts";

export type Claiming = {
  readonly usage: Usage;
  readonly sharing: Sharing;
  readonly patience: Patience;
  readonly isStartable: (run: number) => boolean;
};

/** True if it changed anything, so that it is worth looking again. */
export async function claim(parts: EngineParts, { usage, sharing, patience, isStartable }: Claiming): Promise<boolean> {
  await parts.queue.refill(parts.nowMs());
  const queues = [...parts.queue.runs].filter(({ run, lanes }) => lanes.size > 0 && isStartable(run.id));
  if (queues.length === 0) return false;
  const heads = queues.flatMap(({ lanes }) => [...lanes.values()].flatMap((lane) => lane.peek() ?? []));
  if (!heads.every(({ spec }) => spec === null || parts.documents.known(spec) !== undefined))
    await parts.documents.taskSpecs(heads);
  for (const { lanes } of queues) for (const lane of lanes.values()) weigh(parts, lane);
  const longest = patience.next(queues, parts.nowMs());
  const round = new Round(parts, await lookUp(parts, queues));
  const decided = round.decide(new Turns(queues, usage, parts.shares), longest);
  const decisions = await sharing.grant(decided);
  const settled = await Promise.all(decisions.map((decision) => settle(parts, usage, decision)));
  await launch(
    parts,
    settled.flatMap((starting) => (starting === null || starting === "settled" ? [] : [starting])),
  );
  return decisions.length < decided.length || settled.some((result) => result !== null);
}

class Round {
  readonly #parts: EngineParts;
  readonly #lookup: Lookup;
  readonly #decisions: Decision[] = [];

  constructor(parts: EngineParts, lookup: Lookup) {
    this.#parts = parts;
    this.#lookup = lookup;
  }

  /** `longest`: who has waited for so long that it goes first (R4). */
  decide(turns: Turns, longest: Turn | null): readonly Decision[] {
    const isReady = longest !== null && this.#isLookedUp(longest.action) && !this.#isLosingParent(longest.action);
    if (longest !== null && isReady && !this.#reuse(longest.lane, longest.action)) this.#admit(turns, longest, null);
    const spec = longest === null ? null : specOf(this.#parts, longest.action);
    const kept = longest === null || spec === null ? null : keptFor(longest, spec);
    while (this.#decisions.length < batchSize) {
      const turn = turns.next();
      if (turn === null) break;
      if (!this.#isLookedUp(turn.action) || this.#isLosingParent(turn.action)) turns.block(turn.lane);
      else if (!this.#reuse(turn.lane, turn.action))
        this.#admit(turns, turn, turn.lane === longest?.lane ? null : kept);
    }
    return this.#decisions;
  }

  #isLookedUp({ cacheKey }: Action): boolean {
    return cacheKey === null || this.#lookup.seen.has(cacheKey);
  }

  /** Its parent has just ended, perhaps: until that is known, nothing is started for it. */
  #isLosingParent({ run, parent }: Action): boolean {
    return parent !== null && this.#parts.isSettling(run, parent);
  }

  /** Takes it from the cache, or has it wait for identical work; false if it has to be done. */
  #reuse(lane: LaneQueue, action: Action): boolean {
    const { cacheKey: key } = action;
    if (key === null) return false;
    const run = this.#parts.served.get(action.run) as Run;
    const entry = run.overwriteCache ? undefined : this.#lookup.entries.get(key);
    const holder = this.#lookup.reservations.get(key);
    if (entry !== undefined) {
      const from = `${entry.runName}/${entry.action}`;
      this.#settle(lane, action, { type: "reused", how: "cache", outputs: entry.outputs, from });
      return true;
    }
    if (holder === undefined || this.#isWithin(action, holder)) return false;
    this.#settle(lane, action, { type: "waits" });
    return true;
  }

  /** Whether it is the holder, or is called from it: who holds the key waits for it, and it cannot wait for that. */
  #isWithin(action: Action, holder: Reservation): boolean {
    if (holder.run !== action.run) return false;
    let name: string | null = action.name;
    let parent: string | null = action.parent;
    while (name !== null && name !== holder.action) {
      name = parent;
      parent = name === null ? null : (this.#parts.live.get(action.run, name)?.parent ?? null);
    }
    return name !== null;
  }

  #admit(turns: Turns, { queue, lane, action }: Turn, kept: Kept | null): void {
    const { executors, capacity, nowMs } = this.#parts;
    const spec = specOf(this.#parts, action);
    const executor = spec === null ? undefined : executors.find((each) => each.accepts({ spec }));
    if (spec === null || executor === undefined) {
      turns.block(lane);
      return;
    }
    const resources = effectiveResources(spec, action.oomFailures);
    const wanted = { run: action.run, action: action.name, attempt: action.attempt + 1 };
    const { project, maxConcurrency } = queue.run;
    const reason = executor.reserve({ ...wanted, project, spec, resources, maxConcurrency }, kept);
    if (reason !== null) {
      const lacked = lackedAfter(lane.refusal?.lacked, reason);
      lane.refusal = { sinceMs: lane.refusal?.sinceMs ?? nowMs(), reason, lacked };
      turns.block(lane);
      this.#reuseBehind(lane);
      return;
    }
    lane.refusal = null;
    turns.took(project, weightOf(resources, capacity.machine));
    this.#claim(lane, action, executor);
  }

  /** What is refused to the first keeps none of the others from the cache. */
  #reuseBehind(lane: LaneQueue): void {
    if (this.#lookup.entries.size === 0 && this.#lookup.reservations.size === 0) return;
    for (const action of [...lane.entries()].slice(0, this.#lookup.depth)) this.#reuse(lane, action);
  }

  #claim(lane: LaneQueue, action: Action, executor: Executor): void {
    const key = action.cacheKey;
    const run = this.#parts.served.get(action.run) as Run;
    const reservation = key === null ? null : { key, run: action.run, action: action.name };
    const isHeld = key !== null && this.#lookup.reservations.has(key);
    if (reservation !== null) this.#lookup.reservations.set(reservation.key, reservation);
    const cacheStatus: CacheStatus = key === null ? "off" : run.overwriteCache ? "overwritten" : "miss";
    const more: Change[] = reservation === null || isHeld ? [] : [{ type: "reserve", reservation }];
    this.#settle(lane, action, { type: "claimed", owner: this.#parts.id, cacheStatus }, more, executor);
  }

  #settle(
    lane: LaneQueue,
    action: Action,
    event: Decision["event"],
    more: readonly Change[] = [],
    executor: Executor | null = null,
  ): void {
    lane.remove(action.name);
    const spec = this.#parts.documents.known(action.spec as string) as TaskSpec;
    const run = this.#parts.served.get(action.run) as Run;
    this.#decisions.push({ lane, action, spec, run, event, more, executor });
  }
}

/** Of a task whose spec has been read. */
function specOf({ documents }: EngineParts, { spec }: Action): TaskSpec | null {
  const known = spec === null ? undefined : documents.known(spec);
  return known !== undefined && "target" in known ? known : null;
}

function weigh(parts: EngineParts, lane: LaneQueue): void {
  const head = lane.peek();
  const spec = head === null ? null : specOf(parts, head);
  if (head !== null && spec !== null)
    lane.weight = weightOf(effectiveResources(spec, head.oomFailures), parts.capacity.machine);
}

/** What to launch; "settled" if it needed no place or somebody else was faster; null if nothing happened. */
async function settle(parts: EngineParts, usage: Usage, decision: Decision): Promise<Starting | "settled" | null> {
  const { action, spec, run, event, more, executor } = decision;
  const changed = await changesOf(parts, action, { ...spec, memoryBytes: spec.resources.memoryBytes }, event);
  const result =
    changed === null
      ? null
      : await parts.store.commit([...changed.changes, ...more], event.type === "claimed" ? "written" : "synced");
  if (result?.type !== "committed") {
    executor?.release([{ ...attemptOf(action), attempt: action.attempt + 1 }]);
    // Refused: the row has moved on, and the next look sees what others made of it.
    await noteAnew(parts, decision);
    return result === null ? null : "settled";
  }
  for (const row of result.actions) parts.note(row);
  const [row] = result.actions;
  if (event.type !== "claimed" || row === undefined || executor === null) return "settled";
  usage.start(row, run.project, weightOf(effectiveResources(spec, row.oomFailures), parts.capacity.machine));
  return { action: row, run, spec, executor };
}

async function noteAnew(parts: EngineParts, { action }: Decision): Promise<void> {
  const [row] = await parts.store.actions([action]);
  if (row !== undefined) parts.queue.note(row, parts.nowMs());
}
