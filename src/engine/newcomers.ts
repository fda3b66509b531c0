// Actions that are started in the very commit that makes them: a call that finds room at once is one
// commit on its way to its worker, instead of two.
//
// R1  Only where nobody waits: what is queued goes first, in its order (turns.ts).
// R2  Only what needs no more than this process knows: no cache to be looked up, nothing that is shared
//     with other processes.
import { type Action, step } from "../core/action.ts";
import { effectiveResources } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import type { TaskSpec } from "../core/task.ts";
import type { Executor } from "../executor/executor.ts";
import { launch, type Starting } from "./launches.ts";
import { attemptOf, type EngineParts } from "./parts.ts";
import { isShared } from "./sharing.ts";
import { type Usage, weightOf } from "./usage.ts";

export type NewcomersOptions = {
  readonly usage: Usage;
  readonly isStartable: (run: number) => boolean;
  readonly onError: (error: unknown) => void;
};

type Admitted = { readonly run: Run; readonly spec: TaskSpec; readonly executor: Executor };

export class Newcomers {
  readonly #parts: EngineParts;
  readonly #options: NewcomersOptions;
  /** Admitted and not committed yet, by run and name. */
  readonly #admitted = new Map<string, Admitted>();
  #launching = 0;

  constructor(parts: EngineParts, options: NewcomersOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#admitted.size === 0 && this.#launching === 0;
  }

  /** The action as running, with room set aside; null: it is to be queued. */
  admit(run: Run, action: Action, spec: TaskSpec): Action | null {
    const { id, executors, queue, nowMs, served } = this.#parts;
    const servedRun = served.get(run.id);
    const isPlain = action.phase === "queued" && action.cacheKey === null && !isShared(spec.resources);
    if (!isPlain || servedRun === undefined || !this.#options.isStartable(run.id) || !queue.isEmpty) return null;
    const executor = executors.find((each) => each.accepts({ spec }));
    const running = step(action, spec, { type: "claimed", owner: id, cacheStatus: "off" }, nowMs());
    if (executor === undefined || running.phase !== "running") return null;
    const { project, maxConcurrency } = servedRun;
    const resources = effectiveResources(spec, 0);
    if (executor.reserve({ ...attemptOf(running), project, spec, resources, maxConcurrency }, null) !== null)
      return null;
    this.#admitted.set(keyOf(running), { run: servedRun, spec, executor });
    return running;
  }

  underWay(run: number, action: string): Action | null {
    return this.#parts.live.get(run, action) ?? null;
  }

  started(actions: readonly Action[]): void {
    const starting = actions.flatMap((action): readonly Starting[] => {
      const admitted = this.#take(action);
      if (admitted === undefined) return [];
      const { run, spec } = admitted;
      this.#parts.note(action);
      const weight = weightOf(effectiveResources(spec, 0), this.#parts.capacity.machine);
      this.#options.usage.start(action, run.project, weight);
      return [{ action, ...admitted }];
    });
    this.#launching += 1;
    launch(this.#parts, starting)
      .catch(this.#options.onError)
      .finally(() => {
        this.#launching -= 1;
      });
  }

  refused(actions: readonly Action[]): void {
    for (const action of actions) this.#take(action)?.executor.release([attemptOf(action)]);
  }

  #take(action: Action): Admitted | undefined {
    const admitted = this.#admitted.get(keyOf(action));
    this.#admitted.delete(keyOf(action));
    return admitted;
  }
}

const keyOf = ({ run, name }: Action): string => `${run}/${name}`;
