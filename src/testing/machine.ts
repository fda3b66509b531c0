// The machine of tests: it has whatever a task asks for. What is tested is the pipeline.
import type { Machine, Resources } from "../core/resources.ts";
import type { Executor } from "../executor/executor.ts";

/** What attempts may hold at once; `onTestMachine` lets none wait for what there will never be. */
export const testMachine: Machine = {
  cpuMillis: 1_000_000,
  memoryBytes: 2 ** 50,
  diskBytes: 2 ** 50,
  gpus: Array.from({ length: 64 }, (_, index) => ({ index, model: "test", memoryBytes: null })),
  tokens: {},
};

/** With tokens of every name, GPUs of every model, and never less than one attempt asks for. */
export const onTestMachine = (executor: Executor): Executor => ({
  accepts: (launch) => executor.accepts(launch),
  reserve: (wanted, kept) =>
    executor.reserve(
      { ...wanted, resources: onHand(wanted.resources) },
      kept && { ...kept, resources: onHand(kept.resources) },
    ),
  release: (attempts) => executor.release(attempts),
  ensureLaunched: (launches) => executor.ensureLaunched(launches),
  takeOutcomes: (limit) => executor.takeOutcomes(limit),
  running: () => executor.running(),
  stop: (attempts, reason) => executor.stop(attempts, reason),
  start: (wake) => executor.start(wake),
  close: () => executor.close(),
});

const onHand = ({ cpuMillis, memoryBytes, diskBytes, gpus }: Resources): Resources => ({
  cpuMillis: Math.min(cpuMillis, testMachine.cpuMillis),
  memoryBytes: memoryBytes === null ? null : Math.min(memoryBytes, testMachine.memoryBytes),
  ...(diskBytes === undefined ? {} : { diskBytes: Math.min(diskBytes, testMachine.diskBytes) }),
  ...(gpus === undefined ? {} : { gpus: { count: Math.min(gpus.count, testMachine.gpus.length), model: null } }),
});
