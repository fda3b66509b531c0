// The books of what this machine has for attempts and who holds it. All executors of an engine share one.
import { type AttemptId, attemptId } from "../core/messages.ts";
import type { ConcurrencyLimits, Machine, WaitReason } from "../core/resources.ts";
import type { Kept, Wanted } from "./executor.ts";

export type CapacityOptions = { readonly machine: Machine; readonly limits: ConcurrencyLimits };

export class Capacity {
  readonly machine: Machine;
  readonly limits: ConcurrencyLimits;

  constructor({ machine, limits }: CapacityOptions) {
    this.machine = machine;
    this.limits = limits;
  }

  /** Null: taken, under the attempt. */
  take(wanted: Wanted, _kept: Kept | null): WaitReason | null {
    attemptId(wanted);
    return null;
  }

  /** Nothing if it holds nothing. */
  give(_attempt: AttemptId): void {}

  /** What other processes must know of: "memory", "disk", "gpu:<index>", "token:<name>". */
  held(): { readonly [resource: string]: number } {
    return {};
  }

  /** The most of each of these. */
  totals(): { readonly [resource: string]: number } {
    return {};
  }

  /** What other processes hold of the same: not free here. */
  setOthers(_others: { readonly [resource: string]: number }): void {}
}
