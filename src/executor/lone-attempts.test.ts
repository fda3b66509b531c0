// What attempts in processes of their own hold of the machine while they wait for their calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../core/messages.ts";
import type { Machine } from "../core/resources.ts";
import { emptyPayload } from "../core/value.ts";
import { until } from "../testing/until.ts";
import { Capacity } from "./capacity.ts";
import { loneExecutor } from "./lone-attempts.ts";
import { launchOf } from "./shell.fixture.ts";

const machine: Machine = { cpuMillis: 1_000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30, gpus: [], tokens: {} };

/** Attempts that end when they are told to. */
function open() {
  const capacity = new Capacity({ machine, limits: {} });
  const ends = new Map<string, () => void>();
  const executor = loneExecutor(capacity, {
    accepts: () => true,
    begin: async () => {},
    run: ({ launch }) =>
      new Promise<Outcome["result"]>((resolve) => {
        ends.set(launch.action, () => resolve({ type: "succeeded", outputs: emptyPayload }));
      }),
    end: async () => {},
  });
  executor.start(() => {});
  const start = (): ReturnType<typeof launchOf> | null => {
    const launch = launchOf({ command: "true" });
    if (executor.reserve({ ...launch, maxConcurrency: null }, null) !== null) return null;
    executor.ensureLaunched([launch]);
    return launch;
  };
  const end = async (launch: ReturnType<typeof launchOf> | null): Promise<void> => {
    assert.ok(launch !== null);
    await until("it runs", () => ends.has(launch.action));
    const ended = executor.takeOutcomes(10).length;
    ends.get(launch.action)?.();
    await until("it has ended", () => executor.takeOutcomes(10).length > 0 || ended > 0);
  };
  const used = (): number => capacity.usage().cpu?.used ?? -1;
  return { executor, start, end, used };
}

test("on one core parents that wait leave it to their calls, however deep they are nested", async () => {
  const { executor, start, end, used } = open();
  const parent = start();
  assert.ok(parent !== null);
  assert.equal(start(), null);
  executor.setWaiting(parent, true);
  const inner = start();
  assert.ok(inner !== null);
  executor.setWaiting(inner, true);
  const leaf = start();
  assert.equal(used(), 1_000);
  await end(leaf);
  executor.setWaiting(inner, false);
  await end(inner);
  executor.setWaiting(parent, false);
  assert.equal(used(), 1_000);
  await end(parent);
  assert.equal(used(), 0);
});

test("a parent that goes on takes its share when it is free, and before anybody else", async () => {
  const { executor, start, end, used } = open();
  const parent = start();
  assert.ok(parent !== null);
  executor.setWaiting(parent, true);
  const other = start();
  executor.setWaiting(parent, false);
  assert.equal(start(), null);
  await end(other);
  assert.equal(used(), 1_000);
  assert.equal(start(), null);
  await end(parent);
});

test("a parent that waits again before its share was free lets go of it at once", async () => {
  const { executor, start, end } = open();
  const parent = start();
  assert.ok(parent !== null);
  executor.setWaiting(parent, true);
  const other = start();
  executor.setWaiting(parent, false);
  executor.setWaiting(parent, true);
  await end(other);
  await until("the next one finds room", () => start() !== null);
});
