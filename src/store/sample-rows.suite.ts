// What the tests of stores start from: a new store, and ordinary rows, of which a test names only what
// it is about.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Action, queuedAction } from "../core/action.ts";
import type { CacheEntry } from "../core/cache.ts";
import { sha256Hex } from "../core/hash.ts";
import { plainOrigin, type Run } from "../core/run.ts";
import type { Change, Store, StoreRecord } from "./store.ts";

/** A new, empty store; closed and removed when the test ends. */
export type OpenStore = (test: TestContext) => Promise<Store>;

/** What `assert.partialDeepStrictEqual` finds in the answer of a commit that was not refused. */
export const committed = { type: "committed" } as const;

export const sampleRun = (fields: Partial<Run> = {}): Run => ({
  id: 7,
  project: "default",
  domain: "development",
  name: `run-${fields.id ?? 7}`,
  task: "penguins.main",
  bundle: sha256Hex("bundle"),
  source: { file: "/home/ada/pipeline.ts", projectDir: "/home/ada" },
  phase: "queued",
  createdAtMs: 1_000,
  updatedAtMs: fields.createdAtMs ?? 1_000,
  endedAtMs: null,
  caller: "ada",
  owner: null,
  abortReason: null,
  recovers: null,
  overwriteCache: false,
  priority: 0,
  maxConcurrency: null,
  labels: {},
  origin: plainOrigin(fields.createdAtMs ?? 1_000),
  revision: 0,
  ...fields,
});

/** The root if it has no parent's name. */
export function sampleAction(fields: Partial<Action> & { readonly name: string }): Action {
  const parent = fields.parent ?? null;
  const call = {
    run: 7,
    parent,
    depth: parent === null ? 0 : 1,
    type: "task" as const,
    label: "train",
    group: null,
    identity: sha256Hex("train"),
    spec: sha256Hex("spec"),
    inputs: { type: "inline" as const, text: '{"depth":{"type":"integer","value":"3"}}' },
    inputsHash: sha256Hex(fields.name),
    cacheKey: null,
    priority: 0,
    lane: 0,
  };
  return {
    ...queuedAction({ ...call, ...fields }, { attemptMs: null, queuedMs: null, deadlineMs: null }, 1_000),
    ...fields,
  };
}

export const child = (name: string, fields: Partial<Action> = {}): Action =>
  sampleAction({ name, parent: "a0", ...fields });

export const running = (action: Action, owner = "engine"): Action => ({
  ...action,
  phase: "running",
  attempt: action.attempt + 1,
  owner,
  startedAtMs: 1_100,
  attemptStartedAtMs: 1_100,
});

export const succeeded = (action: Action): Action => ({
  ...action,
  phase: "succeeded",
  owner: null,
  dueAtMs: null,
  endedAtMs: 1_200,
  outputs: { type: "inline", text: "{}" },
});

export const sampleEntry = (fields: Partial<CacheEntry> & { readonly key: string }): CacheEntry => ({
  project: "default",
  domain: "development",
  task: "penguins.train",
  run: 7,
  runName: "run-7",
  action: "a1",
  spec: sha256Hex("spec"),
  inputHashes: { depth: sha256Hex("3") },
  outputs: { type: "blob", digest: sha256Hex("outputs") },
  createdAtMs: 1_000,
  ...fields,
});

export const sampleRecord = (fields: Partial<StoreRecord> = {}): StoreRecord => ({
  kind: "task",
  project: "default",
  domain: "development",
  name: "penguins.main",
  version: "v1",
  text: '{"a":1}',
  createdAtMs: 1_000,
  updatedAtMs: 1_000,
  dueAtMs: null,
  revision: 0,
  ...fields,
});

export const putRecord = (record: StoreRecord): Change => ({ type: "putRecord", record });
export const insertRun = (run: Run): Change => ({ type: "insertRun", run });
export const insertAction = (action: Action): Change => ({ type: "insertAction", action });
export const updateAction = (action: Action): Change => ({ type: "updateAction", action });

/** A run with its root and these children, committed. */
export async function startRun(store: Store, run: Run, children: readonly Action[] = []): Promise<void> {
  const root = sampleAction({ name: "a0", run: run.id });
  assert.partialDeepStrictEqual(
    await store.commit(
      [run, ...[root, ...children]].map((row, at) => (at === 0 ? insertRun(row as Run) : insertAction(row as Action))),
    ),
    committed,
  );
}

/** The one action of that name. */
export async function read(store: Store, name: string, run = 7): Promise<Action> {
  const [action] = await store.actions([{ run, name }]);
  assert.ok(action, `there is an action ${name}`);
  return action;
}

export const namesOf = (actions: readonly { readonly name: string }[]): readonly string[] =>
  actions.map(({ name }) => name);
