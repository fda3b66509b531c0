// How a history of the model ends: well, whatever has happened in it.
import { output, report, signal } from "./asking.ts";
import { checked } from "./comparison.ts";
import { ends } from "./rules.ts";
import type { World } from "./world.ts";

/** Helps everything to its end: attempts succeed, conditions are answered, time passes. */
export async function drain(world: World): Promise<void> {
  const { ledger, clock } = world;
  ledger.tell("the end: whatever is left succeeds");
  const engine = world.openEngines[0] ?? (await world.openEngine());
  for (const { executor } of world.openEngines) executor.places = Number.POSITIVE_INFINITY;
  for (const { id: run } of ledger.committedRuns) {
    if (!world.openEngines.some(({ id }) => id === ledger.servers.get(run))) world.serve(engine, run);
  }
  for (let round = 0; round < 300; round++) {
    await checked(world);
    const left = [...ledger.rows.values()].filter(({ phase }) => !ends.includes(phase));
    if (left.length === 0) return;
    const running = left.filter(({ phase }) => phase === "running");
    for (const row of running) report(world, row, row.attempt, { type: "succeeded", outputs: output() });
    for (const row of left.filter(({ phase }) => phase === "paused")) signal(world, row, true);
    const alarmMs = clock.nextAlarmMs();
    // Longer and longer: who looks each second, or waits for a clock that was set back, would take many rounds.
    if (running.length === 0 && alarmMs !== null)
      world.pass(Math.max(2 ** Math.min(round, 32), alarmMs - clock.nowMs()));
  }
  throw new Error(`It does not end.\n\nWhat happened:\n${ledger.story.slice(-120).join("\n")}`);
}
