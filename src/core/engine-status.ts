// What an engine says of itself to whoever looks at its data directory: stored as JSON, read by other processes.
import type { Machine, WaitReason } from "./resources.ts";

export type EngineStatus = {
  readonly atMs: number;
  readonly machine: Machine;
  /** "cpu", "memory", "disk", "gpu", "token:<name>" → what attempts hold, those of other processes too. */
  readonly used: { readonly [resource: string]: number };
  /** Why the actions of a lane wait; at most `maxStatusWaits`. A lane that is not here waits for its turn. */
  readonly waits: readonly { readonly run: number; readonly lane: number; readonly reason: WaitReason }[];
};

export const maxStatusWaits = 200;

/** Null if nothing was said yet, or by a version that says it in another way. */
export function engineStatusOf(text: string | null): EngineStatus | null {
  if (text === null) return null;
  try {
    const status = JSON.parse(text) as Partial<EngineStatus> | null;
    return status?.machine === undefined || !Array.isArray(status.waits) || status.used === undefined
      ? null
      : (status as EngineStatus);
  } catch {
    return null; // Of use to people only: what cannot be read is as good as not said.
  }
}
