// A large run of which one call fails; then, mended, a new one that takes over all the others.
import { type Case, checkRun, commandFacts, spentOn } from "./case.ts";

export const recovery: Case = async (project, { options }) => {
  const count = options.recoveryCalls;
  const inputs = JSON.stringify({ count });
  const broken = ["run", "pipelines/failing.ts", "main", "--inputs", inputs, "--name", "broken", "--json"];
  const first = await spentOn(() => project.start(broken), options);
  if (first.ended.code !== 1) throw new Error(`the run that has to fail ended with ${first.ended.code}`);
  const again = ["rerun", "broken", "--recover", "--name", "mended", "--json"];
  const second = await spentOn(() => project.start(again, { BENCH_MENDED: "yes" }), options);
  checkRun("the recovery", second.ended, { output: (count * (count + 1)) / 2, actions: { recovered: count - 1 } });
  return [
    { what: "calls, of which one fails", value: count, unit: "" },
    ...commandFacts("the run that fails", first, count),
    ...commandFacts("rerun --recover", second, count),
  ];
};
