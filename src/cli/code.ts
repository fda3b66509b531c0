// From a file of tasks to a stored code bundle and its manifest; and finding a task in it.
import { join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import type { Session } from "./session.ts";

export type Source = { readonly file: string; readonly projectDir: string };

/** Bundling needs nothing of the session, so it goes on while that opens. */
export async function loadCode(
  source: Source,
  opening: Promise<Session>,
  dataDir: string,
): Promise<{ readonly session: Session; readonly manifest: Manifest }> {
  const { bundleFile, storeBundle } = await import("../sdk/bundle.ts");
  const [bundled, opened] = await Promise.allSettled([
    bundleFile(source.file, source.projectDir, { memoDir: join(dataDir, "tmp", "modules") }),
    opening,
  ]);
  if (opened.status === "rejected") throw opened.reason;
  const session = opened.value;
  if (bundled.status === "rejected") throw bundled.reason;
  const digest = await storeBundle(bundled.value, session.godwit.blobs);
  const described = await session.godwit.describe(digest, source.projectDir);
  // A worker sees the bundle, not which of its files was named.
  return { session, manifest: { ...described, entry: bundled.value.entry } };
}

const usualTask = "main";

/** By full name, or by short name if only one has it; null means the only task, or the one called main. */
export function findTask(manifest: Manifest, wanted: string | null): TaskSpec {
  const { tasks, entry } = manifest;
  if (tasks.length === 0) {
    throw new GodwitError(
      "invalid_argument",
      `${entry} has no tasks. Make one and export it:\n  const env = environment({ name: "my-env" });\n  export const main = env.task({ name: "main" }, async () => { … });`,
    );
  }
  if (wanted === null) {
    const [first] = tasks;
    if (tasks.length === 1 && first !== undefined) return first;
    const mains = tasks.filter(({ shortName }) => shortName === usualTask);
    if (mains.length === 1) return mains[0] as TaskSpec;
    throw new GodwitError("invalid_argument", `Which task of ${entry}? Name one: ${taskNames(tasks)}.`);
  }
  const exact = tasks.find(({ name }) => name === wanted);
  if (exact !== undefined) return exact;
  const short = tasks.filter(({ shortName }) => shortName === wanted);
  if (short.length === 1) return short[0] as TaskSpec;
  if (short.length > 1) {
    throw new GodwitError(
      "invalid_argument",
      `"${wanted}" is ambiguous: ${short.map(({ name }) => name).join(", ")}. Use a full name.`,
    );
  }
  const known = new Set(tasks.flatMap(({ name, shortName }) => [shortName, name]));
  throw new GodwitError(
    "not_found",
    `There is no task "${wanted}" in ${entry}.${didYouMean(wanted, known)} It has: ${taskNames(tasks)}.`,
  );
}

const taskNames = (tasks: readonly TaskSpec[]): string => {
  const names = tasks.map(({ name }) => name);
  return names.length <= 20 ? names.join(", ") : `${names.slice(0, 20).join(", ")} and ${names.length - 20} more`;
};
