// When what was just read may be told (store.ts R6).
import type { Acknowledgements } from "./acknowledgements.ts";
import { type Connection, memoryPath } from "./connection.ts";

export class DurableReads {
  readonly #connection: Connection;
  readonly #acknowledgements: Acknowledgements;
  // Of what other processes have committed, how much is known to be durable.
  #durableVersion: number | null = null;

  constructor(connection: Connection, acknowledgements: Acknowledgements) {
    this.#connection = connection;
    this.#acknowledgements = acknowledgements;
  }

  /** Right after a read: resolves when all that it saw, and was to be synced, is durable. */
  async reached(): Promise<void> {
    if (this.#connection.path === memoryPath) return;
    const version = this.#connection.dataVersion();
    if (version === this.#durableVersion) return this.#acknowledgements.settled() ?? undefined;
    // Another process has committed, and does not say whether it is durable: the log is the same.
    await this.#acknowledgements.synced();
    this.#durableVersion = version;
  }
}
