// Rows of the actions that this engine has under way, as they were last committed: what an outcome is
// decided on without reading. Bounded by what runs and waits for its calls.
import type { Action } from "../core/action.ts";

export class LiveRows {
  readonly #runs = new Map<number, Map<string, Action>>();
  readonly #owner: string;

  constructor(owner: string) {
    this.#owner = owner;
  }

  get(run: number, name: string): Action | undefined {
    return this.#runs.get(run)?.get(name);
  }

  /** False if it is older than what is known already. */
  note(action: Action): boolean {
    const rows = this.#runs.get(action.run);
    const known = rows?.get(action.name);
    if (known !== undefined && known.revision > action.revision) return false;
    if (action.phase === "running" && action.owner === this.#owner) {
      if (rows !== undefined) rows.set(action.name, action);
      else this.#runs.set(action.run, new Map([[action.name, action]]));
    } else if (known !== undefined) rows?.delete(action.name);
    return true;
  }

  forget(run: number): void {
    this.#runs.delete(run);
  }
}
