// `godwit get triggers`, `godwit trigger …`: what starts runs by itself on a server.
import { randomUUID } from "node:crypto";
import type { TriggerName, TriggerState, TriggerTick } from "../../client/client.ts";
import { jsonInputs } from "../input-values.ts";
import { momentText } from "../moments.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor } from "../remote-session.ts";
import { type Io, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, table } from "../text.ts";

export type PreviewOptions = CommonOptions & { readonly count: number };
export type FireOptions = CommonOptions & { readonly name?: string; readonly inputs?: string };

export async function getTriggers(task: string | undefined, options: CommonOptions, io: Io): Promise<number> {
  const { client } = clientFor(options, io);
  const triggers = await client.automation.triggers(task ?? null);
  if (options.json === true) await writeJson(io, triggers.map(triggerRecord));
  else if (triggers.length === 0)
    await writeLine(io.stdout, "No triggers are deployed there. Tasks have them in `triggers`; see docs/triggers.md.");
  else {
    const heading = ["TASK", "TRIGGER", "SCHEDULE", "ACTIVE", "NEXT", "LAST RUN", "PROBLEM"];
    await write(io.stdout, `${table(heading, triggers.map(triggerRow)).join("\n")}\n`);
  }
  return 0;
}

const triggerRow = (trigger: TriggerState): readonly string[] => [
  trigger.task,
  trigger.name,
  trigger.schedule ?? "-",
  trigger.isActive ? "yes" : "no",
  trigger.nextTickMs === null ? "-" : momentText(trigger.nextTickMs),
  trigger.lastRun?.name ?? "-",
  problemText(trigger),
];

/** What people should know of it, in the order of how much it matters. */
function problemText({ problem, passedOver, skipped, waiting }: TriggerState): string {
  if (problem !== null) return problem;
  const told = [
    ...(waiting === 0 ? [] : [`${waiting} waiting`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
    ...(passedOver === null ? [] : [`missed until ${momentText(passedOver.untilMs)}`]),
  ];
  return told.join(", ");
}

const triggerRecord = (trigger: TriggerState) => {
  const { nextTickMs, lastRun, passedOver, isActive, name, ...rest } = trigger;
  return {
    ...rest,
    trigger: name,
    active: isActive,
    nextTick: iso(nextTickMs),
    lastRun: lastRun === null ? null : { run: lastRun.name, tick: iso(lastRun.tickMs) },
    passedOver: passedOver === null ? null : { from: iso(passedOver.fromMs), until: iso(passedOver.untilMs) },
  };
};

const iso = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString());

/** Activates, deactivates or deletes it. */
export async function changeTrigger(
  change: "activate" | "deactivate" | "delete",
  trigger: TriggerName,
  options: CommonOptions,
  io: Io,
): Promise<number> {
  const { automation } = clientFor(options, io).client;
  if (change === "delete") await automation.remove(trigger);
  else await automation.setActive(trigger, change === "activate");
  const words = { activate: "is active", deactivate: "is not active any more", delete: "is deleted" }[change];
  if (options.json === true) await writeJson(io, { task: trigger.task, trigger: trigger.name, change });
  else await writeLine(io.stdout, `${tick(io)} ${trigger.name} of ${trigger.task} ${words}`);
  return 0;
}

const tick = (io: Io): string => paintFor(io.stdout, io.env)("green", "✓");

export async function fireTrigger(trigger: TriggerName, options: FireOptions, io: Io): Promise<number> {
  const { client } = clientFor(options, io);
  const run = options.name ?? `r${randomUUID().replaceAll("-", "").slice(0, 12)}`;
  await client.fire(trigger, run, await jsonInputs(options.inputs, io));
  if (options.json === true) await writeJson(io, { task: trigger.task, trigger: trigger.name, run });
  else
    await writeLine(io.stdout, `${tick(io)} run ${run} has been started; \`godwit get run ${run} --remote\` shows it`);
  return 0;
}

export async function triggerHistory(trigger: TriggerName, options: CommonOptions, io: Io): Promise<number> {
  const revisions = await clientFor(options, io).client.automation.history(trigger);
  if (options.json === true) {
    await writeJson(
      io,
      revisions.map(({ atMs, ...rest }) => ({ ...rest, at: iso(atMs) })),
    );
    return 0;
  }
  const now = Date.now();
  const rows = revisions.map(({ revision, action, atMs, by }) => [String(revision), action, ageText(atMs, now), by]);
  await write(io.stdout, `${table(["REVISION", "CHANGE", "WHEN", "BY"], rows).join("\n")}\n`);
  return 0;
}

export async function previewTrigger(trigger: TriggerName, options: PreviewOptions, io: Io): Promise<number> {
  const ticks = await clientFor(options, io).client.automation.preview(trigger, options.count);
  if (options.json === true) await writeJson(io, ticks.map(tickRecord));
  else if (ticks.length === 0) await writeLine(io.stdout, "It starts nothing by itself.");
  else await write(io.stdout, `${tickLines(ticks).join("\n")}\n`);
  return 0;
}

export const tickRecord = ({ atMs, run, exists }: TriggerTick) => ({ at: iso(atMs), run, exists });

export const tickLines = (ticks: readonly TriggerTick[]): readonly string[] =>
  table(
    ["TICK", "RUN", ""],
    ticks.map(({ atMs, run, exists }) => [momentText(atMs), run, exists ? "has its run" : ""]),
  );
