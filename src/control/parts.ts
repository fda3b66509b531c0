// What the commands work with.
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import { GodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import type { Literals, Payload } from "../core/value.ts";
import type { Logs } from "../logs/logs.ts";
import { Documents } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { ChangeHub } from "./run-changes.ts";

export type ControlOptions = {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly logs: Pick<Logs, "read">;
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Told of actions that were ended from outside, so that what runs can be stopped soon. A hint. */
  readonly onAbort: () => void;
};

export type Parts = ControlOptions & {
  readonly documents: Documents;
  readonly changes: ChangeHub;
  literals(payload: Payload): Promise<Literals>;
  runById(id: number): Promise<Run>;
};

export const partsOf = (options: ControlOptions): Parts => ({
  ...options,
  documents: new Documents(options.store),
  changes: new ChangeHub(options.store),
  literals: async (payload) => fromPayload(payload, options.blobs),
  runById: async (id) => {
    const [run] = await options.store.runsById([id]);
    if (run === undefined) throw new GodwitError("not_found", `There is no run with the id ${id}.`);
    return run;
  },
});
