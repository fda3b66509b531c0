// A version of a task: everything that the engine must know to run it, and nothing of how it is written.
import type { DefinedTrigger } from "./automation.ts";
import { canonicalJson, sha256Hex } from "./hash.ts";
import type { Resources } from "./resources.ts";
import type { RetryPolicy } from "./retry.ts";
import type { TypedInterface } from "./value.ts";

export type CachePolicy =
  | { readonly type: "off" }
  /** The key covers the code that the task reaches. */
  | { readonly type: "auto"; readonly ignoredInputs: readonly string[] }
  /** The key covers this word instead of the code. */
  | {
      readonly type: "version";
      readonly version: string;
      readonly ignoredInputs: readonly string[];
      /** A result that is older is not taken. Left out: however old. */
      readonly maxAgeMs?: number;
    };

export type Timeouts = {
  /** One attempt's running time. Null: no limit. */
  readonly attemptMs: number | null;
  /** From the call to the first attempt's start. */
  readonly queuedMs: number | null;
  /** From the call to the end, all attempts and waiting together. */
  readonly deadlineMs: number | null;
};

/** How an attempt happens. */
export type Target =
  /** A function of a code bundle, run by a warm worker. */
  | { readonly type: "typescript" /** Left out: the run's own. */; readonly bundle?: BundleReference }
  /** A command, run by the process executor. See sdk/shell.ts for how inputs and outputs pass. */
  | {
      readonly type: "shell";
      readonly command: readonly string[] | string;
      readonly env: { readonly [name: string]: string };
    }
  /** A container task of Flyte's protocol: an image, and arguments with `{{.tokens}}`. The python executor runs it as a process. */
  | {
      readonly type: "container";
      readonly image: string;
      readonly command: readonly string[];
      readonly args: readonly string[];
      readonly env: { readonly [name: string]: string };
      /** `python`, `actor`, …, as the protocol has it. */
      readonly taskType: string;
      readonly message: SpecMessage;
    }
  /** Waits for its only input, a duration, and succeeds: Flyte's `core-sleep`. */
  | { readonly type: "sleep"; readonly message: SpecMessage }
  /** Prepares the environment that an image's spec describes. See images/build-task.ts. */
  | { readonly type: "image" };

export type BundleReference = { readonly digest: string; readonly projectDir: string };

/** The protocol's TaskSpec (flyteidl2.task.TaskSpec) as its client sent it: base64 of its bytes. It has more than Godwit reads. */
export type SpecMessage = string;

/** What a function's code is, for the cache key; or why that could not be found out. */
export type CodeIdentity =
  | {
      readonly type: "known";
      /** Source file → hash of the parts of it that the task reaches. */
      readonly modules: { readonly [path: string]: string };
      /** Package → installed version. */
      readonly packages: { readonly [name: string]: string };
    }
  | { readonly type: "unknown"; readonly reason: string };

export type SourceLocation = { readonly file: string; readonly line: number; readonly column: number };

export type TaskSpec = {
  /** `environment.name`, unique in a code bundle. */
  readonly name: string;
  readonly shortName: string;
  readonly environment: string;
  readonly description: string | null;
  readonly location: SourceLocation | null;
  readonly interface: TypedInterface;
  readonly target: Target;
  readonly resources: Resources;
  readonly retries: RetryPolicy;
  readonly timeouts: Timeouts;
  readonly cache: CachePolicy;
  readonly env: { readonly [name: string]: string };
  readonly code: CodeIdentity;
  /** Higher goes first within a project. Left out: as the caller; for a root 0. */
  readonly priority?: number;
  /** Attempts of this task that may be active at once, over all runs. */
  readonly concurrency?: number;
  /** The same for all tasks of its environment together. */
  readonly environmentConcurrency?: number;
};

/** What a call may change of its task, for that call alone. Left out: as the task says. */
export type Overrides = {
  readonly resources?: Resources;
  readonly retries?: RetryPolicy;
  readonly timeouts?: Timeouts;
  readonly cache?: CachePolicy;
  readonly priority?: number;
};

/** What is known of a code bundle once its module has been loaded. Stored under the bundle's digest. */
export type Manifest = {
  readonly bundle: string;
  /** The file the user named, relative to the project directory. */
  readonly entry: string;
  readonly tasks: readonly TaskSpec[];
  /** No part of what the tasks are: they have neither its keys nor its digests. Left out: it defines none. */
  readonly triggers?: readonly DefinedTrigger[];
};

export const withOverrides = (spec: TaskSpec, overrides: Overrides): TaskSpec => ({ ...spec, ...overrides });

/** Specs are stored once under this digest and referred to. */
export const specDigest = (spec: TaskSpec): string => sha256Hex(canonicalJson(spec));

/** A change of names or types makes a task another task; a change of descriptions does not. */
export const interfaceHash = (types: TypedInterface): string =>
  sha256Hex(
    canonicalJson({
      inputs: [...types.inputs].map(({ name, type }) => ({ name, type })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      outputs: [...types.outputs].map(({ name, type }) => ({ name, type })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    }),
  );
