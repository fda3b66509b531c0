// An attempt that was known as quick and is not this time: what is queued behind it goes elsewhere.
import type { Crew } from "./crew.ts";
import { stallMs, takesQuick } from "./placement.ts";
import type { WorkerProcess } from "./worker-process.ts";

export class Stalls {
  readonly #crew: Crew;
  #timer: NodeJS.Timeout | null = null;

  constructor(crew: Crew) {
    this.#crew = crew;
  }

  /** After something was sent. Looks again while anything is queued behind another. */
  watch(): void {
    if (this.#timer !== null || !this.#crew.shared().some(({ load }) => load > 1)) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      for (const worker of this.#crew.shared()) if (worker.load > 1 && !takesQuick(worker)) recallFrom(worker);
      this.watch();
    }, stallMs);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

/** What has begun by now, the worker keeps. */
function recallFrom(worker: WorkerProcess): void {
  const sent = [...worker.held.values()].filter(({ state, isStopping }) => state === "sent" && !isStopping);
  if (sent.length > 0) worker.recall(sent.map(({ id }) => id));
}
