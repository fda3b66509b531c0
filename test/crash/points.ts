// The moments at which a process can be killed, and which of them is next. Shared by the programs that
// are killed (in each of their processes) and by those that kill them.
//
// R1  Points of one kind are counted from 1, in the order in which they come in that process, those of
//     blobs in all processes of the trial together.
// R2  What is committed, or answered, in one turn of the event loop goes into one transaction, so it is
//     one point: killed at any of them, the disk has the same.
import type { NewRun, Scope } from "../../src/control/control.ts";
import type { Manifest } from "../../src/core/task.ts";

/** In the order in which a value goes through them. */
export const pointKinds = [
  "dispatch-before",
  "dispatch-after",
  /** A worker has begun to store bytes; there is nothing yet. */
  "blob-before",
  /** The temporary file has half of them. */
  "blob-mid",
  "blob-written",
  "blob-synced",
  "blob-renamed",
  "blob-after",
  /** The executor has handed out outcomes, and has forgotten them. */
  "outcome-taken",
  "commit-before",
  "commit-after",
] as const;

export type PointKind = (typeof pointKinds)[number];
export type Point = { readonly kind: PointKind; readonly at: number };
export type PointTotals = { readonly [kind in PointKind]: number };

/** Who is killed there: the process with the engine, or one of its workers. */
export type Victim = "engine" | "worker";

export const pointText = ({ kind, at }: Point): string => `${kind}:${at}`;

export function pointOf(text: string): Point {
  const [kind, at] = text.split(":");
  const known = pointKinds.find((each) => each === kind);
  if (known === undefined || !/^\d+$/.test(at ?? ""))
    throw new Error(`"${text}" is not a point; write kind:number, with one of ${pointKinds.join(", ")}.`);
  return { kind: known, at: Number(at) };
}

export const isOfBlobs = (kind: PointKind): boolean => kind.startsWith("blob-");

/** How programs that are killed are told: their environment. */
export const variables = {
  /** A point; none: go to the end. */
  point: "CRASH_POINT",
  victim: "CRASH_VICTIM",
  /** A directory of this one process and its workers, for what they count together. */
  countDir: "CRASH_COUNT_DIR",
  /** The pid of the process with the engine. */
  engine: "CRASH_ENGINE",
} as const;

export const scope: Scope = { project: "default", domain: "development", caller: "tester" };
/** The run that fails, and the one that recovers it. */
export const runNames = ["broken", "mended"] as const;

/** What is the same for all trials. */
export type Setup = { readonly manifest: Manifest; readonly source: NewRun["source"] };
