// From queued to running: looks up the cache, reserves keys, commits, and only then launches.
//
// R1  A key is worked on by one action at a time: the one that has the reservation. Others wait.
// R2  What is in the cache counts only if all its bytes are there and undamaged.
// R3  An action is launched after it was committed as running, under the attempt of that commit.
import { hasBytes } from "../blob/payload.ts";
import type { Action, CacheStatus } from "../core/action.ts";
import type { CacheEntry, Reservation } from "../core/cache.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Checkpoint, Launch } from "../core/messages.ts";
import type { Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor } from "../executor/executor.ts";
import { ancestors } from "../store/lineage.ts";
import type { Change } from "../store/store.ts";
import { batchSize, changesOf, type EngineParts } from "./parts.ts";

/** How far to look past actions whose executor is full for one whose executor is not. */
const maxWindow = 8_000;

/** True if it changed anything, so that it is worth looking again. */
export async function claim(parts: EngineParts): Promise<boolean> {
  const free = parts.executors.reduce((sum, executor) => sum + Math.max(0, executor.free()), 0);
  if (free === 0) return false;
  // Some more than fit: those found in the cache need no place.
  let window = Math.min(batchSize, free * 2);
  for (;;) {
    const ready = await parts.store.claimable([...parts.served], parts.nowMs(), window);
    if (ready.length === 0) return false;
    if (await claimThese(parts, ready)) return true;
    if (ready.length < window || window >= maxWindow) return false;
    window = Math.min(maxWindow, window * 4);
  }
}

async function claimThese(parts: EngineParts, ready: readonly Action[]): Promise<boolean> {
  const specs = await parts.documents.taskSpecs(ready);
  const runs = new Map(
    (await parts.store.runsById([...new Set(ready.map(({ run }) => run))])).map((run) => [run.id, run]),
  );
  const lookup = await lookUp(parts, ready, runs);
  const room = new Map(parts.executors.map((executor) => [executor, executor.free()]));
  const claimed = await Promise.all(
    ready.map((action, index) =>
      claimOne(parts, { action, spec: specs[index] ?? null, run: runs.get(action.run) ?? null, lookup, room }),
    ),
  );
  const launchable = claimed.flatMap((result) => (result.type === "claimed" ? [result.action] : []));
  await launch(parts, launchable, runs);
  return claimed.some(({ type }) => type !== "skipped");
}

type Lookup = {
  readonly entries: ReadonlyMap<string, CacheEntry>;
  /** Key → who works on it; the claims of this batch are added as they are decided. */
  readonly reservations: Map<string, Reservation>;
};

async function lookUp(parts: EngineParts, actions: readonly Action[], runs: ReadonlyMap<number, Run>): Promise<Lookup> {
  const keyed = actions.flatMap(({ cacheKey, run }) =>
    cacheKey === null ? [] : [{ cacheKey, overwrite: runs.get(run)?.overwriteCache === true }],
  );
  if (keyed.length === 0) return { entries: new Map(), reservations: new Map() };
  const found = await parts.store.cacheEntries([
    ...new Set(keyed.flatMap(({ cacheKey, overwrite }) => (overwrite ? [] : [cacheKey]))),
  ]);
  const whole = await Promise.all(found.map((entry) => hasBytes(entry.outputs, parts.blobs)));
  const reservations = await parts.store.reservations([...new Set(keyed.map(({ cacheKey }) => cacheKey))]);
  return {
    entries: new Map(found.filter((_, index) => whole[index]).map((entry) => [entry.key, entry])),
    reservations: new Map(reservations.map((reservation) => [reservation.key, reservation])),
  };
}

type Claiming = {
  readonly action: Action;
  readonly spec: TaskSpec | null;
  readonly run: Run | null;
  readonly lookup: Lookup;
  readonly room: Map<Executor, number>;
};

type Claimed = { readonly type: "claimed"; readonly action: Action } | { readonly type: "settled" | "skipped" };

/** Decides synchronously, in the order of the batch, then commits. */
function claimOne(parts: EngineParts, claiming: Claiming): Promise<Claimed> {
  const { action, spec, run, lookup, room } = claiming;
  if (spec === null || run === null) return Promise.resolve({ type: "skipped" });
  const key = action.cacheKey;
  const entry = key === null || run.overwriteCache ? undefined : lookup.entries.get(key);
  if (entry !== undefined) {
    const from = `${entry.runName}/${entry.action}`;
    return settle(parts, { action, spec }, { type: "reused", how: "cache", outputs: entry.outputs, from }, []);
  }
  const holder = key === null ? undefined : lookup.reservations.get(key);
  if (holder !== undefined && (holder.run !== action.run || holder.action !== action.name))
    return settle(parts, { action, spec }, { type: "waits" }, []);
  const executor = parts.executors.find((each) => each.accepts({ spec }));
  const places = executor === undefined ? 0 : (room.get(executor) ?? 0);
  if (executor === undefined || places <= 0) return Promise.resolve({ type: "skipped" });
  room.set(executor, places - 1);
  const reservation = key === null ? null : { key, run: action.run, action: action.name };
  if (reservation !== null) lookup.reservations.set(reservation.key, reservation);
  const cacheStatus: CacheStatus = key === null ? "off" : run.overwriteCache ? "overwritten" : "miss";
  const reserve: Change[] = reservation === null || holder !== undefined ? [] : [{ type: "reserve", reservation }];
  return settle(parts, { action, spec }, { type: "claimed", owner: parts.id, cacheStatus }, reserve);
}

async function settle(
  parts: EngineParts,
  { action, spec }: { readonly action: Action; readonly spec: TaskSpec },
  event: Parameters<typeof changesOf>[3],
  more: readonly Change[],
): Promise<Claimed> {
  const changed = await changesOf(parts, action, spec, event);
  if (changed === null) return { type: "skipped" };
  const result = await parts.store.commit([...changed.changes, ...more]);
  // Refused: somebody else was faster, and the next look sees what they made of it.
  if (result.type !== "committed") return { type: "settled" };
  return event.type === "claimed" ? { type: "claimed", action: changed.next } : { type: "settled" };
}

/** R3. Also what makes committed attempts run again that an executor does not know. */
export async function launch(
  parts: EngineParts,
  actions: readonly Action[],
  runs: ReadonlyMap<number, Run>,
): Promise<void> {
  if (actions.length === 0) return;
  const checkpoints = await checkpointsOf(parts, actions, runs);
  const launches = new Map<Executor, Launch[]>();
  const specs = await parts.documents.taskSpecs(actions);
  for (const [index, action] of actions.entries()) {
    const run = runs.get(action.run);
    const spec = specs[index] ?? null;
    const executor = spec === null ? undefined : parts.executors.find((each) => each.accepts({ spec }));
    if (run === undefined || spec === null || executor === undefined) continue;
    const list = launches.get(executor) ?? [];
    list.push(launchOf(action, run, spec, checkpoints.get(`${action.run}/${action.name}`) ?? null));
    launches.set(executor, list);
  }
  for (const [executor, list] of launches) executor.ensureLaunched(list);
}

const launchOf = (action: Action, run: Run, spec: TaskSpec, checkpoint: Checkpoint | null): Launch => ({
  run: run.id,
  runName: run.name,
  project: run.project,
  domain: run.domain,
  action: action.name,
  attempt: action.attempt,
  depth: action.depth,
  bundle: run.bundle,
  projectDir: run.source.projectDir,
  spec,
  inputs: action.inputs,
  seed: seedOf(action.name),
  checkpoint,
});

/** From the name alone, which is the same in every attempt and for the same call in another run. */
export const seedOf = (name: string): number => Number.parseInt(sha256Hex(name).slice(0, 8), 16);

/** The last checkpoint of each; if it has made none, that of the run that its run recovers. */
async function checkpointsOf(
  parts: EngineParts,
  actions: readonly Action[],
  runs: ReadonlyMap<number, Run>,
): Promise<ReadonlyMap<string, Checkpoint>> {
  const found = new Map<string, Checkpoint>();
  const retried = actions.filter(({ attempt }) => attempt > 1);
  const own = retried.length === 0 ? [] : await parts.store.attachments(retried, "checkpoint");
  for (const { run, name, text } of own) found.set(`${run}/${name}`, JSON.parse(text) as Checkpoint);
  for (const run of runs.values()) {
    const without = actions.filter((action) => action.run === run.id && !found.has(`${run.id}/${action.name}`));
    const old = run.recovers === null ? new Map<string, Checkpoint>() : await recoveredCheckpoints(parts, run, without);
    for (const [name, checkpoint] of old) found.set(`${run.id}/${name}`, checkpoint);
  }
  return found;
}

async function recoveredCheckpoints(
  parts: EngineParts,
  run: Run,
  actions: readonly Action[],
): Promise<ReadonlyMap<string, Checkpoint>> {
  const found = new Map<string, Checkpoint>();
  let missing = actions.map(({ name }) => name);
  if (missing.length === 0) return found;
  for await (const ancestor of ancestors(parts.store, run)) {
    const keys = missing.map((name) => ({ run: ancestor.run, name }));
    for (const { name, text } of await parts.store.attachments(keys, "checkpoint"))
      found.set(name, JSON.parse(text) as Checkpoint);
    missing = missing.filter((name) => !found.has(name));
    if (missing.length === 0) break;
  }
  return found;
}
