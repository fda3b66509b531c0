// Calls whose results are all in the cache.
import { type Case, checkRun, commandFacts, spentOn } from "./case.ts";

/** Entries in the cache, each of which is then asked for many times. */
const maxDistinct = 10_000;

export const lookups: Case = async (project, { options }) => {
  const count = options.lookups;
  const distinct = Math.min(maxDistinct, count / 10);
  const sumOf = (calls: number): number => (calls / distinct) * ((distinct * (distinct + 1)) / 2);
  const run = (calls: number) => {
    const inputs = JSON.stringify({ count: calls, distinct });
    return spentOn(() => project.start(["run", "pipelines/cached.ts", "main", "--inputs", inputs, "--json"]), options);
  };
  const fill = await run(distinct);
  checkRun("filling the cache", fill.ended, { output: sumOf(distinct), actions: { cached: 0 } });
  const hits = await run(count);
  checkRun("looking up", hits.ended, { output: sumOf(count), actions: { cached: count } });
  return [
    { what: "calls that hit", value: count, unit: "" },
    { what: "entries in the cache", value: distinct, unit: "" },
    ...commandFacts("looking up", hits, count),
  ];
};
