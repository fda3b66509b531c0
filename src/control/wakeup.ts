// A wake-up that is remembered until somebody waits for it.
export class Wakeup {
  #isSet = false;
  #waiting: (() => void) | null = null;

  readonly set = (): void => {
    this.#isSet = true;
    this.#waiting?.();
  };

  /** At most so long. */
  async wait(limitMs?: number): Promise<void> {
    if (!this.#isSet) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      const timer = limitMs === undefined ? null : setTimeout(resolve, limitMs);
      await promise;
      if (timer !== null) clearTimeout(timer);
    }
    this.#waiting = null;
    this.#isSet = false;
  }
}
