// Works on records of one kind when they are due: triggers, backfills, notifications. One loop, as the
// engine's own: what it does follows from committed records, and it sleeps until there is a reason to look.
//
// R1  Each record is worked on by compare-and-set: the work decides on the record that was read, and what
//     it commits names that record's revision. So several servers may work on the same ones.
// R2  Work that fails is put off, and does not keep others from theirs. Nor does work that takes long: the
//     loop goes on as soon as there is room for more.
// R3  A record that waits for runs to end says so (`awaits`), and is looked at when this process hears of
//     it. What other processes end is found when the record is due again.
import { isTerminal } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { GodwitError } from "../core/error.ts";
import type { Committed, RecordKey, RecordKind, Store, StoreRecord } from "../store/store.ts";

export type DueWork = {
  readonly kind: RecordKind;
  /** Records that are worked on at once. */
  readonly atOnce: number;
  readonly work: (record: StoreRecord, nowMs: number) => Promise<Worked>;
};

/** `awaits`: runs whose end changes something for the record. None: nothing but time does. */
export type Worked = {
  readonly awaits: readonly number[];
  /** Whether it was committed: then more may be due of it at once. Else somebody else has changed it. */
  readonly isCommitted: boolean;
};

export type DueRecordsOptions = {
  readonly store: Store;
  readonly clock: Clock;
  /** Told of what went wrong in the surroundings. */
  readonly onProblem: (text: string) => void;
};

/** Between looks, at most: another process's record may have become due without a hint. */
const idleLookMs = 30_000;
/** While something is worked on, not more often than this. */
const busyLookMs = 100;
/** After work on a record failed. */
const putOffMs = 60_000;
/** After the database failed. */
const failedLookMs = 1_000;

export class DueRecords {
  readonly #options: DueRecordsOptions;
  readonly #work: DueWork;
  /** Run → records that wait for its end. */
  readonly #awaited = new Map<number, Map<string, RecordKey>>();
  /** The same by record. */
  readonly #awaiting = new Map<string, readonly number[]>();
  readonly #hurried = new Map<string, RecordKey>();
  /** Records that are worked on now. */
  readonly #inFlight = new Map<string, Promise<boolean>>();
  #stopListening: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;
  #loop: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isLooping = false;
  #isStale = false;

  constructor(work: DueWork, options: DueRecordsOptions) {
    this.#work = work;
    this.#options = options;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#stopListening = this.#options.store.onChange((committed) => this.#hear(committed));
    this.wake();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#cancelTimer();
    this.#stopListening();
    await this.#loop;
    await Promise.allSettled(this.#inFlight.values());
    this.#cancelTimer();
  }

  /** Whether it sleeps until something from outside happens. */
  get isIdle(): boolean {
    return !this.#isLooping && !this.#isStale && this.#inFlight.size === 0;
  }

  wake(): void {
    this.#isStale = true;
    if (this.#isLooping || !this.#isStarted) return;
    this.#isLooping = true;
    this.#loop = this.#run();
  }

  /** Works on what is due by then, as much as may be worked on at once. True if there may be more to do at once. */
  async runOnce(nowMs: number): Promise<boolean> {
    const committed = await Promise.all(await this.#begin(nowMs));
    return committed.includes(true) || this.#hurried.size > 0;
  }

  async #begin(nowMs: number): Promise<readonly Promise<boolean>[]> {
    const { store } = this.#options;
    const room = this.#work.atOnce - this.#inFlight.size;
    if (room <= 0) return [];
    const hurried = [...this.#hurried].slice(0, room);
    for (const [text] of hurried) this.#hurried.delete(text);
    const asked = hurried.length === 0 ? [] : await store.records(hurried.map(([, key]) => key));
    const due = await store.dueRecords(this.#work.kind, nowMs, room + this.#inFlight.size);
    const all = new Map([...asked, ...due].map((record) => [textOf(record), record]));
    const free = [...all].filter(([text]) => !this.#inFlight.has(text)).slice(0, room);
    return free.map(([text, record]) => {
      const work = this.#workOn(record, nowMs).finally(() => this.#inFlight.delete(text));
      this.#inFlight.set(text, work);
      return work;
    });
  }

  async #workOn(record: StoreRecord, nowMs: number): Promise<boolean> {
    try {
      const { awaits, isCommitted } = await this.#work.work(record, nowMs);
      this.#await(keyOf(record), awaits);
      return isCommitted;
    } catch (error) {
      const known = error instanceof GodwitError ? error : new GodwitError("internal", (error as Error).message);
      // Then nothing can be committed about it either.
      if (known.code === "unavailable" || known.code === "resource_exhausted") throw error;
      this.#options.onProblem(`${record.kind} ${record.name} ${record.version}: ${known.message}`);
      const later = putOff(record, known, nowMs);
      return (await this.#options.store.commit([{ type: "putRecord", record: later }])).type === "committed";
    }
  }

  /** R3. */
  #await(key: RecordKey, runs: readonly number[]): void {
    const text = textOf(key);
    for (const run of this.#awaiting.get(text) ?? []) {
      const waiting = this.#awaited.get(run);
      waiting?.delete(text);
      if (waiting?.size === 0) this.#awaited.delete(run);
    }
    this.#awaiting.delete(text);
    if (runs.length > 0) this.#awaiting.set(text, runs);
    for (const run of runs) {
      const waiting = this.#awaited.get(run) ?? new Map<string, RecordKey>();
      this.#awaited.set(run, waiting.set(text, key));
    }
  }

  async #run(): Promise<void> {
    this.#cancelTimer();
    const { clock, store } = this.#options;
    let nextMs: number | null = null;
    try {
      while (this.#isStale && this.#isStarted) {
        this.#isStale = false;
        for (const work of await this.#begin(clock.nowMs())) this.#whenDone(work);
        nextMs = await store.nextDueRecordMs(this.#work.kind);
      }
    } catch (error) {
      nextMs = this.#failed(error);
    } finally {
      this.#isLooping = false;
    }
    if (!this.#isStarted) return;
    if (this.#isStale) this.wake();
    else this.#sleep(nextMs);
  }

  #whenDone(work: Promise<boolean>): void {
    work.then(
      // More of it may be due, and there is room for another.
      () => this.wake(),
      (error: unknown) => {
        this.#cancelTimer();
        this.#sleep(this.#failed(error));
      },
    );
  }

  /** When to look again after the surroundings failed. */
  #failed(error: unknown): number {
    if (this.#isStarted)
      this.#options.onProblem(`${this.#work.kind}s are not looked after: ${(error as Error).message}`);
    this.#isStale = false;
    return this.#options.clock.nowMs() + failedLookMs;
  }

  #sleep(nextMs: number | null): void {
    if (!this.#isStarted) return;
    const nowMs = this.#options.clock.nowMs();
    // What is worked on may still be due; its end is a reason to look, too.
    const soonestMs = nowMs + (this.#inFlight.size > 0 ? busyLookMs : 1);
    const atMs = Math.max(Math.min(nextMs ?? Number.POSITIVE_INFINITY, nowMs + idleLookMs), soonestMs);
    this.#cancelTimer = this.#options.clock.at(atMs, () => this.wake());
  }

  #hear(committed: Committed | null): void {
    if (committed === null || committed.records.has(this.#work.kind)) {
      this.wake();
    }
    for (const action of committed?.actions ?? []) {
      if (action.parent !== null || !isTerminal(action.phase)) continue;
      const waiting = this.#awaited.get(action.run);
      if (waiting === undefined) continue;
      this.#awaited.delete(action.run);
      for (const [text, key] of waiting) this.#hurried.set(text, key);
      this.wake();
    }
  }
}

/** R2. Due later, and saying why. */
function putOff(record: StoreRecord, error: GodwitError, nowMs: number): StoreRecord {
  const dueAtMs = nowMs + putOffMs;
  try {
    const value = JSON.parse(record.text) as object;
    return { ...record, text: JSON.stringify({ ...value, problem: error.message }), dueAtMs };
  } catch {
    return { ...record, dueAtMs }; // It cannot even be read.
  }
}

const keyOf = ({ kind, project, domain, name, version }: RecordKey): RecordKey => ({
  kind,
  project,
  domain,
  name,
  version,
});

const textOf = ({ project, domain, name, version }: RecordKey): string =>
  JSON.stringify([project, domain, name, version]);
