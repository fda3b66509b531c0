// The GPUs of this machine and who has them. A device belongs to one attempt at a time, as a whole.
import type { AttemptId } from "../core/messages.ts";
import { fitsModel, type Gpu, type GpuRequest } from "../core/resources.ts";

export class Devices {
  #gpus: readonly Gpu[];
  readonly #holders = new Map<number, AttemptId>();
  /** In use by other processes. */
  #elsewhere: ReadonlySet<number> = new Set();

  constructor(gpus: readonly Gpu[]) {
    this.#gpus = gpus;
  }

  set(gpus: readonly Gpu[]): void {
    this.#gpus = gpus;
  }

  /** How many fit, in use or not. */
  total({ model }: Pick<GpuRequest, "model">): number {
    return this.#gpus.filter((gpu) => fitsModel(gpu.model, model)).length;
  }

  free({ model }: Pick<GpuRequest, "model">, without: readonly number[] = []): readonly number[] {
    return this.#gpus
      .filter((gpu) => this.isFree(gpu.index) && !without.includes(gpu.index) && fitsModel(gpu.model, model))
      .map(({ index }) => index);
  }

  isFree(index: number): boolean {
    return !this.#holders.has(index) && !this.#elsewhere.has(index);
  }

  /** Fewer than were asked for if there are no more. Those that fit `spared` as well are taken last. */
  choose(
    request: GpuRequest,
    { spared, without }: { readonly spared: GpuRequest | null; readonly without: readonly number[] },
  ): readonly number[] {
    const wanted = spared === null ? [] : this.free(spared);
    const free = this.free(request, without);
    const order = [
      ...free.filter((index) => !wanted.includes(index)),
      ...free.filter((index) => wanted.includes(index)),
    ];
    return order.slice(0, request.count);
  }

  hold(indices: readonly number[], attempt: AttemptId): void {
    for (const index of indices) this.#holders.set(index, attempt);
  }

  letGo(indices: readonly number[]): void {
    for (const index of indices) this.#holders.delete(index);
  }

  held(): readonly number[] {
    return [...this.#holders.keys()];
  }

  setElsewhere(indices: ReadonlySet<number>): void {
    this.#elsewhere = indices;
  }
}
