// Compares what is stored with the model when everything is at rest, and asks of each action that has not
// ended whether it waits for a reason.
import type { Action, Phase } from "../../src/core/action.ts";
import { canonicalJson } from "../../src/core/hash.ts";
import type { Run } from "../../src/core/run.ts";
import { keyOf, standing } from "./ledger.ts";
import { ends } from "./rules.ts";
import type { OpenedEngine, World } from "./world.ts";

type Snapshot = { readonly run: number; readonly revision: number; readonly rows: ReadonlyMap<string, Action> };

export class Comparison {
  readonly #world: World;
  /** What watchers knew that have not looked since. */
  readonly #snapshots: Snapshot[] = [];
  #looks = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** What is not as the model has it. */
  async differences(): Promise<readonly string[]> {
    const { ledger, store, openEngines } = this.#world;
    const found: string[] = [...ledger.gaps, ...ledger.uncommittedLaunches];
    for (const run of await store.runsById(ledger.committedRuns.map(({ id }) => id))) {
      found.push(...(await this.#ofRun(run)), ...(await this.#ofWaiting(run.id)));
    }
    for (const opened of openEngines) found.push(...(await this.#ofEngine(opened)));
    found.push(...(await this.#ofKeys()));
    return found;
  }

  #rowsOf(run: number): readonly Action[] {
    return [...this.#world.ledger.rows.values()].filter((row) => row.run === run);
  }

  async #ofRun(run: Run): Promise<readonly string[]> {
    const { ledger, store } = this.#world;
    const found: string[] = [];
    const stored = await store.changedActions({ run: run.id, afterRevision: 0, limit: 1_000 });
    const known = this.#rowsOf(run.id);
    if (stored.length !== known.length) found.push(`${run.name} has ${stored.length} actions, not ${known.length}`);
    for (const [index, row] of stored.entries()) {
      const row0 = ledger.rows.get(keyOf(run.id, row.name));
      if (text(row) !== text(row0)) found.push(`${ledger.nameOf(row)} is stored as ${text(row)}, not ${text(row0)}`);
      if (row.revision <= (stored[index - 1]?.revision ?? 0))
        found.push(`${run.name}: a revision is not above the last`);
      const attempts = (await store.attempts(row)).map(({ attempt, phase }) => ({ attempt, phase }));
      const attempts0 = ledger.attempts.get(keyOf(run.id, row.name)) ?? [];
      if (text(attempts) !== text(attempts0))
        found.push(`${ledger.nameOf(row)} has the attempts ${text(attempts)}, not ${text(attempts0)}`);
      const children = known.filter(({ parent }) => parent === row.name);
      found.push(...differentCounts(ledger.nameOf(row), await store.counts(run.id, row.name), children));
    }
    found.push(...differentCounts(run.name, await store.counts(run.id), known));
    const root = ledger.rows.get(keyOf(run.id, "a0"));
    if (run.phase !== root?.phase || run.endedAtMs !== root.endedAtMs)
      found.push(
        `${run.name} is ${run.phase}, ended at ${run.endedAtMs}; its root is ${root?.phase}, ${root?.endedAtMs}`,
      );
    found.push(...(await this.#ofWatcher(run, stored)));
    return found;
  }

  /** Somebody who knew the rows of a while ago and reads what changed since has the rows of now. */
  async #ofWatcher(run: Run, stored: readonly Action[]): Promise<readonly string[]> {
    const { store } = this.#world;
    const rows = new Map(stored.map((row) => [row.name, row]));
    this.#snapshots.push({ run: run.id, revision: stored.at(-1)?.revision ?? 0, rows });
    const old = this.#snapshots.filter((snapshot) => snapshot.run === run.id);
    const snapshot = old[(this.#looks++ * 7) % old.length] as Snapshot;
    const reconstructed = new Map(snapshot.rows);
    for (let afterRevision = snapshot.revision; ; ) {
      const page = await store.changedActions({ run: run.id, afterRevision, limit: 2 });
      for (const row of page) reconstructed.set(row.name, row);
      if (page.length < 2) break;
      afterRevision = page.at(-1)?.revision ?? afterRevision;
    }
    const sorted = [...reconstructed.values()].sort((a, b) => a.revision - b.revision);
    return text(sorted) === text(stored) ? [] : [`${run.name} from revision ${snapshot.revision} on is not what it is`];
  }

  async #ofEngine({ id, executor }: OpenedEngine): Promise<readonly string[]> {
    const { ledger } = this.#world;
    const found = [
      ...executor.idleReservations.map((attempt) => `${attempt} has a place and does not run`),
      ...executor.unplaced.map((attempt) => `${attempt} runs and has no place`),
    ];
    const running = executor
      .running()
      .map(({ run, action, attempt }) => `${ledger.nameOf({ run, name: action })}#${attempt}`);
    const wanted = [...ledger.rows.values()]
      .filter(({ phase, owner }) => phase === "running" && owner === id)
      .map((row) => `${ledger.nameOf(row)}#${row.attempt}`);
    if (text(running.sort()) !== text(wanted.sort()))
      found.push(
        `the executor of ${id} runs ${running.join(", ") || "nothing"}, not ${wanted.join(", ") || "nothing"}`,
      );
    return found;
  }

  async #ofKeys(): Promise<readonly string[]> {
    const { ledger, store } = this.#world;
    const keys = [
      ...new Set([...ledger.rows.values()].flatMap(({ cacheKey }) => (cacheKey === null ? [] : [cacheKey]))),
    ];
    const stored = new Map((await store.reservations(keys)).map(({ key, run, action }) => [key, keyOf(run, action)]));
    const found: string[] = [];
    for (const [key, holder] of stored) {
      const wanted = ledger.holders.get(key);
      // Who calls its own key may have lost it while nobody served its run, and then the called one has it.
      if (wanted !== undefined && ledger.isWithin(holder, wanted)) ledger.holders.set(key, holder);
      else if (wanted !== holder) found.push(`${holder} holds a key, not ${wanted}`);
    }
    // While nobody serves its run it may lose it to others, and is without it until it is started again.
    for (const [key, holder] of ledger.holders) {
      if (stored.has(key)) continue;
      if (ledger.rows.get(holder)?.phase !== "running") ledger.holders.delete(key);
      else if (ledger.isServed(Number(holder.split("/")[0]))) found.push(`${holder} holds no key`);
    }
    const entries = (await store.cacheEntries(keys)).map(({ key, outputs }) => [key, outputs]);
    const entries0 = [...ledger.entries].map(([key, { outputs }]) => [key, outputs]);
    if (text(entries.sort()) !== text(entries0.sort()))
      found.push(`the cache is ${text(entries)}, not ${text(entries0)}`);
    return found;
  }

  async #ofWaiting(run: number): Promise<readonly string[]> {
    const { ledger, store, openEngines } = this.#world;
    const server = openEngines.find(({ id }) => id === ledger.servers.get(run));
    const found: string[] = [];
    for (const row of this.#rowsOf(run)) {
      if (ends.includes(row.phase)) continue;
      if (ledger.unwanted.has(keyOf(run, row.name)))
        found.push(`${ledger.nameOf(row)} was aborted and is ${row.phase}`);
      const why = server === undefined ? null : this.#idlesWithout(row, server);
      if (why !== null) found.push(`${ledger.nameOf(row)} is ${standing(row)}, but ${why}`);
    }
    if (server === undefined) return found;
    for (const { name } of await store.sweeps([run], 10)) found.push(`${run}/${name} is still to be swept`);
    for (const engine of this.#world.engines.filter((each) => each !== server)) {
      const leased = await store.leased([run], engine.id, 10);
      found.push(...leased.map((row) => `${ledger.nameOf(row)} is leased to ${engine.id}, which does not serve it`));
    }
    return found;
  }

  /** Null: it waits for a reason. */
  #idlesWithout(row: Action, server: OpenedEngine): string | null {
    const { ledger, clock } = this.#world;
    if (ledger.hasEndedParent(row)) return "its parent has ended";
    if (row.dueAtMs !== null && row.dueAtMs <= clock.nowMs()) return "its time is over";
    const reports = ledger.reportsOf(keyOf(row.run, row.name));
    if (row.phase === "running" && reports.some(({ attempt, isDue }) => isDue && attempt === row.attempt))
      return "its end was reported";
    if (row.phase === "queued" && row.readyAtMs <= clock.nowMs() && server.executor.hasRoom)
      return "there is room for it";
    if (row.phase === "waiting_for_resources") {
      const holder = ledger.holders.get(row.cacheKey ?? "");
      if (holder === undefined) return "nobody works on the same";
      if (holder === keyOf(row.run, row.name)) return "that is for itself";
    }
    return null;
  }
}

const text = (value: unknown): string =>
  value === undefined ? "nothing" : canonicalJson(JSON.parse(JSON.stringify(value)));

function differentCounts(
  name: string,
  counts: { readonly [phase in Phase]?: number },
  rows: readonly Action[],
): readonly string[] {
  const counted = new Map<string, number>();
  for (const { phase } of rows) counted.set(phase, (counted.get(phase) ?? 0) + 1);
  const kept = Object.entries(counts).filter(([, count]) => count !== 0);
  return text(kept.sort()) === text([...counted].sort())
    ? []
    : [`${name} counts ${text(kept)}, not ${text([...counted])}`];
}

const comparisons = new WeakMap<World, Comparison>();

/** Waits for rest, and compares. */
export async function checked(world: World): Promise<void> {
  await world.rest();
  const { ledger } = world;
  for (const ask of ledger.atRest.splice(0)) ask();
  const comparison = comparisons.get(world) ?? new Comparison(world);
  comparisons.set(world, comparison);
  let found = await comparison.differences();
  // Between processes hints may be lost, and who looks anyway looks each second (engine.ts R2).
  for (let looks = 0; world.ground === "file" && found.length > 0 && looks < 3; looks++) {
    world.pass(1_000);
    await world.rest();
    found = await comparison.differences();
  }
  const wrong = [...ledger.violations, ...found];
  if (wrong.length > 0)
    throw new Error(`${wrong.join("\n")}\n\nWhat happened:\n${ledger.story.slice(-120).join("\n")}`);
  ledger.rest();
}
