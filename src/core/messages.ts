// What a running attempt asks of Godwit, and what Godwit tells it. The same words whether the attempt
// runs in a worker process, in a test's own process, or on another machine.
import type { ActionError, Phase } from "./action.ts";
import type { InputHashes } from "./cache.ts";
import type { ExpectedInterface } from "./interface.ts";
import type { Resources } from "./resources.ts";
import type { Overrides, TaskSpec } from "./task.ts";
import type { Payload } from "./value.ts";

/** An attempt to be started: all that a worker needs. */
export type Launch = {
  readonly run: number;
  readonly runName: string;
  readonly project: string;
  readonly domain: string;
  readonly action: string;
  readonly attempt: number;
  readonly depth: number;
  /** Whether its run takes over what another has done. */
  readonly isRecovery: boolean;
  /** Digest of the code bundle, and where its packages are found. */
  readonly bundle: string;
  readonly projectDir: string;
  readonly spec: TaskSpec;
  /** What this attempt gets: its spec's, or more memory after attempts that ran out of it. */
  readonly resources: Resources;
  readonly inputs: Payload;
  /** Same for every attempt of an action, and for the same action in another run. */
  readonly seed: number;
  /** Of the last attempt, or of the run that this one recovers. */
  readonly checkpoint: Checkpoint | null;
  /** Left out: nothing was said. Workers of TypeScript tasks are not told. */
  readonly origin?: LaunchOrigin;
};

/** What its run says to all attempts alike. */
export type LaunchOrigin = {
  /** Environment variables. */
  readonly env: { readonly [name: string]: string };
  /** The moment that the run is about. */
  readonly runStartAtMs: number;
  /** For the root alone: what it gets beside its inputs. */
  readonly context?: { readonly [key: string]: string };
  /** Where files go that tasks make; null or left out: in the attempt's own directory. */
  readonly rawDataPrefix?: string | null;
};

/** Attempts are told apart by this: `run/action/attempt`. */
export type AttemptId = string;
export const attemptId = (attempt: {
  readonly run: number;
  readonly action: string;
  readonly attempt: number;
}): AttemptId => `${attempt.run}/${attempt.action}/${attempt.attempt}`;

/** The attempt alone, of what says more of it. */
export const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });

/**
 * What an attempt does: its own work; nothing but wait for its calls; nothing but wait until a trace of its is
 * recorded, or found. One that waits for calls holds nothing of the machine.
 */
export type AttemptState = "active" | "waiting" | "recording";

export type Checkpoint = {
  readonly type: "json" | "bytes" | "directory";
  /** The blob with the JSON text, the bytes, or the directory's manifest. */
  readonly digest: string;
  readonly sizeBytes: number;
};

/** One call made by an attempt. `name` is the action's (names.ts R1). */
export type Call =
  | {
      readonly type: "task";
      readonly name: string;
      /** Whether the user chose the name; such a call may be made twice and is one. */
      readonly isNamed: boolean;
      /** Full name of a task of the same bundle. */
      readonly task: string;
      /** The task itself, if it is of no bundle. */
      readonly spec?: TaskSpec;
      /** Given of a deployed task, which is found by its name: what the calling code takes it for. */
      readonly deployed?: DeployedCall;
      readonly overrides: Overrides;
      readonly group: string | null;
      readonly identity: string;
      readonly inputs: Payload;
      readonly inputsHash: string;
      /** For the cache key; empty when the task is not cached. */
      readonly inputHashes: InputHashes;
    }
  | {
      readonly type: "trace";
      readonly name: string;
      readonly label: string;
      readonly identity: string;
      readonly inputsHash: string;
      /** Null: only asks what is recorded under the name, and records nothing. */
      readonly result: TraceResult | null;
    }
  | {
      readonly type: "condition";
      readonly name: string;
      readonly label: string;
      readonly identity: string;
      readonly condition: ConditionSpec;
    };

/** A version of null is the one that was deployed last. */
export type DeployedCall = { readonly version: string | null; readonly interface: ExpectedInterface };

export type TraceResult = {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outputs: Payload | null;
  readonly error: ActionError | null;
};

/** What a condition waits for. */
export type ConditionSpec = {
  readonly name: string;
  /** The types that a signal can carry: Flyte's, contract §4.6. */
  readonly valueType: "boolean" | "integer" | "float" | "string";
  readonly prompt: string | null;
  readonly timeoutMs: number | null;
  /** More for whoever answers; left out: nothing. */
  readonly description?: string;
  /** How the prompt is written; left out: plain text. */
  readonly promptFormat?: "markdown";
  /** Called, with that body, when it begins to wait. */
  readonly webhook?: { readonly url: string; readonly body: string };
};

/** Where a call stands. `phase` null: nothing is recorded under that name (a trace that was asked for). */
export type CallState = {
  readonly name: string;
  readonly phase: Phase | null;
  readonly attempt: number;
  readonly outputs: Payload | null;
  readonly error: ActionError | null;
};

/** A call that was refused: the caller's mistake, not the callee's failure. */
export type CallRefusal = { readonly name: string; readonly refused: ActionError };

export type CallAnswer = CallState | CallRefusal;

export type LogLine = { readonly atMs: number; readonly stream: "stdout" | "stderr"; readonly text: string };

export type Attach =
  | { readonly type: "checkpoint"; readonly checkpoint: Checkpoint }
  | { readonly type: "report"; readonly digest: string }
  | { readonly type: "progress"; readonly fraction: number | null; readonly message: string | null };

/** How an attempt ended, as its executor saw it. */
export type Outcome = {
  readonly run: number;
  readonly action: string;
  readonly attempt: number;
  readonly result:
    | { readonly type: "succeeded"; readonly outputs: Payload }
    | { readonly type: "failed"; readonly error: ActionError }
    /** The process went down while this attempt only waited for calls of its own, or was never started. */
    | { readonly type: "interrupted" };
  /** The most memory that was seen, of an attempt with a limit of its own. */
  readonly peakMemoryBytes?: number;
};

/** What attempts ask of control; every answer comes after what it reports is durable. */
export interface TaskCalls {
  /**
   * Makes calls, each once however often it is asked for; the answer tells where each stands by now.
   * A call whose state was not terminal is told of later, through `follow`.
   * At most `maxCallsPerRequest`.
   */
  call(caller: AttemptRef, calls: readonly Call[]): Promise<readonly CallAnswer[]>;
  /** Ended calls of this attempt's action, in batches, from the moment of asking on, until `signal` aborts. */
  follow(caller: AttemptRef, signal: AbortSignal): AsyncIterable<readonly CallState[]>;
  attach(caller: AttemptRef, attach: Attach): Promise<void>;
  /** Ends calls that the attempt does not wait for any more (a map that has given up). */
  abortCalls(caller: AttemptRef, names: readonly string[], reason: string): Promise<void>;
}

export type AttemptRef = { readonly run: number; readonly action: string; readonly attempt: number };

/** A request with more is refused; the SDK sends batches of at most this. */
export const maxCallsPerRequest = 1_000;
