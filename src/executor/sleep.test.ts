// Sleeps: thousands at once, none of which holds a process or a share of the machine.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openFileBlobs } from "../blob/files.ts";
import type { Launch, Outcome } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import { FakeClock } from "../testing/clock.ts";
import { until } from "../testing/until.ts";
import { Capacity } from "./capacity.ts";
import { launchOf as shellLaunchOf } from "./shell.fixture.ts";
import { sleepExecutor } from "./sleep.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-sleep-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const blobs = await openFileBlobs(dir);

const machine = { cpuMillis: 1_000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30, gpus: [], tokens: {} };
const seconds = (count: number): Literals => ({ duration: { type: "duration", value: String(count * 1e9) } });

function launchOf(values: Literals): Launch {
  const launch = shellLaunchOf({ command: "true", values });
  return { ...launch, spec: { ...launch.spec, target: { type: "sleep", message: "" } } };
}

function open() {
  const clock = new FakeClock();
  const executor = sleepExecutor({ blobs, clock, capacity: new Capacity({ machine, limits: {} }) });
  executor.start(() => {});
  return { clock, executor };
}

test("ten thousand sleep at once on one core, and each ends at its time", async () => {
  const { clock, executor } = open();
  const launches = Array.from({ length: 10_000 }, (_, index) => launchOf(seconds(index < 5_000 ? 1 : 2)));
  for (const launch of launches) assert.equal(executor.reserve({ ...launch, maxConcurrency: null }, null), null);
  executor.ensureLaunched(launches);
  executor.ensureLaunched(launches);
  await until("they sleep", () => clock.nextAlarmMs() !== null);
  clock.advance("999ms");
  assert.equal(executor.takeOutcomes(1).length, 0);
  clock.advance("1ms");
  const ended = executor.takeOutcomes(10_000);
  assert.equal(ended.length, 5_000);
  assert.ok(ended.every(({ result }) => result.type === "succeeded"));
  assert.equal(executor.running().length, 5_000);
  clock.advance("1s");
  assert.equal(executor.takeOutcomes(10_000).length, 5_000);
  await executor.close();
});

test("one that is stopped has no outcome, and is not woken", async () => {
  const { clock, executor } = open();
  const launch = launchOf(seconds(60));
  executor.ensureLaunched([launch]);
  await until("it sleeps", () => clock.nextAlarmMs() !== null);
  executor.stop([launch], "a test");
  assert.equal(clock.nextAlarmMs(), null);
  assert.deepEqual([executor.running(), executor.takeOutcomes(1)], [[], []]);
  await executor.close();
});

test("inputs that are no duration are the task's failure", async () => {
  const { executor } = open();
  executor.ensureLaunched([launchOf({}), launchOf({ n: { type: "integer", value: "1" } })]);
  const outcomes: Outcome[] = [];
  await until("both have failed", () => outcomes.push(...executor.takeOutcomes(2)) === 2);
  assert.deepEqual(
    outcomes.map(({ result }) => (result.type === "failed" ? [result.error.code, result.error.recoverable] : null)),
    [
      ["InputInvalid", false],
      ["InputInvalid", false],
    ],
  );
  await executor.close();
});
