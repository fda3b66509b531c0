// What a pool and its worker processes say to each other: JSON lines in both directions, over a pipe
// each. Many things go in one line where many are waiting. A worker is trusted no further than its
// attempts: the pool passes on only what concerns an attempt that this worker holds.
import type {
  Attach,
  AttemptId,
  Call,
  CallAnswer,
  CallState,
  Launch,
  LogLine,
  Outcome,
} from "../core/messages.ts";
import type { Manifest } from "../core/task.ts";
import type { Literals } from "../core/value.ts";

export type ToWorker =
  /** Sent first. */
  | { readonly type: "welcome"; readonly dataDir: string }
  | { readonly type: "launch"; readonly launches: readonly Launch[] }
  | { readonly type: "stop"; readonly attempts: readonly AttemptId[]; readonly reason: string }
  /** To `call`, under its number. `error` when control refused the request as a whole. */
  | { readonly type: "answer"; readonly request: number; readonly answers: readonly CallAnswer[] }
  | { readonly type: "done"; readonly request: number }
  | { readonly type: "refused"; readonly request: number; readonly code: string; readonly message: string }
  | { readonly type: "ended"; readonly attempt: AttemptId; readonly calls: readonly CallState[] }
  /** Load a code bundle and say what is in it. */
  | { readonly type: "describe"; readonly request: number; readonly bundle: string; readonly projectDir: string }
  /** Check inputs against the task's own schema, before there is a run. */
  | { readonly type: "check"; readonly request: number; readonly bundle: string; readonly projectDir: string; readonly task: string; readonly inputs: Literals };

export type FromWorker =
  | { readonly type: "hello"; readonly pid: number }
  | { readonly type: "call"; readonly request: number; readonly attempt: AttemptId; readonly calls: readonly Call[] }
  | { readonly type: "attach"; readonly request: number; readonly attempt: AttemptId; readonly attach: Attach }
  | { readonly type: "abortCalls"; readonly request: number; readonly attempt: AttemptId; readonly names: readonly string[]; readonly reason: string }
  | { readonly type: "outcomes"; readonly outcomes: readonly Outcome[] }
  /** Attempts that began or ceased to do nothing but wait for their calls: a waiting one holds no place. */
  | { readonly type: "waiting"; readonly attempts: readonly { readonly attempt: AttemptId; readonly isWaiting: boolean }[] }
  | { readonly type: "started"; readonly attempts: readonly AttemptId[] }
  | { readonly type: "logs"; readonly attempt: AttemptId; readonly lines: readonly LogLine[] }
  | { readonly type: "described"; readonly request: number; readonly manifest: Manifest }
  /** `issues` empty: the inputs are good. */
  | { readonly type: "checked"; readonly request: number; readonly issues: readonly string[] }
  | { readonly type: "unable"; readonly request: number; readonly code: string; readonly message: string };
