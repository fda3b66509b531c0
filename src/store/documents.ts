// Specs and manifests over any store: read once, kept in memory within bounds.
import type { Action, Policy } from "../core/action.ts";
import { noTimeouts } from "../core/action.ts";
import { assert, GodwitError } from "../core/error.ts";
import type { ConditionSpec } from "../core/messages.ts";
import { laneOf } from "../core/resources.ts";
import { defaultRetries } from "../core/retry.ts";
import { type Manifest, specDigest, type TaskSpec } from "../core/task.ts";
import type { Store } from "./store.ts";

/** Specs of a bundle by full task name, with their digests. */
export type KnownTasks = ReadonlyMap<string, KnownTask>;

export type KnownTask = {
  readonly spec: TaskSpec;
  readonly digest: string;
  readonly lane: number;
  /** Given if the spec is not stored with its manifest. */
  readonly isElsewhere?: true;
};

export type KnownManifest = { readonly manifest: Manifest; readonly tasks: KnownTasks };

/** Bundles whose manifests are kept; a server of many runs works with few at a time. */
const maxManifests = 64;
/** Specs kept. */
const maxSpecs = 10_000;

/** Manifests and specs share the table of documents. */
export const manifestKey = (bundle: string): string => `manifest-${bundle}`;

type Specified = Pick<Action, "type" | "spec" | "name">;

export class Documents {
  readonly #store: Pick<Store, "documents">;
  readonly #manifests = new Map<string, Promise<KnownManifest>>();
  readonly #specs = new Map<string, TaskSpec | ConditionSpec>();

  constructor(store: Pick<Store, "documents">) {
    this.#store = store;
  }

  async manifest(bundle: string): Promise<KnownManifest> {
    let loaded = this.#manifests.get(bundle);
    if (loaded === undefined) {
      loaded = this.#readManifest(bundle);
      keep(this.#manifests, bundle, loaded, maxManifests);
      loaded.catch(() => this.#manifests.delete(bundle));
    }
    return loaded;
  }

  /** What was read before, if it is still kept. */
  known(digest: string): TaskSpec | ConditionSpec | undefined {
    return this.#specs.get(digest);
  }

  /** What `step` needs to know of an action whose spec was read before. */
  policy({ spec, name }: Pick<Action, "spec" | "name">): Policy {
    const known = spec === null ? undefined : this.#specs.get(spec);
    assert(spec === null || known !== undefined, `the spec ${spec} of action ${name} is missing`);
    return policyOf(known);
  }

  /** Task specs and condition specs; those that are not stored are left out. */
  async specs(digests: readonly string[]): Promise<ReadonlyMap<string, TaskSpec | ConditionSpec>> {
    const wanted = new Set(digests);
    const missing = [...wanted].filter((digest) => !this.#specs.has(digest));
    const read = missing.length === 0 ? new Map<string, string>() : await this.#store.documents(missing);
    for (const [digest, text] of read)
      keep(this.#specs, digest, JSON.parse(text) as TaskSpec | ConditionSpec, maxSpecs);
    const found = new Map<string, TaskSpec | ConditionSpec>();
    for (const digest of wanted) {
      const spec = this.#specs.get(digest);
      if (spec === undefined) continue;
      found.set(digest, spec);
      // Near the bound, what is in use must not be the next to go.
      if (this.#specs.size > maxSpecs / 2) keep(this.#specs, digest, spec, maxSpecs);
    }
    return found;
  }

  /** Of a task; null for traces and conditions. */
  async taskSpec(action: Specified): Promise<TaskSpec | null> {
    const [spec] = await this.taskSpecs([action]);
    return spec ?? null;
  }

  /** In their order. */
  async taskSpecs(actions: readonly Specified[]): Promise<readonly (TaskSpec | null)[]> {
    const specs = await this.specs(actions.flatMap(({ spec }) => (spec === null ? [] : [spec])));
    return actions.map(({ type, spec, name }) => {
      if (type !== "task" || spec === null) return null;
      const found = specs.get(spec);
      assert(found !== undefined, `the spec ${spec} of action ${name} is missing`);
      return found as TaskSpec;
    });
  }

  /** What `step` needs to know of each action, in their order. */
  async policies(actions: readonly Action[]): Promise<readonly Policy[]> {
    const specs = await this.specs(actions.flatMap(({ spec }) => (spec === null ? [] : [spec])));
    return actions.map((action) => policyOf(action.spec === null ? undefined : specs.get(action.spec)));
  }

  async #readManifest(bundle: string): Promise<KnownManifest> {
    const key = manifestKey(bundle);
    const text = (await this.#store.documents([key])).get(key);
    if (text === undefined)
      throw new GodwitError("not_found", `The code bundle ${bundle.slice(0, 8)} is not known here.`);
    const manifest = JSON.parse(text) as Manifest;
    const tasks = new Map<string, KnownTask>();
    for (const spec of manifest.tasks) {
      const digest = specDigest(spec);
      tasks.set(spec.name, { spec, digest, lane: laneOf(spec) });
      keep(this.#specs, digest, spec, maxSpecs);
    }
    return { manifest, tasks };
  }
}

function policyOf(document: TaskSpec | ConditionSpec | undefined): Policy {
  if (document !== undefined && "retries" in document)
    return { retries: document.retries, timeouts: document.timeouts, memoryBytes: document.resources.memoryBytes };
  const deadlineMs = document !== undefined && "timeoutMs" in document ? document.timeoutMs : null;
  return { retries: defaultRetries, timeouts: { ...noTimeouts, deadlineMs } };
}

/** The oldest goes when there is no room. */
function keep<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.delete(key);
  if (map.size >= limit) map.delete(map.keys().next().value as K);
  map.set(key, value);
}
