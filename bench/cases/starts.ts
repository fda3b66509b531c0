// `godwit run` of a file with one task, the whole process: in a project that never ran anything, and again.
// The file cache of the machine is warm.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { percentile } from "../gauge.ts";
import { type Case, checkRun, spentOn } from "./case.ts";

export const starts: Case = async (project, { options }) => {
  const run = async (): Promise<number> => {
    const spent = await spentOn(() => project.start(["run", "pipelines/hello.ts", "--json"]), options);
    checkRun("a run", spent.ended, { output: {}, actions: { total: 1, succeeded: 1 } });
    return spent.wallMs;
  };
  await run();
  const cold: number[] = [];
  const warm: number[] = [];
  const node: number[] = [];
  for (let index = 0; index < options.starts; index++) {
    rmSync(project.dataDir, { recursive: true });
    cold.push(await run());
    warm.push(await run());
    const startedAt = performance.now();
    execFileSync(process.execPath, ["--eval", "0"]);
    node.push(performance.now() - startedAt);
  }
  return [
    {
      what: `godwit run of one task, new data directory, p50 of ${options.starts}`,
      value: percentile(cold, 0.5),
      unit: "ms",
    },
    { what: "the same, data directory of an earlier run", value: percentile(warm, 0.5), unit: "ms" },
    { what: "node that does nothing", value: percentile(node, 0.5), unit: "ms" },
  ];
};
