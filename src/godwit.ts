// Wires the parts into one Godwit on one data directory. The only file that goes past doors.
import { randomBytes } from "node:crypto";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { BlobStore } from "./blob/blob.ts";
import { openFileBlobs } from "./blob/files.ts";
import { type BundleArchive, Bundles } from "./control/bundles.ts";
import { type Control, openControl } from "./control/control.ts";
import { keyFile } from "./control/secret-key.ts";
import { isTerminal } from "./core/action.ts";
import type { Clock } from "./core/clock.ts";
import { inBundle } from "./core/code-graph.ts";
import { GodwitError } from "./core/error.ts";
import type { Run } from "./core/run.ts";
import type { Manifest } from "./core/task.ts";
import type { Literals } from "./core/value.ts";
import { cronTicks } from "./cron/cron.ts";
import { absence } from "./doctor/database-check.ts";
import type { Diagnosis } from "./doctor/doctor.ts";
import { statusOf } from "./engine/announcements.ts";
import { Automation } from "./engine/automation.ts";
import { Engine, type EngineOptions } from "./engine/engine.ts";
import { Takeover } from "./engine/takeover.ts";
import { Capacity } from "./executor/capacity.ts";
import type { Executor, LogSink } from "./executor/executor.ts";
import { workerPool } from "./executor/pool.ts";
import { processExecutor } from "./executor/process.ts";
import { processState } from "./executor/process-state.ts";
import { describeParquet } from "./idl/idl.ts";
import { openLogs } from "./logs/logs.ts";
import { type Decisions, findGpus, noDecisions, settingsWithoutGpus } from "./settings/settings.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";
import { signingKeyIn } from "./webhook/signing-key.ts";
import { type Reach, webhookCaller } from "./webhook/webhook.ts";

export type GodwitConfig = {
  /** Created if it does not exist. */
  readonly dataDir: string;
  /** Shared worker processes that are active at once, at most; default: as the CPU goes that tasks ask for. */
  readonly workers?: number;
  /** What operators decided of the machine, limits and shares. Default: the machine as it is, and no limits. */
  readonly settings?: Decisions;
  /** What workers print that belongs to no attempt, and what is wrong with them. Default: to stderr. */
  readonly onText?: (text: string) => void;
  /** More executors, beside the pool of workers and that of shell tasks. Not asked for before the store is open. */
  readonly executors?: (parts: ExecutorParts) => Promise<readonly Executor[]>;
  /** Tells those whose attempts do not say themselves when they only wait for their calls. */
  readonly setWaiting?: EngineOptions["setWaiting"];
  /** For tests, which put something between the parts: what ends the process at a chosen commit or launch. */
  readonly wrap?: {
    readonly store?: (store: Store) => Store;
    readonly executor?: (executor: Executor) => Executor;
  };
};

/** What executors work with. */
export type ExecutorParts = {
  readonly dataDir: string;
  readonly blobs: BlobStore;
  readonly logs: LogSink;
  readonly capacity: Capacity;
  readonly control: Control;
  readonly clock: Clock;
};

/** `isStopped`: by SIGSTOP, as far as can be seen from this machine. It keeps the runs it serves, and moves none forward. */
export type LiveEngine = { readonly id: string; readonly pid: number; readonly isStopped: boolean };

export type TriggerOptions = {
  /** Which addresses webhooks may be at. */
  readonly reach: Reach;
  /** What they are signed with. Default: the key in the data directory. */
  readonly signingKey?: string;
  /** Told in a sentence what does not go as it should. */
  readonly onProblem: (text: string) => void;
};

/** One Godwit in this process. Several, in several processes, may share one data directory. */
export type Godwit = {
  readonly control: Control;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Starts a worker now, so that it is there when the code is bundled. A hint. */
  warm(): void;
  /**
   * Takes the run over and moves it forward until it has ended. Rejects with `already_exists` if a live
   * process serves it, and with `canceled` when this Godwit is closed first.
   */
  serve(run: number): Promise<Run>;
  /**
   * From now on serves every run that has not ended and that no live engine serves: those that are there, and
   * those to come. Until it is closed.
   */
  serveAll(onError: (error: unknown, run: number | null) => void): void;
  /**
   * Starts what triggers and backfills want started, and sends notifications, from now on and until it is
   * closed. The runs are those of whoever serves all. Several processes may do so at once.
   */
  startTriggers(options: TriggerOptions): Promise<void>;
  /** Whether a live engine, here or elsewhere, serves the run. */
  isServed(run: number): Promise<boolean>;
  /** The live engine that serves the run, if there is one. */
  servedBy(run: number): Promise<LiveEngine | null>;
  /** Those on this data directory, this process's among them. */
  liveEngines(): Promise<readonly LiveEngine[]>;
  /** Whether the run has ended and with it all that hung on it: nothing is left to be served. */
  isDone(run: number): Promise<boolean>;
  /** Loads a stored bundle in a worker and says what tasks it has. Throws what is wrong with the user's code. */
  describe(bundle: string, projectDir: string): Promise<Manifest>;
  /**
   * Makes a portable bundle from outside known here, from its archive if it is not yet. `archive` is asked
   * for only then; null: nobody has it. Throws what is wrong with the archive or the code.
   */
  adoptBundle(digest: string, archive: () => BundleArchive): Promise<Manifest>;
  /** What the task's own schema says against these inputs; empty if nothing. */
  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]>;
  /** Stops workers and lets go of what it served; unfinished runs can be resumed. */
  close(): Promise<void>;
};

export async function openGodwit(config: GodwitConfig): Promise<Godwit> {
  const { dataDir, settings = noDecisions, wrap = {} } = config;
  await makeDataDir(dataDir);
  checkDatabaseIsThere(dataDir);
  const database = await openSqliteStore({ path: join(dataDir, "godwit.db") });
  const store = wrap.store?.(database) ?? database;
  const blobs = await openFileBlobs(join(dataDir, "blobs"));
  const logs = openLogs(join(dataDir, "logs"));
  const { machine, limits, shares } = settingsWithoutGpus(settings, dataDir);
  const closing = new AbortController();
  const capacity = new Capacity({ machine, limits });
  const control = openControl({
    store,
    blobs,
    logs,
    nowMs: Date.now,
    randomBytes,
    onAbort: () => serving.engine()?.reconcile(),
    starter: () => serving.engine()?.starter ?? null,
    secretKey: keyFile(join(dataDir, "secrets.key")),
  });
  const pool = workerPool({
    dataDir,
    capacity,
    ...(config.workers === undefined ? {} : { workers: config.workers }),
    calls: control,
    logs,
    ...(config.onText === undefined ? {} : { onText: config.onText }),
  });
  const shell = processExecutor({
    blobs,
    logs,
    capacity,
    tmpDir: join(dataDir, "tmp"),
    describeTable: describeParquet,
  });
  const bundles = new Bundles({ store, blobs, describe: (bundle) => pool.describe(bundle, inBundle) });
  const more = (await config.executors?.({ dataDir, blobs, logs, capacity, control, clock: systemClock })) ?? [];
  const executors = [pool, shell, ...more].map((executor) => wrap.executor?.(executor) ?? executor);
  const serving = servingBy({ store, blobs, executors, capacity, shares, ...waitingOf(config) }, () =>
    capacity.expectGpus(findGpus(settings, process.env, closing.signal)),
  );
  const automation = automationOn({ dataDir, store, blobs });
  let takeover: Takeover | null = null;
  return {
    control,
    store,
    blobs,
    warm: () => pool.warm(),
    serve: serving.serve,
    serveAll: (onError) => {
      takeover ??= new Takeover({ store, serve: serving.serve, onError });
      takeover.start();
    },
    startTriggers: automation.start,
    isServed: async (run) => (await servedBy(store, run)) !== null,
    servedBy: (run) => servedBy(store, run),
    liveEngines: () => liveEngines(store),
    isDone: (run) => isDone(store, run),
    describe: (bundle, projectDir) => pool.describe(bundle, projectDir),
    adoptBundle: (digest, archive) => bundles.adopt(digest, archive),
    check: (bundle, projectDir, task, inputs) => pool.check(bundle, projectDir, task, inputs),
    close: async () => {
      closing.abort();
      takeover?.stop();
      await closeAll([serving, automation], [logs, store]);
    },
  };
}

function automationOn(parts: { readonly dataDir: string; readonly store: Store; readonly blobs: BlobStore }) {
  const { dataDir, store, blobs } = parts;
  let automation: Automation | null = null;
  let isClosed = false;
  return {
    start: async ({ reach, signingKey, onProblem }: TriggerOptions): Promise<void> => {
      const key = signingKey ?? (await signingKeyIn(join(dataDir, "webhook-signing-key")));
      if (isClosed || automation !== null) return;
      const send = webhookCaller({ signingKey: key, reach });
      automation = new Automation({ store, blobs, clock: systemClock, cron: cronTicks(), send, onProblem });
      automation.start();
    },
    close: async (): Promise<void> => {
      isClosed = true;
      await automation?.stop();
    },
  };
}

type Closable = { close(): Promise<void> };

/** The last ones in their order, whatever becomes of the first. */
async function closeAll(first: readonly Closable[], last: readonly Closable[]): Promise<void> {
  try {
    await Promise.all(first.map((part) => part.close()));
  } finally {
    for (const part of last) await part.close();
  }
}

type Serving = {
  readonly serve: Godwit["serve"];
  /** Null before the first run is served. */
  readonly engine: () => Engine | null;
  readonly close: () => Promise<void>;
};

/** The engine is started with the first run: what only reads needs none. */
function servingBy(parts: Omit<EngineOptions, "id" | "clock">, onStart: () => void): Serving {
  let starting: Promise<Engine> | null = null;
  let engine: Engine | null = null;
  return {
    serve: async (run) => {
      if (starting === null) onStart();
      starting ??= startEngine(parts);
      engine = await starting;
      return engine.serve(run);
    },
    engine: () => engine,
    close: async () => {
      // An engine that could not start leaves workers that nobody else would end.
      const started = (await starting?.catch(() => null)) ?? null;
      if (started === null) await Promise.all(parts.executors.map((executor) => executor.close()));
      else await started.close();
    },
  };
}

const waitingOf = ({ setWaiting }: GodwitConfig): Pick<EngineOptions, "setWaiting"> =>
  setWaiting === undefined ? {} : { setWaiting };

async function startEngine(parts: Omit<EngineOptions, "id" | "clock">): Promise<Engine> {
  const id = randomBytes(8).toString("hex");
  const startedAtMs = Date.now();
  const status = JSON.stringify(statusOf(parts.capacity, startedAtMs));
  await parts.store.register({ id, pid: process.pid, host: hostname(), startedAtMs, status });
  return new Engine({ ...parts, id, clock: systemClock });
}

async function isDone(store: Store, run: number): Promise<boolean> {
  const [row] = await store.runsById([run]);
  return row !== undefined && isTerminal(row.phase) && (await store.sweeps([run], 1)).length === 0;
}

/** Looks at a data directory from below, and repairs it if that is wanted: what is damaged need not open. */
export async function examineDataDir(options: {
  readonly dataDir: string;
  readonly isFull: boolean;
  readonly repairs: boolean;
  readonly onProgress: (text: string) => void;
}): Promise<Diagnosis> {
  const { examine } = await import("./doctor/doctor.ts");
  return examine({ ...options, openBlobs: openFileBlobs, nowMs: Date.now() });
}

async function servedBy(store: Store, run: number): Promise<LiveEngine | null> {
  const [row] = await store.runsById([run]);
  if (row === undefined || row.owner === null) return null;
  return (await liveEngines(store)).find(({ id }) => id === row.owner) ?? null;
}

async function liveEngines(store: Store): Promise<readonly LiveEngine[]> {
  const live = (await store.engines()).filter(({ isLive }) => isLive);
  return Promise.all(
    live.map(async ({ id, pid, host }) => {
      const state = host === hostname() ? await processState(pid) : null;
      return { id, pid, isStopped: state?.isStopped === true };
    }),
  );
}

const systemClock: Clock = {
  nowMs: Date.now,
  at: (atMs, callback) => {
    // A timer of Node's holds 31 bits of milliseconds; whoever is called early looks and waits again.
    // It keeps the process alive: between two attempts there may be nothing else that does.
    const timer = setTimeout(callback, Math.min(Math.max(0, atMs - Date.now()), 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** A new one in its place would hide that runs were lost. */
function checkDatabaseIsThere(dataDir: string): void {
  const lost = absence(dataDir);
  if (lost === null) return;
  throw new GodwitError(
    "data_loss",
    `${lost} Nothing has been touched: restore the database from a backup, or let \`godwit doctor --repair\` begin a new one.`,
  );
}

/** Made if it does not exist, for nobody else to read. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    if (!(await madeDirectory(dataDir))) return;
    // Nobody means to commit it.
    await writeFile(join(dataDir, ".gitignore"), "*\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw new GodwitError(
        "failed_precondition",
        `${dataDir} is a file, not a data directory. Name the directory with --data-dir.`,
        { cause: error },
      );
    throw new GodwitError(
      "failed_precondition",
      `The data directory ${dataDir} cannot be made: ${(error as Error).message}. Choose another with --data-dir.`,
      { cause: error },
    );
  }
}

/**
 * False if it was there. Not by Node's `recursive`: that never returns where the system says of a child of a
 * directory that is there that something is missing, as it does in /proc.
 */
async function madeDirectory(path: string, isAboveThere = false): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return false;
    if (code !== "ENOENT" || isAboveThere) throw error;
    await madeDirectory(dirname(path));
    return madeDirectory(path, true);
  }
}
