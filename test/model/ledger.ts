// The model: what was asked and reported, and the rows as commits have left them so far. Each committed
// row is judged as it comes: is there a reason for it in what was asked and reported before (rules.ts)?
import type { Action } from "../../src/core/action.ts";
import {
  type AttemptRef,
  attemptId,
  type Call,
  type Checkpoint,
  type Launch,
  type Outcome,
} from "../../src/core/messages.ts";
import type { Run } from "../../src/core/run.ts";
import type { Payload } from "../../src/core/value.ts";
import type { Change, Committed } from "../../src/store/store.ts";
import { contradictions, dueMs, ends, type Facts, fatesOf, type Window } from "./rules.ts";
import { policyOf } from "./tasks.ts";

export const keyOf = (run: number, action: string): string => `${run}/${action}`;

type Push = { readonly first: number; readonly last: number; readonly actions: readonly Action[] };
type Entry = { readonly outputs: Payload; readonly from: string; readonly by: string };
/** `isDue`: its attempt was running, so that it has to count. */
type Report = { readonly attempt: number; readonly result: Outcome["result"]; readonly isDue: boolean };

export class Ledger {
  readonly rows = new Map<string, Action>();
  readonly runs = new Map<number, Run>();
  /** Attempts that were followed by another. */
  readonly attempts = new Map<string, { readonly attempt: number; readonly phase: string }[]>();
  readonly launches = new Map<string, Launch>();
  readonly checkpoints = new Map<string, Checkpoint>();
  /** Cache key → what it holds, and who works on it. */
  readonly entries = new Map<string, Entry>();
  readonly holders = new Map<string, string>();

  /** Run → the engine that was last asked to serve it. */
  readonly servers = new Map<number, string>();
  /** Engines that were closed or killed. */
  readonly gone = new Set<string>();
  readonly unwanted = new Set<string>();

  readonly violations: string[] = [];
  /** To be asked when everything was told: answers may come before what they rest on is heard of. */
  readonly atRest: (() => void)[] = [];
  readonly story: string[] = [];

  readonly #reports = new Map<string, Report[]>();
  readonly #signals = new Map<string, Payload[]>();
  readonly #calls = new Map<string, { readonly attempt: number; readonly call: Call }[]>();
  readonly #served = new Set<string>();
  /** Run → its last revision, and pushes that came before their turn. */
  readonly #revisions = new Map<number, number>();
  readonly #pushes = new Map<number, Push[]>();
  readonly #nowMs: () => number;
  #clock: Window;
  #goneAtRest: ReadonlySet<string> = new Set();
  #servedAtRest: ReadonlySet<number> = new Set();
  #entriesAtRest: ReadonlyMap<string, Entry> = new Map();
  /** Since the last rest. */
  #entriesLately = new Map<string, Entry[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#clock = { fromMs: nowMs(), toMs: nowMs() };
  }

  /** Everything has come to rest: what comes from now on was decided from now on. */
  rest(): void {
    this.#clock = { fromMs: this.#nowMs(), toMs: this.#nowMs() };
    this.#goneAtRest = new Set(this.gone);
    this.#servedAtRest = new Set(this.committedRuns.map(({ id }) => id).filter((id) => this.isServed(id)));
    this.#entriesAtRest = new Map(this.entries);
    this.#entriesLately = new Map([...this.entries].map(([key, entry]) => [key, [entry]]));
  }

  clockMoved(): void {
    const { fromMs, toMs } = this.#clock;
    this.#clock = { fromMs: Math.min(fromMs, this.#nowMs()), toMs: Math.max(toMs, this.#nowMs()) };
  }

  served(run: number, engine: string): void {
    this.servers.set(run, engine);
    this.#served.add(`${run} ${engine}`);
  }

  /** Nobody serves it, unless somebody has taken it over since. */
  refusedToServe(run: number, engine: string): void {
    if (this.servers.get(run) === engine) this.servers.delete(run);
  }

  called({ run, action, attempt }: AttemptRef, calls: readonly Call[]): void {
    const known = listOf(this.#calls, keyOf(run, action));
    known.push(...calls.map((call) => ({ attempt, call })));
  }

  signalled(key: string, outputs: Payload): void {
    listOf(this.#signals, key).push(outputs);
  }

  reported({ run, action, attempt, result }: Outcome): void {
    const row = this.rows.get(keyOf(run, action));
    const isDue = row?.phase === "running" && row.attempt === attempt;
    listOf(this.#reports, keyOf(run, action)).push({ attempt, result, isDue });
  }

  reportsOf = (key: string): readonly Report[] => this.#reports.get(key) ?? [];

  /** Of a running attempt: what an executor starts was committed, and is started once. */
  launched(launch: Launch): void {
    const id = attemptId(launch);
    const row = this.rows.get(keyOf(launch.run, launch.action));
    const name = `${this.#nameOf(launch.run, launch.action)}#${launch.attempt}`;
    if (this.launches.has(id)) this.violations.push(`${name} was started twice`);
    const checkpoint = this.#checkpointOf({ run: launch.run, name: launch.action });
    if (JSON.stringify(launch.checkpoint) !== JSON.stringify(checkpoint))
      this.violations.push(`${name} got the checkpoint ${launch.checkpoint?.digest}, not ${checkpoint?.digest}`);
    this.#checkMemory(name, launch, row);
    this.launches.set(id, launch);
  }

  #checkMemory(name: string, launch: Launch, row: Action | undefined): void {
    const { resources, retries } = launch.spec;
    if (resources.memoryBytes === null || retries.onOom === undefined) return;
    const wanted = Math.min(
      retries.onOom.maxBytes,
      resources.memoryBytes * retries.onOom.factor ** (row?.oomFailures ?? 0),
    );
    if (launch.resources.memoryBytes !== wanted)
      this.violations.push(`${name} got ${launch.resources.memoryBytes} bytes of memory, not ${wanted}`);
  }

  #checkpointOf({ run, name }: Pick<Action, "run" | "name">): Checkpoint | null {
    return this.#inLineage(run, (each) => this.checkpoints.get(keyOf(each, name)) ?? null);
  }

  /** The first that the run itself or one that it recovers has. */
  #inLineage<T>(run: number, find: (run: number) => T | null): T | null {
    for (let at: number | undefined = run; at !== undefined; at = this.runs.get(at)?.recovers?.run) {
      const found = find(at);
      if (found !== null) return found;
    }
    return null;
  }

  /** Known from the moment of asking; not any more if it was refused. */
  asked(changes: readonly Change[]): void {
    for (const change of changes) if (change.type === "insertRun") this.runs.set(change.run.id, change.run);
  }

  get committedRuns(): readonly Run[] {
    return [...this.runs.values()].filter(({ id }) => this.rows.has(keyOf(id, "a0")));
  }

  refused(changes: readonly Change[]): void {
    for (const change of changes)
      if (change.type === "insertRun" && !this.rows.has(keyOf(change.run.id, "a0"))) this.runs.delete(change.run.id);
  }

  attached(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type !== "putAttachment" || change.attachment.kind !== "checkpoint") continue;
      const { run, name, text } = change.attachment;
      this.checkpoints.set(keyOf(run, name), JSON.parse(text) as Checkpoint);
    }
  }

  /** Several stores may tell of commits to one run: they are taken in the order of their revisions. */
  pushed({ runs, actions }: Committed): void {
    for (const [run, range] of runs) {
      const pushes = listOf(this.#pushes, run);
      pushes.push({ ...range, actions: actions.filter((action) => action.run === run) });
      pushes.sort((a, b) => a.first - b.first);
      while (pushes[0]?.first === (this.#revisions.get(run) ?? 0) + 1) {
        const push = pushes.shift() as Push;
        this.#revisions.set(run, push.last);
        for (const action of push.actions) this.#row(action);
      }
    }
  }

  /** Attempts that executors have and nobody has committed: to be asked at rest, as one may be started before it is told of. */
  get uncommittedLaunches(): readonly string[] {
    return [...this.launches].flatMap(([id, { run, action, attempt }]) =>
      (this.rows.get(keyOf(run, action))?.attempt ?? 0) < attempt ? [`${id} was started and not committed`] : [],
    );
  }

  /** Revisions that nobody was told of, before others that somebody was. */
  get gaps(): readonly string[] {
    return [...this.#pushes].flatMap(([run, [push]]) =>
      push === undefined ? [] : [`told of revision ${push.first} of run ${run} after ${this.#revisions.get(run)}`],
    );
  }

  #row(after: Action): void {
    const key = keyOf(after.run, after.name);
    // Made and started in one commit is the same as made, and then started.
    if (after.phase === "running" && after.parent !== null && !this.rows.has(key)) this.#row(asMade(after));
    const before = this.rows.get(key);
    const isOld = after.revision <= (before?.revision ?? 0);
    if (isOld) this.violations.push(`${this.nameOf(after)} has revision ${after.revision} after ${before?.revision}`);
    this.tell(`    ${this.nameOf(after)} ${before === undefined ? "" : standing(before)} → ${standing(after)}`);
    const wrong = before === undefined ? this.#wrongInsert(after) : this.#wrongStep(before, after);
    if (wrong !== null) this.violations.push(`${this.nameOf(after)}: ${wrong}`);
    this.#keepBooks(key, before, after);
    this.rows.set(key, after);
  }

  #wrongInsert(row: Action): string | null {
    if (row.parent === null) return row.phase === "queued" && row.attempt === 0 ? null : "a root that is not queued";
    const parent = this.rows.get(keyOf(row.run, row.parent));
    if (parent?.phase !== "running") return "called by what does not run";
    if (row.dueAtMs !== dueMs(row, policyOf(row))) return `due at ${row.dueAtMs}`;
    const calls = this.#callsOf(parent, row.name);
    if (calls.length === 0) return `nobody called it in attempt ${parent.attempt} of ${parent.name}`;
    const wrong = calls.map((call) => this.#wrongCall(parent, row, call));
    return wrong.includes(null) ? null : wrong.join(", or ");
  }

  #wrongCall(parent: Action, row: Action, call: Call): string | null {
    if (row.depth !== parent.depth + 1 || row.type !== call.type || row.identity !== call.identity)
      return "not as called";
    // A trace that brings its result has been made again already: it is as it ran.
    const isMade = call.type === "trace" && call.result !== null;
    const recovered = isMade ? null : this.#recoverable(row);
    const first = firstPhase(call);
    const phase = recovered === null ? first : "recovered";
    if (row.phase !== phase) return `begins as ${row.phase}, not as ${phase ?? "nothing"}`;
    if (recovered !== null && !sameText(recovered, row.outputs)) return "recovered with other outputs";
    return null;
  }

  #recoverable({ run, name, type, identity, inputsHash }: Action): Payload | null {
    const recovers = this.runs.get(run)?.recovers;
    if (recovers == null) return null;
    return this.#inLineage(recovers.run, (each) => {
      const old = this.rows.get(keyOf(each, name));
      const isSame = old?.type === type && old.identity === identity && old.inputsHash === inputsHash;
      return isSame && (old.phase === "succeeded" || old.phase === "recovered") ? old.outputs : null;
    });
  }

  /** What the attempt that runs has called under that name. */
  #callsOf({ run, name: parent, attempt }: Action, name: string): readonly Call[] {
    const calls = this.#calls.get(keyOf(run, parent)) ?? [];
    return calls.filter((each) => each.attempt === attempt && each.call.name === name).map(({ call }) => call);
  }

  /** Null: there is a reason for the step. */
  #wrongStep(before: Action, after: Action): string | null {
    if (before.type === "trace") return this.#wrongTrace(before, after);
    const facts = this.#factsOf(before, after);
    const fates = fatesOf(before, facts).map((fate) => ({ fate, wrong: contradictions(before, after, fate, facts) }));
    if (fates.some(({ wrong }) => wrong.length === 0)) return null;
    const reasons = fates.map(({ fate, wrong }) => `\n      ${fate.why} → ${fate.phase}: but ${wrong.join(", ")}`);
    return `no reason for ${standing(before)} → ${standing(after)}; there would be${reasons.join("") || " none at all"}`;
  }

  #wrongTrace(before: Action, after: Action): string | null {
    const parent = this.rows.get(keyOf(before.run, before.parent ?? ""));
    const calls = parent?.phase === "running" ? this.#callsOf(parent, before.name) : [];
    if (before.phase !== "failed" || calls.length === 0) return "a trace is recorded once";
    const isAsAsked = calls.some((call) => after.phase === firstPhase(call));
    return isAsAsked && after.attempt === before.attempt + 1 ? null : "not as the trace ended";
  }

  #factsOf(action: Action, after: Action): Facts {
    const key = keyOf(action.run, action.name);
    const { cacheKey } = action;
    const overwrites = this.runs.get(action.run)?.overwriteCache === true;
    const entries = cacheKey === null || overwrites ? [] : (this.#entriesLately.get(cacheKey) ?? []);
    const holder = cacheKey === null ? undefined : this.holders.get(cacheKey);
    const holdersRun = Number(holder?.split("/")[0]);
    const isFree =
      holder === undefined ||
      holder === key ||
      this.#isCalledFrom(action, holder) ||
      !this.#servedAtRest.has(holdersRun) ||
      !this.isServed(holdersRun);
    const isCached = cacheKey !== null && !overwrites && this.#mustSeeEntry(key, cacheKey);
    const isServed = this.#served.has(`${action.run} ${after.owner}`) && !this.#goneAtRest.has(after.owner ?? "");
    return {
      policy: policyOf(action),
      outcomes: this.reportsOf(key),
      signals: this.#signals.get(key) ?? [],
      isUnwanted: this.unwanted.has(key) || this.hasEndedParent(action),
      isOrphaned: action.owner !== null && this.gone.has(action.owner),
      start: !isServed || !isFree || isCached ? null : cacheKey === null ? "off" : overwrites ? "overwritten" : "miss",
      keyIsHeld: this.#hasTwin(action),
      hit: entries.find(({ outputs }) => sameText(outputs, after.outputs)) ?? entries.at(-1) ?? null,
      clock: this.#clock,
    };
  }

  /** Who holds the key is kept from starting by nobody: it may have looked before one that it has called left its result. */
  #mustSeeEntry(key: string, cacheKey: string): boolean {
    const entry = this.entries.get(cacheKey);
    if (entry === undefined) return false;
    return this.#entriesAtRest.get(cacheKey) === entry || !this.isWithin(entry.by, key);
  }

  /** Somebody else does the same, or did until just now, or was about to: who then lost its start may have been seen as holding the key. */
  #hasTwin({ run, name, cacheKey }: Action): boolean {
    if (cacheKey === null) return false;
    const isTwin = (row: Action): boolean => row.cacheKey === cacheKey && (row.run !== run || row.name !== name);
    return [...this.rows.values()].some((row) => isTwin(row) && (row.endedAtMs ?? Infinity) >= this.#clock.fromMs);
  }

  /** Whether the one, by its key, was called from the other. */
  isWithin(called: string, holder: string): boolean {
    const row = this.rows.get(called);
    return row !== undefined && this.#isCalledFrom(row, holder);
  }

  /** Who works on a key waits for those that it has called: they cannot wait for it. */
  #isCalledFrom({ run, parent }: Action, holder: string): boolean {
    for (let name = parent; name !== null; name = this.rows.get(keyOf(run, name))?.parent ?? null)
      if (keyOf(run, name) === holder) return true;
    return false;
  }

  /** By an engine that lives. */
  isServed(run: number): boolean {
    const server = this.servers.get(run);
    return server !== undefined && !this.gone.has(server);
  }

  hasEndedParent({ run, parent }: Action): boolean {
    const row = parent === null ? undefined : this.rows.get(keyOf(run, parent));
    return row !== undefined && ends.includes(row.phase);
  }

  #keepBooks(key: string, before: Action | undefined, after: Action): void {
    const { cacheKey } = after;
    if (before?.phase === "running" && after.phase === "queued") {
      const isInterrupted = after.interruptions > before.interruptions;
      const phase = isInterrupted ? "interrupted" : after.error?.code === "TimedOut" ? "timed_out" : "failed";
      listOf(this.attempts, key).push({ attempt: before.attempt, phase });
    }
    if (cacheKey === null) return;
    const holder = this.holders.get(cacheKey);
    if (after.phase === "running" && (holder === undefined || !this.#isCalledFrom(after, holder)))
      this.holders.set(cacheKey, key);
    if (ends.includes(after.phase) && this.holders.get(cacheKey) === key) this.holders.delete(cacheKey);
    if (before?.phase === "running" && after.phase === "succeeded" && after.outputs !== null) {
      const entry = { outputs: after.outputs, from: `${this.runs.get(after.run)?.name}/${after.name}`, by: key };
      this.entries.set(cacheKey, entry);
      listOf(this.#entriesLately, cacheKey).push(entry);
    }
  }

  /** People's name for it. */
  nameOf = ({ run, name }: Pick<Action, "run" | "name">): string => this.#nameOf(run, name);
  #nameOf = (run: number, action: string): string => `${this.runs.get(run)?.name ?? run}/${action}`;

  tell(line: string): void {
    this.story.push(line);
  }
}

/** Null: nothing is recorded, as it only asks. */
function asMade(started: Action): Action {
  const { createdAtMs, revision } = started;
  const made: Action = {
    ...started,
    phase: "queued",
    attempt: 0,
    owner: null,
    startedAtMs: null,
    attemptStartedAtMs: null,
    cacheStatus: null,
    readyAtMs: createdAtMs,
    revision: revision - 0.5,
  };
  return { ...made, dueAtMs: dueMs(made, policyOf(made)) };
}

function firstPhase(call: Call): Action["phase"] | null {
  if (call.type !== "trace") return call.type === "task" ? "queued" : "paused";
  if (call.result === null) return null;
  return call.result.error === null ? "succeeded" : "failed";
}

export const standing = ({ phase, attempt, error, cacheStatus }: Action): string =>
  `${phase}#${attempt}${error === null ? "" : ` ${error.code}`}${cacheStatus === "hit" ? " hit" : ""}`;

const sameText = (a: Payload, b: Payload | null): boolean => JSON.stringify(a) === JSON.stringify(b);

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
