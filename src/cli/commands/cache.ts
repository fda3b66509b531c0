// `godwit cache ls`, `godwit cache rm`, `godwit why`: what is kept, and why it was used or not.

import type { CacheExplanation } from "../../control/control.ts";
import type { CacheEntry, PartDifference } from "../../core/cache.ts";
import { shortAction } from "../call-text.ts";
import { usageError } from "../error-report.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import { type Io, type Paint, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, plural, table } from "../text.ts";

export type ListOptions = CommonOptions & { readonly limit: number };

export async function cacheLs(task: string | undefined, options: ListOptions, io: Io): Promise<number> {
  return withExisting(options, io, async ({ godwit, scope }) => {
    const entries = await godwit.control.listCache(scope, task ?? null, options.limit);
    if (options.json === true) await writeJson(io, entries.map(entryRecord));
    else if (entries.length === 0)
      await writeLine(io.stdout, task === undefined ? "The cache is empty." : `The cache has nothing of ${task}.`);
    else await write(io.stdout, `${entryTable(entries).join("\n")}\n`);
    return 0;
  });
}

const entryRecord = (entry: CacheEntry) => ({
  key: entry.key,
  task: entry.task,
  run: entry.runName,
  action: entry.action,
  createdAt: new Date(entry.createdAtMs).toISOString(),
  inputs: entry.inputHashes,
});

const entryTable = (entries: readonly CacheEntry[]): readonly string[] =>
  table(
    ["KEY", "TASK", "MADE BY", "WHEN"],
    entries.map((entry) => [
      entry.key.slice(0, 12),
      entry.task,
      `${entry.runName}/${shortAction(entry.action)}`,
      ageText(entry.createdAtMs, Date.now()),
    ]),
  );

export type RemoveOptions = CommonOptions & { readonly task?: string; readonly all?: boolean };

export async function cacheRm(key: string | undefined, options: RemoveOptions, io: Io): Promise<number> {
  const chosen = [key, options.task, options.all].filter((choice) => choice !== undefined && choice !== false);
  if (chosen.length !== 1)
    throw usageError("Which entries? Give one of: a KEY (see godwit cache ls), --task NAME, or --all.");
  return withExisting(options, io, async ({ godwit, scope }) => {
    const removed = await godwit.control.removeCache(scope, {
      ...(key === undefined ? {} : { key }),
      ...(options.task === undefined ? {} : { task: options.task }),
      ...(options.all === true ? { all: true as const } : {}),
    });
    if (options.json === true) await writeJson(io, { removed });
    else
      await writeLine(
        io.stdout,
        `${plural(removed, "entry", "entries")} removed. What runs with those inputs next is computed anew.`,
      );
    return 0;
  });
}

export async function why(run: string, action: string | undefined, options: CommonOptions, io: Io): Promise<number> {
  return withExisting(options, io, async ({ godwit, scope }) => {
    const explanation = await godwit.control.explain(scope, run, action ?? "a0");
    if (options.json === true) {
      const { status, summary, nearest, differences } = explanation;
      await writeJson(io, {
        run,
        action: explanation.action.name,
        status,
        summary,
        nearest: nearest === null ? null : entryRecord(nearest),
        differences,
      });
    } else await write(io.stdout, `${explanationLines(explanation, paintFor(io.stdout, io.env)).join("\n")}\n`);
    return 0;
  });
}

function explanationLines(
  { action, summary, nearest, differences }: CacheExplanation,
  paint: Paint,
): readonly string[] {
  const rows = differences.map(({ part, entry, now }: PartDifference) => [`  ${part}`, shown(entry), shown(now)]);
  return [
    `${paint("bold", action.label)} ${paint("dim", shortAction(action.name))}  ${summary}`,
    ...(rows.length === 0 ? [] : ["", ...table(["  PART", `IN ${nearest?.runName ?? "ENTRY"}`, "NOW"], rows)]),
  ];
}

/** Hashes are told apart by their beginning; words are shown whole, within reason. */
function shown(value: string | null): string {
  if (value === null) return "(absent)";
  return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value.length > 60 ? `${value.slice(0, 60)}…` : value;
}
