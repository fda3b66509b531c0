// Attempts that were promised a place in a worker and have not been launched yet.
import type { AttemptId } from "../core/messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** `worker` null: wherever there is a place. */
export type Plan = { readonly worker: WorkerProcess | null; readonly isQuick: boolean };

export class Plans {
  readonly #plans = new Map<AttemptId, Plan>();

  add(id: AttemptId, plan: Plan): void {
    this.#plans.set(id, plan);
    if (plan.worker === null) return;
    plan.worker.planned += 1;
    if (!plan.isQuick) plan.worker.plannedSlow += 1;
  }

  /** Null: there was none. */
  take(id: AttemptId): Plan | null {
    const plan = this.#plans.get(id);
    if (plan === undefined) return null;
    this.#plans.delete(id);
    if (plan.worker === null) return plan;
    plan.worker.planned -= 1;
    if (!plan.isQuick) plan.worker.plannedSlow -= 1;
    return plan;
  }

  clear(): void {
    for (const id of [...this.#plans.keys()]) this.take(id);
  }
}
