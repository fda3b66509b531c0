// What this process knows of stored actions without reading them: of those that it inserted, updated or
// looked up last, and that have not ended.
//
// R1  It is true: all is forgotten when another process has committed, or when a transaction failed.
// R2  It is bounded: what comes when it is full is forgotten at the end of its transaction. So those that
//     wait longest stay known, and they are the next to be claimed.
import type { Action, ActionKey, Phase } from "../core/action.ts";
import type { Connection } from "./connection.ts";

export type KnownAction = {
  readonly key: ActionKey;
  readonly id: number;
  readonly parentId: number | null;
  phase: Phase;
  attempt: number;
  createdAtMs: number;
  endedAtMs: number | null;
  revision: number;
  /** False if it certainly has none. */
  mayHaveChildren: boolean;
  /** What the set of changes of that mark, which was checked last, makes of it. */
  change: { readonly by: number; readonly to: Action } | null;
};

/** R2. Some 200 bytes each. */
export const maxKnownActions = 50_000;

export class KnownActions {
  readonly #connection: Connection;
  readonly #runs = new Map<number, Map<string, KnownAction>>();
  #size = 0;
  #marks = 0;
  #dataVersion: number | null = null;
  /** Of this transaction: what has to be looked at when it ends. */
  #added: KnownAction[] = [];
  #ended: KnownAction[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** R1. To be called inside each transaction, before anything is asked. */
  begin(): void {
    const version = this.#connection.dataVersion();
    if (version !== this.#dataVersion) this.clear();
    this.#dataVersion = version;
  }

  /** For a set of changes, to tell its own from those of others. */
  newMark(): number {
    this.#marks++;
    return this.#marks;
  }

  get({ run, name }: ActionKey): KnownAction | undefined {
    return this.#runs.get(run)?.get(name);
  }

  add(action: KnownAction): void {
    const { run, name } = action.key;
    let names = this.#runs.get(run);
    if (names === undefined) {
      names = new Map();
      this.#runs.set(run, names);
    }
    names.set(name, action);
    this.#size++;
    this.#added.push(action);
    if (action.endedAtMs !== null) this.#ended.push(action);
  }

  /** To be called when a known action has ended. */
  ended(action: KnownAction): void {
    this.#ended.push(action);
  }

  /** R2. To be called when all of a transaction has been written. */
  trim(): void {
    for (const action of this.#ended) this.#remove(action.key);
    for (let at = this.#added.length - 1; at >= 0 && this.#size > maxKnownActions; at--) {
      this.#remove((this.#added[at] as KnownAction).key);
    }
    this.#ended = [];
    this.#added = [];
  }

  clear(): void {
    this.#runs.clear();
    this.#size = 0;
    this.#ended = [];
    this.#added = [];
  }

  #remove({ run, name }: ActionKey): void {
    const names = this.#runs.get(run);
    if (names?.delete(name) !== true) return;
    this.#size--;
    if (names.size === 0) this.#runs.delete(run);
  }
}
