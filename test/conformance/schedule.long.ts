// What takes too long for every change: a schedule of minutes, and fan-outs as large as teams make them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("a schedule starts a run each minute, at the minute, until it is switched off", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const runs = (await server.program("scheduled.py")) as readonly (readonly [string, readonly string[]])[];
  assert.equal(runs.length, 2);
  for (const [phase, [second, microsecond, x]] of runs)
    assert.deepEqual([phase, second, microsecond, x], ["ActionPhase.SUCCEEDED", "0", "0", "3"]);
  const [first, second] = runs.map(([, output]) => Number(output[3]));
  assert.equal(Math.abs((second as number) - (first as number)), 60);
});

test("five thousand sleeps at once, and a map over three hundred calls", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("observed.py", "fan", "5000", "300")) as Record<string, unknown>;
  t.diagnostic(`${seen["sleeping seconds"]} s for the sleeps, ${seen["mapping seconds"]} s for the map`);
  assert.deepEqual(seen.sleeps, ["ActionPhase.SUCCEEDED", 5000]);
  assert.deepEqual(seen.counted, [5001, 5001]);
  assert.deepEqual(seen.mapped, ["ActionPhase.SUCCEEDED", 44850]);
});
