// What a worker process of the pool is started with and whom it tells, and what it holds.
import type { AttemptId, AttemptState, Launch, TaskCalls } from "../core/messages.ts";
import type { MeasuredOutcome } from "../worker/protocol.ts";
import type { Capacity } from "./capacity.ts";
import type { LogSink } from "./executor.ts";
import type { Loss } from "./loss.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import type { Seat } from "./seat.ts";

export type Held = {
  readonly id: AttemptId;
  readonly launch: Launch;
  /** Whether others may be queued behind it (pace.ts R1). */
  readonly isQuick: boolean;
  state: AttemptState | "sent";
  /** It was asked to stop: what becomes of it is nobody's concern any more. */
  isStopping: boolean;
};

export type WorkerOptions = {
  /** Node's arguments, the worker's program at their end. */
  readonly args: readonly string[];
  readonly env: { readonly [name: string]: string | undefined };
  readonly dataDir: string;
  readonly capacity: Capacity;
  /** Of all that is active in it. */
  readonly seat: Seat;
  /** Which attempts may follow each other in it, one at a time. Null: it is shared by all that need no process of their own. */
  readonly own: string | null;
  /** Whether they may follow each other at all: what a process has left on a GPU is gone only with it. */
  readonly isReusable: boolean;
  /** Of the whole process, if it has a limit. */
  readonly memory: { readonly limitBytes: number; readonly watch: MemoryWatch } | null;
  readonly calls: TaskCalls;
  readonly logs: LogSink;
  /** What the worker says that belongs to no attempt. */
  readonly onText: (text: string) => void;
  readonly onReady: () => void;
  readonly onOutcomes: (ended: readonly { readonly held: Held; readonly measured: MeasuredOutcome }[]) => void;
  /** After states or places have changed. */
  readonly onChange: () => void;
  readonly onGone: (loss: Loss) => void;
  /** How long the process may be stopped before it is given up. Default: `stoppedLeaseMs`. */
  readonly stoppedLeaseMs?: number | undefined;
};
