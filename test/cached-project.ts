// A user's project whose runs are asked what they took from the cache.
import assert from "node:assert/strict";
import { type Ended, makeProject, type Project } from "./project.ts";

export type CachedRun = {
  readonly name: string;
  readonly outputs: { readonly [name: string]: unknown };
  /** Labels of the actions that had a key and were computed, in the order of the alphabet. */
  readonly missed: readonly string[];
};

export type CachedProject = Pick<Project, "dir" | "write" | "start" | "remove"> & {
  /** `godwit run …`, which has to succeed. */
  run(args: readonly string[]): Promise<CachedRun>;
  /** What it prints with `--json`. */
  json(args: readonly string[]): Promise<{ readonly [field: string]: unknown }>;
  godwit(args: readonly string[], exitCode?: number): Promise<Ended>;
};

export function makeCachedProject(): CachedProject {
  const project = makeProject();
  const godwit: CachedProject["godwit"] = async (args, exitCode = 0) => {
    const ended = await project.run(args);
    assert.equal(ended.code, exitCode, `godwit ${args.join(" ")}\n${ended.stderr}`);
    return ended;
  };
  const json: CachedProject["json"] = async (args) => JSON.parse((await godwit([...args, "--json"])).stdout);
  return {
    ...project,
    godwit,
    json,
    run: async (args) => {
      const { run, outputs } = (await json(["run", ...args])) as { run: string; outputs: CachedRun["outputs"] };
      const actions = (await json(["get", "actions", run])) as unknown as { label: string; cache: string }[];
      const computed = actions.filter(({ cache }) => cache === "miss" || cache === "overwritten");
      return { name: run, outputs, missed: computed.map(({ label }) => label).sort() };
    },
  };
}
