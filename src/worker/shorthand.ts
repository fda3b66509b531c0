// Launches and calls as they are written on the lines of protocol.ts: what many have in common is said once.
//
// R1  What is read is what was written. A table of the pool's and one of the worker's are the same at any
//     place of the stream, since both change with each launch, in the order in which they are sent.
import { GodwitError } from "../core/error.ts";
import type { Call, Launch } from "../core/messages.ts";

/** What the launches of one task in one run have in common: many times as long as the rest. */
export type LaunchBase = Pick<
  Launch,
  "run" | "runName" | "project" | "domain" | "depth" | "isRecovery" | "bundle" | "projectDir" | "spec" | "resources"
>;

/** `base` is written where the place begins to mean it. */
export type ShortLaunch = Pick<Launch, "action" | "attempt" | "inputs" | "seed" | "checkpoint"> & {
  readonly place: number;
  readonly base?: LaunchBase;
};

/** Bases that a worker remembers: tasks of the runs that are under way. */
export const maxBases = 256;

/** The pool's table of one worker. */
export class LaunchWriter {
  readonly #bases: LaunchBase[] = [];
  #last = 0;
  #next = 0;

  write(launches: readonly Launch[]): readonly ShortLaunch[] {
    return launches.map((launch) => {
      const { action, attempt, inputs, seed, checkpoint } = launch;
      const last = this.#bases[this.#last];
      const isLast = last !== undefined && isBaseOf(last, launch);
      const known = isLast ? this.#last : this.#bases.findIndex((base) => isBaseOf(base, launch));
      if (known >= 0) {
        this.#last = known;
        return { place: known, action, attempt, inputs, seed, checkpoint };
      }
      const place = this.#next;
      this.#last = place;
      this.#next = (place + 1) % maxBases;
      const base = baseOf(launch);
      this.#bases[place] = base;
      return { place, base, action, attempt, inputs, seed, checkpoint };
    });
  }
}

/** A run's id stands for its name, project and domain, and for what it recovers. */
const isBaseOf = (base: LaunchBase, launch: Launch): boolean =>
  base.spec === launch.spec &&
  base.resources === launch.resources &&
  base.run === launch.run &&
  base.depth === launch.depth &&
  base.bundle === launch.bundle &&
  base.projectDir === launch.projectDir;

const baseOf = ({
  run,
  runName,
  project,
  domain,
  depth,
  isRecovery,
  bundle,
  projectDir,
  spec,
  resources,
}: Launch): LaunchBase => ({
  run,
  runName,
  project,
  domain,
  depth,
  isRecovery,
  bundle,
  projectDir,
  spec,
  resources,
});

/** The worker's table. */
export class LaunchReader {
  readonly #bases: LaunchBase[] = [];

  read(launches: readonly ShortLaunch[]): readonly Launch[] {
    return launches.map(({ place, base: newBase, action, attempt, inputs, seed, checkpoint }) => {
      if (newBase !== undefined) this.#bases[place] = newBase;
      const base = this.#bases[place];
      if (base === undefined) throw new GodwitError("internal", `A launch refers to place ${place}, which is empty.`);
      const { run, runName, project, domain, depth, isRecovery, bundle, projectDir, spec, resources } = base;
      return {
        run,
        runName,
        project,
        domain,
        action,
        attempt,
        depth,
        isRecovery,
        bundle,
        projectDir,
        spec,
        resources,
        inputs,
        seed,
        checkpoint,
      };
    });
  }
}

type TaskCall = Extract<Call, { readonly type: "task" }>;

/** What calls of one place in the user's code have in common. */
export type CallKind = Pick<TaskCall, "isNamed" | "task" | "deployed" | "overrides" | "group" | "identity">;

/** Of a call that is no task, the call itself: there are few of them in a request. */
export type ShortCall =
  | (Pick<TaskCall, "name" | "inputs" | "inputsHash" | "inputHashes"> & { readonly kind: number })
  | Exclude<Call, TaskCall>;

export type ShortCalls = { readonly kinds: readonly CallKind[]; readonly calls: readonly ShortCall[] };

export function shortCalls(calls: readonly Call[]): ShortCalls {
  const kinds: CallKind[] = [];
  let last: CallKind | undefined;
  let kind = 0;
  const short = calls.map((call): ShortCall => {
    if (call.type !== "task") return call;
    if (last === undefined || !isKindOf(last, call)) {
      kind = kinds.findIndex((other) => isKindOf(other, call));
      if (kind < 0) kind = kinds.push(kindOf(call)) - 1;
      last = kinds[kind];
    }
    const { name, inputs, inputsHash, inputHashes } = call;
    return { kind, name, inputs, inputsHash, inputHashes };
  });
  return { kinds, calls: short };
}

const isKindOf = (kind: CallKind, call: TaskCall): boolean =>
  kind.identity === call.identity &&
  kind.task === call.task &&
  kind.deployed === call.deployed &&
  kind.overrides === call.overrides &&
  kind.group === call.group &&
  kind.isNamed === call.isNamed;

const kindOf = ({ isNamed, task, deployed, overrides, group, identity }: TaskCall): CallKind => ({
  isNamed,
  task,
  ...(deployed === undefined ? {} : { deployed }),
  overrides,
  group,
  identity,
});

export const callsOf = ({ kinds, calls }: ShortCalls): readonly Call[] =>
  calls.map((call): Call => {
    if ("type" in call) return call;
    const kind = kinds[call.kind];
    if (kind === undefined) throw new GodwitError("internal", `A call is of kind ${call.kind}, which was not told.`);
    const { isNamed, task, deployed, overrides, group, identity } = kind;
    const { name, inputs, inputsHash, inputHashes } = call;
    const made = {
      type: "task",
      name,
      isNamed,
      task,
      overrides,
      group,
      identity,
      inputs,
      inputsHash,
      inputHashes,
    } as const;
    return deployed === undefined ? made : { ...made, deployed };
  });
