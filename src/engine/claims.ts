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
import { type CacheEntry, isStale, type Reservation } from "../core/cache.ts";
import { effectiveResources } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor, Kept } from "../executor/executor.ts";
import type { Change } from "../store/store.ts";
import { type Lookup, lookUp } from "./cache-lookup.ts";
import { commitEach } from "./commits.ts";
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
  const isChanged = await settleAll(parts, usage, decisions);
  return decisions.length < decided.length || isChanged;
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
    const entry = run.overwriteCache ? undefined : this.#entryFor(action, key);
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

  #entryFor(action: Action, key: string): CacheEntry | undefined {
    const entry = this.#lookup.entries.get(key);
    const spec = specOf(this.#parts, action);
    return entry !== undefined && spec !== null && isStale(entry, spec, this.#parts.nowMs()) ? undefined : entry;
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
    // Held: by itself, or by who called it, who keeps it and must not wait for it when it is tried again.
    if (reservation !== null && !isHeld) this.#lookup.reservations.set(reservation.key, reservation);
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

/** Commits what was decided; true if anything happened. Those that were claimed are launched. */
async function settleAll(parts: EngineParts, usage: Usage, decisions: readonly Decision[]): Promise<boolean> {
  const made = await Promise.all(decisions.map((decision) => changesFor(parts, decision)));
  const isClaimed = ({ event }: Decision): boolean => event.type === "claimed";
  const claimed = await settle(parts, decisions, made, isClaimed);
  const settled = await settle(parts, decisions, made, (decision) => !isClaimed(decision));
  const starting = claimed.flatMap(({ decision: { run, spec, executor }, row }): readonly Starting[] => {
    if (executor === null) return [];
    usage.start(row, run.project, weightOf(effectiveResources(spec, row.oomFailures), parts.capacity.machine));
    return [{ action: row, run, spec, executor }];
  });
  await launch(parts, starting);
  return made.some((changes) => changes !== null) || settled.length > 0;
}

/** Null: the event changes nothing. */
async function changesFor(
  parts: EngineParts,
  { action, spec, event, more }: Decision,
): Promise<readonly Change[] | null> {
  const decided = changesOf(parts, action, { ...spec, memoryBytes: spec.resources.memoryBytes }, event);
  const changed = decided instanceof Promise ? await decided : decided;
  return changed === null ? null : [...changed.changes, ...more];
}

type Settled = { readonly decision: Decision; readonly row: Action };

/** Of the decisions that are chosen, those that were committed, with the rows that they made. */
async function settle(
  parts: EngineParts,
  decisions: readonly Decision[],
  made: readonly (readonly Change[] | null)[],
  isChosen: (decision: Decision) => boolean,
): Promise<readonly Settled[]> {
  const chosen = decisions.flatMap((decision, at) =>
    isChosen(decision) ? [{ decision, changes: made[at] ?? null }] : [],
  );
  const sets = chosen.flatMap(({ changes }) => (changes === null ? [] : [changes]));
  if (chosen.length === 0) return [];
  const isClaim = chosen[0]?.decision.event.type === "claimed";
  const results = await commitEach(parts.store, sets, isClaim ? "written" : "synced");
  const settled: Settled[] = [];
  const refused: Decision[] = [];
  let next = 0;
  for (const { decision, changes } of chosen) {
    const result = changes === null ? null : results[next++];
    const row = result?.type === "committed" ? result.actions[0] : undefined;
    if (row === undefined) refused.push(decision);
    else settled.push({ decision, row });
    if (result?.type === "committed") for (const each of result.actions) parts.note(each);
  }
  for (const { action, executor } of refused)
    executor?.release([{ ...attemptOf(action), attempt: action.attempt + 1 }]);
  // Refused: the rows have moved on, and the next look sees what others made of them.
  if (refused.length > 0) await noteAnew(parts, refused);
  return settled;
}

async function noteAnew(parts: EngineParts, refused: readonly Decision[]): Promise<void> {
  for (const row of await parts.store.actions(refused.map(({ action }) => action)))
    parts.queue.note(row, parts.nowMs());
}
