// What the commands work with.
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import type { Action } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import type { CronTicks } from "../core/schedule.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Literals, Payload } from "../core/value.ts";
import { cronTicks } from "../cron/cron.ts";
import type { Logs } from "../logs/logs.ts";
import { Documents } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { ChangeHub } from "./run-changes.ts";
import { memoryKey, type SecretKey } from "./secret-key.ts";

export type ControlOptions = {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly logs: Pick<Logs, "read">;
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Told of actions that were ended from outside, so that what runs can be stopped soon. A hint. */
  readonly onAbort: () => void;
  /** What starts actions in the very commit that makes them; null while there is none: they are queued first. */
  readonly starter: () => Starter | null;
  /** Default: one that ends with this process, for a store that does. */
  readonly secretKey?: SecretKey;
};

/** Somebody with room to spare: actions that need not wait are made and started in one commit. */
export type Starter = {
  /** The same action as running, with room set aside for it; or null: it has to wait its turn. */
  readonly admit: (run: Run, action: Action, spec: TaskSpec) => Action | null;
  /** The row of an action that it has under way, as far as it knows. */
  readonly underWay: (run: number, action: string) => Action | null;
  /** They are committed as running. */
  readonly started: (actions: readonly Action[]) => void;
  /** They are not made after all. */
  readonly refused: (actions: readonly Action[]) => void;
};

/** Runs of which is kept what never changes: of those whose tasks make calls. */
const maxKnownRuns = 1_000;

export type Parts = ControlOptions & {
  readonly secretKey: SecretKey;
  readonly documents: Documents;
  readonly cron: CronTicks;
  readonly changes: ChangeHub;
  literals(payload: Payload): Promise<Literals>;
  runById(id: number): Promise<Run>;
  /** As `runById`, but perhaps as it was some time ago: for its names, its bundle and what it recovers. */
  knownRun(id: number): Run | Promise<Run>;
};

export function partsOf(options: ControlOptions): Parts {
  const known = new Map<number, Run>();
  const runById = async (id: number): Promise<Run> => {
    const [run] = await options.store.runsById([id]);
    if (run === undefined) throw new GodwitError("not_found", `There is no run with the id ${id}.`);
    return run;
  };
  const remember = async (id: number): Promise<Run> => {
    const run = await runById(id);
    if (known.size >= maxKnownRuns) known.delete(known.keys().next().value as number);
    known.set(id, run);
    return run;
  };
  return {
    ...options,
    secretKey: options.secretKey ?? memoryKey(),
    documents: new Documents(options.store),
    cron: cronTicks(),
    changes: new ChangeHub(options.store),
    literals: async (payload) => fromPayload(payload, options.blobs),
    runById,
    knownRun: (id) => known.get(id) ?? remember(id),
  };
}
