// How many attempts are active at once of a run, a task, an environment and a project that has a limit.
// Counted are those to which the limit applies; without one, nothing is.
import type { ConcurrencyLimits, WaitReason } from "../core/resources.ts";
import type { Wanted } from "./executor.ts";

/** One of the limits that an attempt is under. */
export type Place = Extract<WaitReason, { readonly type: "limit" }> & { readonly key: string };

export class Places {
  readonly #limits: ConcurrencyLimits;
  readonly #taken = new Map<string, number>();

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits;
  }

  /** All limits that the attempt is under. */
  of({ run, project, spec, maxConcurrency }: Wanted): readonly Place[] {
    const { run: ofRuns, projects, environments, tasks } = this.#limits;
    const places: Place[] = [];
    const add = (of: Place["of"], name: string, key: string, limit: number | null | undefined): void => {
      if (limit != null) places.push({ type: "limit", of, name, limit, key: `${of} ${key}` });
    };
    add("run", String(run), String(run), maxConcurrency ?? ofRuns);
    // What an operator limits is counted over all projects, what a task says of itself within its own.
    add("task", spec.name, spec.name, tasks?.[spec.name]);
    add("task", spec.name, `${project} ${spec.name}`, spec.concurrency);
    add("environment", spec.environment, spec.environment, environments?.[spec.environment]);
    add("environment", spec.environment, `${project} ${spec.environment}`, spec.environmentConcurrency);
    add("project", project, project, projects?.[project]);
    return places.length === 0 ? none : places;
  }

  /** The first that is full. */
  full(places: readonly Place[]): WaitReason | null {
    const found = places.find(({ key, limit }) => (this.#taken.get(key) ?? 0) >= limit);
    return found === undefined ? null : { type: "limit", of: found.of, name: found.name, limit: found.limit };
  }

  take(places: readonly Place[]): void {
    for (const { key } of places) this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1);
  }

  give(places: readonly Place[]): void {
    for (const { key } of places) {
      const left = (this.#taken.get(key) ?? 0) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    }
  }
}

const none: readonly Place[] = [];
