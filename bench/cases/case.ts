// What a case of Godwit's alone is, and what a whole command costs.
import { readFileSync } from "node:fs";
import type { Fact } from "../figures.ts";
import { type Ended, type Package, type Project, parsed, type Started, type Summary } from "../godwit.ts";
import { watchMemory } from "../memory.ts";
import type { Options } from "../options.ts";

export type Place = {
  readonly dir: string;
  readonly godwit: Package;
  readonly options: Options;
  readonly note: (text: string) => void;
};

/** A case measures in a project of its own, and throws if what came out is not right. */
export type Case = (project: Project, place: Place) => Promise<readonly Omit<Fact, "case">[]>;

export type Spent = { readonly wallMs: number; readonly processorMs: number | null; readonly peakMib: number | null };

/** Runs a command to its end: the whole process, from start to exit, with all that it started. */
export async function spentOn(
  start: () => Started,
  { longLimitMs }: Options,
): Promise<Spent & { readonly ended: Ended }> {
  const memory = watchMemory(process.pid);
  const before = endedChildrenMs();
  const startedAt = performance.now();
  const started = start();
  const timer = setTimeout(() => started.process.kill("SIGKILL"), longLimitMs);
  const ended = await started.ended;
  clearTimeout(timer);
  if (ended.code === null) throw new Error(`it was not done within ${longLimitMs / 1_000} s`);
  const wallMs = performance.now() - startedAt;
  const after = endedChildrenMs();
  const processorMs = before === null || after === null ? null : after - before;
  return { wallMs, processorMs, peakMib: memory.peakMib(), ended };
}

/** Processor time of all children of this process that have ended, with theirs. */
export function endedChildrenMs(): number | null {
  try {
    const text = readFileSync("/proc/self/stat", "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[13]) + Number(fields[14])) * 10;
  } catch {
    return null; // Not Linux.
  }
}

/** Of a run that has to succeed with this value, and with so many actions of a kind. */
export function checkRun(
  what: string,
  ended: Ended,
  expected: { readonly output: unknown; readonly actions: { readonly [which: string]: number } },
): void {
  const summary = parsed([what], ended) as Summary;
  const found = {
    output: summary.outputs?.o0 ?? summary.outputs,
    actions: Object.fromEntries(Object.keys(expected.actions).map((which) => [which, summary.actions[which]])),
  };
  const [foundText, expectedText] = [JSON.stringify(found), JSON.stringify(expected)];
  if (foundText !== expectedText) throw new Error(`${what} gave ${foundText}, not ${expectedText}`);
}

export const commandFacts = (what: string, { wallMs, processorMs, peakMib }: Spent, count: number) => [
  { what: `${what}, whole command`, value: wallMs / 1_000, unit: "s" },
  { what: `${what}, per second`, value: (count / wallMs) * 1_000, unit: "/s" },
  ...(processorMs === null
    ? []
    : [{ what: `${what}, processor time of all processes`, value: (processorMs / count) * 1_000, unit: "µs each" }]),
  ...(peakMib === null ? [] : [{ what: `${what}, most memory of all processes`, value: peakMib, unit: "MiB" }]),
];
