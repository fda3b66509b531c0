// The tables.
import type { Fact, Figure, Outcome } from "./figures.ts";
import type { Machine, SyncTimes } from "./machine.ts";
import type { SystemName } from "./options.ts";
import type { Words } from "./system.ts";

export function machineText(machine: Machine, syncs: readonly SyncTimes[]): string {
  const ms = (times: readonly number[]): string => {
    const [low, high] = [Math.min(...times), Math.max(...times)].map((value) => value.toFixed(2));
    return low === high ? `${low} ms` : `${low}–${high} ms`;
  };
  return table([
    ["machine", `${machine.cores} cores, ${machine.processor}, ${machine.memoryGib.toFixed(0)} GiB`],
    ["system", `${machine.kernel}, Node ${machine.node}`],
    ["data directory", `${machine.fileSystem}, ${machine.disk === "" ? "no disk of its own" : machine.disk}`],
    [
      "fdatasync of 4 KiB",
      `p50 ${ms(syncs.map(({ p50Ms }) => p50Ms))}, p99 ${ms(syncs.map(({ p99Ms }) => p99Ms))}, before each system`,
    ],
  ]);
}

export function wordsText(words: ReadonlyMap<SystemName, Words>): string {
  const blocks = [...words].map(([name, { version, acknowledges, syncs, concurrency }]) =>
    [
      `${name} ${version}`,
      `  acknowledges  ${acknowledges}`,
      `  syncs         ${syncs}`,
      `  concurrency   ${concurrency}`,
    ].join("\n"),
  );
  return blocks.join("\n");
}

export const legend = `godwit is: how much faster than this line Godwit is, tasks with what is a task elsewhere, traces with steps
(below 1: slower). processor: user and system time of all processes of the system, per call or workflow; on a
machine that does other things it is the better figure. syncs: flushes of the disk per call or workflow, other
programs' too. memory: the most that all processes of the system held at one moment, warming up included.`;

export function comparisonText(figures: readonly Figure[]): string {
  const cases = [...new Set(figures.map((figure) => figure.case))];
  return cases
    .map((name) =>
      caseText(
        name,
        figures.filter((figure) => figure.case === name),
      ),
    )
    .join("\n\n");
}

function caseText(name: string, figures: readonly Figure[]): string {
  const isTen = name === "ten";
  const head = isTen
    ? ["", "", "p50 ms", "p99 ms", "godwit is", "processor ms", "syncs", "memory MiB", "workflows"]
    : ["", "", "per second", "godwit is", "processor µs", "syncs", "memory MiB", "calls"];
  const rows = figures.map((figure) => {
    const { outcome } = figure;
    const begin = [figure.system, figure.units];
    if (outcome.type === "missing") return [...begin, outcome.reason];
    const each = (total: number | null, scale: number, digits: number): string =>
      total === null ? "–" : ((total / outcome.count) * scale).toFixed(digits);
    const speed = isTen
      ? [outcome.latency?.p50Ms.toFixed(1) ?? "–", outcome.latency?.p99Ms.toFixed(1) ?? "–"]
      : [grouped(outcome.perSecond)];
    return [
      ...begin,
      ...speed,
      ratio(figure, figures),
      isTen ? each(outcome.processorMs, 1, 1) : each(outcome.processorMs, 1_000, 0),
      each(outcome.flushes, 1, 2),
      outcome.peakMib === null ? "–" : grouped(outcome.peakMib),
      grouped(outcome.count),
    ];
  });
  return `${titleOf(name)}\n${table([head, ...rows])}`;
}

function titleOf(name: string): string {
  const [kind, size] = name.split("-");
  const count = grouped(Number(size));
  if (kind === "calls") return `durable calls per second, ${count} at a time, warm`;
  if (kind === "fan") return `fan-out of ${count} calls by one parent, and collecting them`;
  return "a workflow of ten durable calls one after another, one workflow at a time";
}

function ratio(figure: Figure, figures: readonly Figure[]): string {
  const reference = figures.find(({ isReference, kind }) => isReference && kind === figure.kind);
  if (reference === undefined || reference === figure) return "";
  const [ours, theirs] = [paceOf(reference.outcome), paceOf(figure.outcome)];
  return ours === null || theirs === null ? "" : `${(ours / theirs).toPrecision(2)} ×`;
}

/** More is better. */
function paceOf(outcome: Outcome): number | null {
  if (outcome.type === "missing") return null;
  return outcome.latency === null ? outcome.perSecond : 1 / outcome.latency.p50Ms;
}

export function factsText(facts: readonly Fact[]): string {
  const cases = [...new Set(facts.map((fact) => fact.case))];
  return cases
    .map((name) => {
      const rows = facts
        .filter((fact) => fact.case === name)
        .map(({ what, value, unit }) => [what, `${amount(value)} ${unit}`]);
      return `godwit: ${name}\n${table(rows)}`;
    })
    .join("\n\n");
}

const amount = (value: number): string =>
  Number.isInteger(value) || value >= 100 ? grouped(value) : value.toPrecision(2);

const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");

/** Two columns of words to the left, numbers to the right of them; a row with fewer cells runs on. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(({ length }) => length));
  const isWords = (row: readonly string[], column: number): boolean => column < 2 || row.length < columns;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.filter((row) => column < 2 || !isWords(row, column)).map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isWords(row, column) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  "),
  );
  return lines.map((line) => `  ${line}`.trimEnd()).join("\n");
}
