// What comes out of a measurement, as it is printed and written for programs.

import type { SystemName } from "./options.ts";
import type { Kind } from "./program.ts";

/** One line of a table that compares systems. */
export type Figure = {
  readonly case: string;
  readonly system: SystemName;
  /** What the system calls that which is counted here. */
  readonly units: string;
  readonly kind: Kind;
  /** Godwit's line of this kind, with which others are compared. */
  readonly isReference: boolean;
  readonly outcome: Outcome;
};

export type Outcome =
  | {
      readonly type: "measured";
      readonly count: number;
      readonly wallMs: number;
      readonly perSecond: number;
      readonly latency: { readonly p50Ms: number; readonly p99Ms: number } | null;
      readonly processorMs: number | null;
      readonly flushes: number | null;
      readonly peakMib: number | null;
    }
  /** Said in the table, in the place of figures. */
  | { readonly type: "missing"; readonly reason: string };

/** A figure that only Godwit has, or that stands for itself. */
export type Fact = { readonly case: string; readonly what: string; readonly value: number; readonly unit: string };
