// `godwit backfill …`, `godwit get backfills`: a trigger's runs for a period that has passed.
import { randomUUID } from "node:crypto";
import type { BackfillState, TriggerName } from "../../client/client.ts";
import { usageError } from "../error-report.ts";
import { momentMs, momentText } from "../moments.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor } from "../remote-session.ts";
import { type Io, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { plural, table } from "../text.ts";
import { tickLines, tickRecord } from "./triggers.ts";

export type BackfillOptions = CommonOptions & {
  readonly from?: string;
  readonly to?: string;
  readonly parallelism: number;
  readonly repeat?: boolean;
  readonly preview?: boolean;
  readonly name?: string;
};

/** Ticks that a preview lists. */
const listed = 20;

export async function backfill(trigger: TriggerName, options: BackfillOptions, io: Io): Promise<number> {
  const { from, to } = options;
  if (from === undefined || to === undefined)
    throw usageError("Say the period: --from 2026-03-01 --to 2026-04-01 (the last tick is before that).");
  const { automation } = clientFor(options, io).client;
  const period = {
    fromMs: momentMs(from, "--from"),
    beforeMs: momentMs(to, "--to"),
    parallelism: options.parallelism,
    repeats: options.repeat === true,
  };
  if (options.preview === true) {
    const { total, first } = await automation.previewBackfill(trigger, period, listed);
    if (options.json === true) await writeJson(io, { total, first: first.map(tickRecord) });
    else {
      const more = total > first.length ? [`… and ${total - first.length} more`] : [];
      const lines = [...tickLines(first), ...more, plural(total, "tick")];
      await write(io.stdout, `${lines.join("\n")}\n`);
    }
    return 0;
  }
  // Named here, so that the request can be sent again.
  const id = options.name ?? `b${randomUUID().replaceAll("-", "").slice(0, 12)}`;
  const created = await automation.backfill(trigger, period, id);
  if (options.json === true) await writeJson(io, backfillRecord(created));
  else {
    const check = paintFor(io.stdout, io.env)("green", "✓");
    const ticks = plural(created.counts.planned, "tick");
    await writeLine(io.stdout, `${check} backfill ${id} of ${ticks}; \`godwit get backfills\` shows how far it is`);
  }
  return 0;
}

export async function getBackfills(options: CommonOptions, io: Io): Promise<number> {
  const backfills = await clientFor(options, io).client.automation.backfills();
  if (options.json === true) await writeJson(io, backfills.map(backfillRecord));
  else if (backfills.length === 0) await writeLine(io.stdout, "There are no backfills.");
  else {
    const heading = ["BACKFILL", "TASK", "TRIGGER", "FROM", "TO", "PHASE", "DONE", "PROBLEM"];
    await write(io.stdout, `${table(heading, backfills.map(backfillRow)).join("\n")}\n`);
  }
  return 0;
}

function backfillRow({ id, task, name, fromMs, beforeMs, phase, counts, problem }: BackfillState): readonly string[] {
  const { planned, succeeded, failed, existing } = counts;
  const failures = failed === 0 ? "" : `, ${failed} failed`;
  const done = `${succeeded + failed + existing} of ${planned}${failures}`;
  return [id, task, name, momentText(fromMs), momentText(beforeMs), phase, done, problem ?? ""];
}

const backfillRecord = ({ id, name, fromMs, beforeMs, createdAtMs, endedAtMs, ...rest }: BackfillState) => ({
  backfill: id,
  trigger: name,
  from: new Date(fromMs).toISOString(),
  to: new Date(beforeMs).toISOString(),
  ...rest,
  createdAt: new Date(createdAtMs).toISOString(),
  endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
});

export async function abortBackfill(id: string, options: CommonOptions, io: Io): Promise<number> {
  const aborted = await clientFor(options, io).client.automation.abortBackfill(id);
  if (options.json === true) await writeJson(io, backfillRecord(aborted));
  else {
    const wasOver = aborted.phase === "done" || aborted.phase === "aborted";
    const words = wasOver ? `is over: ${aborted.phase}` : "starts no more runs, and those that go on are aborted";
    await writeLine(io.stdout, `Backfill ${id} ${words}`);
  }
  return 0;
}
