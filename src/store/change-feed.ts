// Tells listeners that something was committed: by this process at once, by another soon after.
import type { Connection } from "./connection.ts";
import { memoryPath } from "./connection.ts";
import type { Committed } from "./store.ts";

export type ChangeListener = (committed: Committed | null) => void;

// How often to look whether another process has committed. One look reads a word of shared memory.
const pollMs = 100;

export class ChangeFeed {
  readonly #connection: Connection;
  readonly #listeners = new Set<ChangeListener>();
  #timer: NodeJS.Timeout | null = null;
  #dataVersion: number | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  listen(listener: ChangeListener): () => void {
    // A listener of its own, so that one function may listen twice and stop once.
    const own: ChangeListener = (committed) => listener(committed);
    this.#listeners.add(own);
    this.#start();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.close();
    };
  }

  tell(committed: Committed | null): void {
    for (const listener of [...this.#listeners]) listener(committed);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #start(): void {
    if (this.#timer !== null || this.#connection.path === memoryPath) return;
    this.#dataVersion = this.#connection.dataVersion();
    // It keeps the process alive: whoever listens waits for what others commit.
    this.#timer = setInterval(() => this.#look(), pollMs);
  }

  #look(): void {
    const version = this.#connection.dataVersion();
    if (version === this.#dataVersion) return;
    this.#dataVersion = version;
    this.tell(null);
  }
}
