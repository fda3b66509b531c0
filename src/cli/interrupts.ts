// Ctrl-C and SIGTERM. The first asks to stop, so that a run stays resumable; the second ends the
// process at once. Only the command line listens to signals.

/** Thrown out of whatever was waited for. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: StopSignal) {
    super(`Stopped by ${signal}.`);
    this.name = "Interrupted";
    this.exitCode = exitCodes[signal];
  }
}

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
/** 128 and the signal's number, as shells have it. */
const exitCodes: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const signals = Object.keys(exitCodes) as readonly StopSignal[];

export class Interrupts {
  readonly #stopped = Promise.withResolvers<never>();
  readonly #onForce: () => void;
  #count = 0;

  /** `onForce` tidies the terminal before the process ends at once. */
  constructor(onForce: () => void) {
    this.#onForce = onForce;
    // Nobody may be waiting when the signal comes; whoever waits later still gets it.
    this.#stopped.promise.catch(() => undefined);
    for (const signal of signals) process.on(signal, this.#stop);
  }

  /** The work's result, or a rejection with `Interrupted` once a signal has come. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#stopped.promise]);
  }

  close(): void {
    for (const signal of signals) process.off(signal, this.#stop);
  }

  readonly #stop = (signal: NodeJS.Signals): void => {
    const known = signal as StopSignal;
    this.#count++;
    if (this.#count > 1) {
      this.#onForce();
      process.exit(exitCodes[known]);
    }
    this.#stopped.reject(new Interrupted(known));
  };
}
