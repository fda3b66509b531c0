// What a trivial Python task costs, from the launch to its outcome in the executor: an interpreter of its own
// for each, and forked from a warm one. Needs build/python (scripts/python.ts).
//
//   node --conditions=source bench/python.ts [how many]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openExecutor, run } from "../src/executor/python.fixture.ts";

const bin = join(import.meta.dirname, "../build/python/bin");
const python = { python: join(bin, "python"), bin };
const count = Number(process.argv[2] ?? 20);

/** Of processes that were waited for: theirs, and those that they have waited for. */
function processorMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

async function measured(warm: null | Record<string, never>, tasks: number) {
  const beforeMs = processorMs();
  const executor = openExecutor(python, { warm, onText: (text) => console.error(text) });
  const times: number[] = [];
  for (let n = 0; n < tasks; n++) {
    const startMs = performance.now();
    const { result } = await run(executor, { function: "double", x: n });
    times.push(performance.now() - startMs);
    if (result.type !== "succeeded") throw new Error(JSON.stringify(result));
  }
  await executor.close();
  return { times, cpuMs: processorMs() - beforeMs };
}

for (const [way, warm] of [
  ["cold", null],
  ["warm", {}],
] as const) {
  const first = await measured(warm, 1);
  const { times, cpuMs } = await measured(warm, count + 1);
  const rest = times.slice(1).sort((a, b) => a - b);
  const at = (share: number): string => (rest[Math.floor((rest.length - 1) * share)] as number).toFixed(0);
  console.log(
    `${way}: first ${times[0]?.toFixed(0)} ms; then best ${at(0)} ms, p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, ` +
      `processor ${((cpuMs - first.cpuMs) / count).toFixed(0)} ms each`,
  );
}
