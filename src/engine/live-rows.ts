// Rows of the actions that this engine has under way, as they were last committed: what an outcome is
// decided on without reading. Bounded by what runs and waits for its calls.
import type { Action } from "../core/action.ts";

export class LiveRows {
  readonly #rows = new Map<string, Action>();
  readonly #owner: string;

  constructor(owner: string) {
    this.#owner = owner;
  }

  get(run: number, name: string): Action | undefined {
    return this.#rows.get(keyOf(run, name));
  }

  /** False if it is older than what is known already. */
  note(action: Action): boolean {
    const key = keyOf(action.run, action.name);
    const known = this.#rows.get(key);
    if (known !== undefined && known.revision > action.revision) return false;
    if (action.phase === "running" && action.owner === this.#owner) this.#rows.set(key, action);
    else if (known !== undefined) this.#rows.delete(key);
    return true;
  }

  forget(run: number): void {
    for (const [key, action] of this.#rows) if (action.run === run) this.#rows.delete(key);
  }
}

const keyOf = (run: number, name: string): string => `${run}/${name}`;
