// The real parts under test: stores, control and engines, with a clock and executors moved by hand.
// Commits are told to the model (ledger.ts) in their order.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Control, openControl, type Scope, type Starter } from "../../src/control/control.ts";
import { GodwitError } from "../../src/core/error.ts";
import type { TaskCalls } from "../../src/core/messages.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Capacity } from "../../src/executor/capacity.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { memoryBlobs } from "../../src/testing/memory-blob.ts";
import { JumpingClock } from "./jumping-clock.ts";
import { Ledger } from "./ledger.ts";
import { ScriptedExecutor } from "./scripted-executor.ts";

export const scope: Scope = { project: "p", domain: "d", caller: "model" };

export type OpenedEngine = {
  readonly id: string;
  readonly engine: Engine;
  readonly executor: ScriptedExecutor;
  readonly store: Store;
  readonly control: Control;
  /** The store below, which nothing kills. */
  readonly below: Store;
  isOpen: boolean;
};

/**
 * "memory": one store for all. "file": as in processes of their own, on one file, each engine has its
 * store and control; people use another.
 */
export type Ground = "memory" | "file";

/** Far longer than anything takes, on a busy machine too; who needs more never comes to rest. */
const maxRestMs = 60_000;
/** What one part hands to another without a promise that is counted is on its way for fewer turns. */
const quietTurns = 8;

const blobs = memoryBlobs();

/** The scripted executors hold nothing of it. */
const machine = { cpuMillis: 1_000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30, gpus: [], tokens: {} };

export class World {
  readonly clock = new JumpingClock();
  readonly ledger = new Ledger(() => this.clock.nowMs());
  readonly engines: OpenedEngine[] = [];
  readonly ground: Ground;
  /** The same commands are executed in many histories: those of one that fails remember what they did in it. */
  readonly onFailure: (() => void)[] = [];
  readonly #dir: string | null;
  #control: Control | null = null;
  #store: Store | null = null;
  /** Runs that are being taken over, and by whom: what an engine does for that is not part of its loop. */
  readonly #adopting = new Map<number, string>();
  readonly #killed = new Set<string>();
  #pending = 0;
  #random = 0;

  constructor(ground: Ground) {
    this.ground = ground;
    this.#dir = ground === "file" ? mkdtempSync(join(quickDir(), "godwit-model-")) : null;
  }

  /** Control's. */
  get store(): Store {
    if (this.#store === null) throw new Error("not open");
    return this.#store;
  }

  get control(): Control {
    if (this.#control === null) throw new Error("not open");
    return this.#control;
  }

  get openEngines(): readonly OpenedEngine[] {
    return this.engines.filter(({ isOpen }) => isOpen);
  }

  async open(): Promise<void> {
    this.#store = await this.#openStore();
    this.#control = this.#openControl(this.#store);
    await this.openEngine();
  }

  #openControl(store: Store): Control {
    return openControl({
      store,
      blobs,
      logs: { read: async function* () {} },
      nowMs: () => this.clock.nowMs(),
      randomBytes: (count) => {
        const bytes = new Uint8Array(count);
        bytes[count - 1] = ++this.#random;
        return bytes;
      },
      onAbort: () => {
        for (const { engine } of this.openEngines) engine.reconcile();
      },
      starter: () => this.#starter,
    });
  }

  /** Of the engine that serves the run, as in a process of its own. */
  readonly #starter: Starter = {
    admit: (run, action, spec) => this.#serverOf(run.id)?.engine.starter.admit(run, action, spec) ?? null,
    underWay: (run, action) => this.#serverOf(run)?.engine.starter.underWay(run, action) ?? null,
    started: (actions) => {
      for (const action of actions) this.#serverOf(action.run)?.engine.starter.started([action]);
    },
    refused: (actions) => {
      for (const action of actions) this.#serverOf(action.run)?.engine.starter.refused([action]);
    },
  };

  #serverOf(run: number): OpenedEngine | undefined {
    return this.openEngines.find(({ id }) => id === this.ledger.servers.get(run));
  }

  /** What an attempt talks to: the control of the process that serves its run. */
  callsOf(run: number): TaskCalls {
    return this.#serverOf(run)?.control ?? this.control;
  }

  async openEngine(): Promise<OpenedEngine> {
    const id = `e${this.engines.length}`;
    const below = this.ground === "memory" ? null : await this.#openStore();
    const store = below === null ? this.store : mortal(below, () => this.#killed.has(id));
    const control = below === null ? this.control : this.#openControl(store);
    const executor = new ScriptedExecutor((launch) => this.ledger.launched(launch));
    await store.register({ id, pid: process.pid, host: "model", startedAtMs: this.clock.nowMs() });
    const capacity = new Capacity({ machine, limits: {} });
    const engine = new Engine({ id, store, blobs, executors: [executor], capacity, clock: this.clock });
    const opened: OpenedEngine = { id, engine, executor, store, control, below: below ?? store, isOpen: true };
    this.engines.push(opened);
    return opened;
  }

  /** Resolves when the engine has taken the run over or refused to; what comes of it is watched. */
  serve({ id, engine }: OpenedEngine, run: number): void {
    const server = this.ledger.servers.get(run);
    const isTaken = server !== undefined && server !== id && !this.ledger.gone.has(server);
    if (!isTaken) this.ledger.served(run, id);
    if (!isTaken) this.#adopting.set(run, id);
    const serving = engine.serve(run).then(
      ({ phase }) => {
        if (isTaken) this.ledger.violations.push(`${id} serves run ${run}, which ${server} serves`);
        this.ledger.atRest.push(() => {
          const root = this.ledger.rows.get(`${run}/a0`);
          if (root?.phase !== phase)
            this.ledger.violations.push(`the end of run ${run} is ${phase}, not ${root?.phase}`);
        });
      },
      (error: { readonly code?: string; readonly message: string }) => {
        const isRefused = server !== undefined && error.code === "already_exists";
        // Who closes still serves it until it has let go.
        if (isRefused && !isTaken && server !== id) this.ledger.refusedToServe(run, id);
        const isExpected = this.ledger.gone.has(id) || isRefused;
        if (!isExpected) this.ledger.violations.push(`${id} gave up run ${run}: ${error.message}`);
      },
    );
    void serving.finally(() => this.#adopting.delete(run));
  }

  async closeEngine(opened: OpenedEngine): Promise<void> {
    this.ledger.gone.add(opened.id);
    opened.isOpen = false;
    await opened.engine.close();
    if (this.ground === "file") await opened.store.close();
  }

  /** As by `kill -9`: its process is gone in the middle of whatever it did, and its attempts with it. */
  async killEngine(opened: OpenedEngine): Promise<void> {
    this.ledger.gone.add(opened.id);
    this.#killed.add(opened.id);
    opened.isOpen = false;
    await opened.below.close();
    await opened.executor.close();
  }

  /** Runs it beside everything else; `rest` waits for it. */
  start(work: Promise<unknown>): void {
    this.#pending++;
    work
      .catch((error: unknown) => this.ledger.violations.push(`unexpected: ${(error as Error).stack ?? error}`))
      .finally(() => this.#pending--);
  }

  /** Some of what is under way goes on, and the rest does not yet. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await oneTurn();
  }

  /** Until nothing happens by itself any more. */
  async rest(): Promise<void> {
    let told: number;
    do {
      told = this.ledger.story.length;
      // Engines see what other stores commit by looking now and then: let them look now.
      if (this.ground === "file") for (const { engine } of this.openEngines) engine.reconcile();
      await this.#quiet();
    } while ((this.ground === "file" && this.ledger.story.length > told) || this.#passMoment());
  }

  pass(ms: number): void {
    this.clock.pass(ms);
    this.ledger.clockMoved();
  }

  /** Whoever finds that a moment has just gone by looks again in the next. */
  #passMoment(): boolean {
    const alarmMs = this.clock.nextAlarmMs();
    const isNear = alarmMs !== null && alarmMs <= this.clock.nowMs() + 1;
    if (isNear) this.pass(1);
    return isNear;
  }

  async #quiet(): Promise<void> {
    let quietFor = 0;
    const untilMs = performance.now() + maxRestMs;
    while (quietFor < quietTurns) {
      if (performance.now() > untilMs) {
        this.ledger.violations.push("it does not come to rest");
        return;
      }
      await oneTurn();
      await this.#lookAtAdoptions();
      quietFor =
        this.#pending === 0 && this.#adopting.size === 0 && this.openEngines.every(({ engine }) => engine.isIdle)
          ? quietFor + 1
          : 0;
    }
  }

  async #lookAtAdoptions(): Promise<void> {
    if (this.#adopting.size === 0) return;
    for (const { id, owner } of await this.store.runsById([...this.#adopting.keys()])) {
      const adopter = this.#adopting.get(id);
      if (owner === adopter || this.ledger.gone.has(adopter ?? "")) this.#adopting.delete(id);
    }
  }

  async close(): Promise<void> {
    for (const opened of this.openEngines) await this.closeEngine(opened);
    await this.store.close();
    if (this.#dir !== null) rmSync(this.#dir, { recursive: true, force: true });
  }

  async #openStore(): Promise<Store> {
    const path = this.#dir === null ? ":memory:" : join(this.#dir, "godwit.db");
    return this.#told(await openSqliteStore({ path }));
  }

  /** The same store, of whose commits the model hears before anybody else. */
  #told(store: Store): Store {
    const { ledger } = this;
    store.onChange((committed) => (committed === null ? undefined : ledger.pushed(committed)));
    const commit: Store["commit"] = async (changes, ...durability) => {
      ledger.asked(changes);
      const result = await store.commit(changes, ...durability);
      if (result.type === "committed") ledger.attached(changes);
      else ledger.refused(changes);
      return result;
    };
    return { ...store, commit };
  }
}

/** What is asked of it, or not yet answered, when its process is killed is never answered as it should be. */
function mortal(store: Store, isDead: () => boolean): Store {
  const alive = (): void => {
    if (isDead()) throw new GodwitError("unavailable", "This process was killed.");
  };
  return new Proxy(store, {
    get(target, property: keyof Store) {
      const method = target[property] as (...values: unknown[]) => unknown;
      if (property === "onChange")
        return (listener: Parameters<Store["onChange"]>[0]) =>
          target.onChange((committed) => (isDead() ? undefined : listener(committed)));
      return async (...values: unknown[]): Promise<unknown> => {
        alive();
        const result = await method.apply(target, values);
        alive();
        return result;
      };
    },
  });
}

/** Where syncing costs nothing, if there is such a place: what is tested here is not the disk. */
const quickDir = (): string => (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());

const oneTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
