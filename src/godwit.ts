// Wires the parts into one Godwit on one data directory. The only file that goes past doors.
import type { BlobStore } from "./blob/blob.ts";
import type { Control } from "./control/control.ts";
import type { Manifest } from "./core/task.ts";
import type { Literals } from "./core/value.ts";
import type { Store } from "./store/store.ts";

export type GodwitConfig = {
  /** Created if it does not exist. */
  readonly dataDir: string;
  /** Worker processes at most; default: the machine's cores. */
  readonly workers?: number;
};

/** One Godwit in this process. Several, in several processes, may share one data directory. */
export type Godwit = {
  readonly control: Control;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Moves this run forward from here, until it has ended. Starts the workers when first called. */
  serve(run: number): Promise<void>;
  /** Whether a live engine, here or elsewhere, serves the run. */
  isServed(run: number): Promise<boolean>;
  /** Stores a bundle's files; loads it in a worker and says what tasks it has. Throws what is wrong with the user's code. */
  describe(bundle: string, projectDir: string): Promise<Manifest>;
  /** What the task's own schema says against these inputs; empty if nothing. */
  check(bundle: string, projectDir: string, task: string, inputs: Literals): Promise<readonly string[]>;
  /** Stops workers and lets go of what it served; unfinished runs can be resumed. */
  close(): Promise<void>;
};

export type OpenGodwit = (config: GodwitConfig) => Promise<Godwit>;
