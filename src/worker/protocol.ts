// What a pool and its worker processes say to each other: JSON lines in both directions, over a pipe
// each (stream.ts). Many things go in one line where many are waiting. A worker is trusted no further
// than its attempts: the pool passes on only what concerns an attempt that this worker holds.
//
// R1  The worker always reads. The pool always reads. So neither can wait for the other to read: the
//     worker may block while it writes, and what the pool has to write is bounded by what it was asked.
// R2  Whatever an attempt says (calls, logs) comes before its outcome, in the order in which it was said.
//     A worker says all of one turn of its event loop at the end of that turn, in one write.
// R3  Launches are started in the order in which they were sent. So if a worker dies before it could
//     say which attempt it had started, it was the first of those sent.
// R4  Nobody is woken for what nobody waits for: an answer that tells nothing goes with what is sent next,
//     and by itself only when nothing is for a while. What a request's answer leaves out is not refused and
//     has not ended; `ended` will tell of it.

import type { ErrorCode } from "../core/error.ts";
import type {
  Attach,
  AttemptId,
  AttemptRef,
  AttemptState,
  CallAnswer,
  CallState,
  LogLine,
  Outcome,
} from "../core/messages.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";
import type { ShortCalls, ShortLaunch } from "./shorthand.ts";

export type ToWorker =
  /** Sent first. */
  | { readonly type: "welcome"; readonly dataDir: string }
  | { readonly type: "launch"; readonly launches: readonly ShortLaunch[] }
  /** Ends what has not started, and tells what has. An outcome follows either way, for the pool's books. */
  | { readonly type: "stop"; readonly attempts: readonly AttemptId[]; readonly reason: string }
  /** Gives back what has not started, as interrupted: it will run elsewhere. */
  | { readonly type: "recall"; readonly attempts: readonly AttemptId[] }
  /** To `call`, under its number. Of calls that are only on their way nothing is said: `ended` will tell of them. */
  | { readonly type: "answer"; readonly request: number; readonly answers: readonly CallAnswer[] }
  /** To `attach` and `abortCalls`. */
  | { readonly type: "done"; readonly request: number }
  /** To any of the three, when control refused the request as a whole. */
  | { readonly type: "refused"; readonly request: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: "ended"; readonly attempt: AttemptId; readonly calls: readonly CallState[] }
  /** Nothing more can be learned of the ends of this attempt's calls. */
  | { readonly type: "unfollowed"; readonly attempt: AttemptId; readonly code: ErrorCode; readonly message: string }
  /** Load a code bundle and say what is in it. */
  | { readonly type: "describe"; readonly request: number; readonly bundle: string; readonly projectDir: string }
  /** Check inputs against the task's own schema, before there is a run. */
  | {
      readonly type: "check";
      readonly request: number;
      readonly bundle: string;
      readonly projectDir: string;
      readonly task: string;
      readonly inputs: Literals;
    };

export type FromWorker =
  /** Sent first: the worker's own code has loaded. */
  | { readonly type: "hello"; readonly pid: number }
  /** The first one of an attempt asks for the ends of its calls too. */
  | ({ readonly type: "call"; readonly request: number; readonly attempt: AttemptRef } & ShortCalls)
  | { readonly type: "attach"; readonly request: number; readonly attempt: AttemptRef; readonly attach: Attach }
  | {
      readonly type: "abortCalls";
      readonly request: number;
      readonly attempt: AttemptRef;
      readonly names: readonly string[];
      readonly reason: string;
    }
  | { readonly type: "outcomes"; readonly outcomes: readonly ShortOutcome[] }
  /** Attempts whose state has changed since it was last told; those that ended in the meantime are left out. */
  | {
      readonly type: "states";
      readonly attempts: readonly { readonly attempt: AttemptId; readonly state: AttemptState }[];
    }
  /** `attempt` null: printed by no attempt, for example while a module was loaded. */
  | { readonly type: "logs"; readonly attempt: AttemptRef | null; readonly lines: readonly LogLine[] }
  | { readonly type: "described"; readonly request: number; readonly manifest: Manifest }
  /** `issues` empty: the inputs are good. */
  | { readonly type: "checked"; readonly request: number; readonly issues: readonly string[] }
  | { readonly type: "unable"; readonly request: number; readonly code: ErrorCode; readonly message: string }
  /** The last words of a process that ends itself. `attempt` is whose code did it, if that is known. */
  | { readonly type: "leaving"; readonly attempt: AttemptRef | null; readonly message: string };

/** `stretchMs`: for how long it kept its thread at most, from one wait to the next. */
export type MeasuredOutcome = { readonly outcome: Outcome; readonly stretchMs: number };

export type ShortOutcome = {
  readonly attempt: AttemptId;
  readonly stretchMs: number;
  readonly result: Outcome["result"];
};

/** The worker reads from the one and writes to the other. */
export const fromPoolFd = 3;
export const toPoolFd = 4;

/** Requests of all attempts of a worker that are under way at once; the pool refuses more. */
export const maxRequestsInFlight = 256;
