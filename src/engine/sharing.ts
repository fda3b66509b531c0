// What several processes on one machine hold together: memory, disk, GPUs, tokens. What this engine holds
// is declared in the store before an attempt is launched, or goes on, with it, and again when it is less.
import { effectiveResources, type Resources } from "../core/resources.ts";
import type { Amounts } from "../store/store.ts";
import type { Decision } from "./decision.ts";
import { attemptOf, type EngineParts } from "./parts.ts";

export class Sharing {
  readonly #parts: EngineParts;
  #declared = "[]";
  #hasOthers = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    parts.capacity.confirm = () => this.#declare();
  }

  /** Whether other processes hold something that may be wanted here. */
  get isShared(): boolean {
    return this.#hasOthers;
  }

  /** Those that may start. What another process has taken in the meantime is given back, and waits. */
  async grant(decisions: readonly Decision[]): Promise<readonly Decision[]> {
    const sharing = decisions.filter(
      ({ executor, spec, action }) => executor !== null && isShared(effectiveResources(spec, action.oomFailures)),
    );
    if (sharing.length === 0 || (await this.#declare())) return decisions;
    for (const { executor, action, lane } of sharing) {
      executor?.release([{ ...attemptOf(action), attempt: action.attempt + 1 }]);
      lane.put(action);
    }
    const refused = new Set(sharing);
    return decisions.filter((decision) => !refused.has(decision));
  }

  /** After attempts have ended, or when other processes may hold other things than before. */
  async refresh(isDoubtful: boolean): Promise<void> {
    const hasLess = textOf(this.#parts.capacity.held()) !== this.#declared;
    if (hasLess || (isDoubtful && this.#hasOthers)) await this.#declare();
  }

  async #declare(): Promise<boolean> {
    const { store, capacity, id } = this.#parts;
    const held = capacity.held();
    const { granted, others } = await store.allocate(id, held, capacity.totals());
    capacity.setOthers(others);
    this.#hasOthers = Object.keys(others).length > 0;
    if (granted) this.#declared = textOf(held);
    return granted;
  }
}

export const isShared = ({ memoryBytes, diskBytes, gpus, tokens }: Resources): boolean =>
  memoryBytes !== null || (diskBytes ?? 0) > 0 || (gpus?.count ?? 0) > 0 || Object.keys(tokens ?? {}).length > 0;

const textOf = (amounts: Amounts): string =>
  JSON.stringify(
    Object.entries(amounts)
      .filter(([, amount]) => amount > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
