// The one object that `--json` prints for a run, and its short form for people.

import type { RunView } from "../control/control.ts";
import { type Action, isSuccess, type Phase } from "../core/action.ts";
import type { PhaseCounts } from "../core/run.ts";
import { type Failure, failureLines } from "./failure-text.ts";
import type { Session } from "./session.ts";
import { type Paint, paintFor, type Screen, widthOf } from "./terminal.ts";
import { countText, durationText, plural } from "./text.ts";
import { phaseSign, phaseWords } from "./tree-lines.ts";
import { literalsJson } from "./value-text.ts";

export type RunSummary = {
  readonly run: string | null;
  readonly phase: Phase | null;
  readonly outputs: { readonly [name: string]: unknown } | null;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly action: string | null;
    readonly attempt: number | null;
    readonly location: { readonly file: string; readonly line: number; readonly column: number } | null;
  } | null;
  readonly actions: ActionTally;
  readonly wallMs: number;
};

/** `succeeded` includes those that were `cached`, not those that were `recovered`. */
export type ActionTally = {
  readonly total: number;
  readonly succeeded: number;
  readonly cached: number;
  readonly recovered: number;
  readonly failed: number;
  readonly aborted: number;
};

export const noActions: ActionTally = { total: 0, succeeded: 0, cached: 0, recovered: 0, failed: 0, aborted: 0 };

export function tallyOf(counts: PhaseCounts, cached: number): ActionTally {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    total,
    succeeded: counts.succeeded ?? 0,
    cached,
    recovered: counts.recovered ?? 0,
    failed: (counts.failed ?? 0) + (counts.timed_out ?? 0),
    aborted: counts.aborted ?? 0,
  };
}

export type Ending = { readonly run: RunView; readonly cached: number; readonly wallMs: number };

export async function failureOf(session: Session, run: RunView): Promise<Failure | null> {
  if (isSuccess(run.phase)) return null;
  const failure = await session.godwit.control.failure(session.scope, run.name);
  if (failure !== null) return { ...failure, callers: await callersOf(session, run, failure.action) };
  const { action } = await session.godwit.control.getAction(session.scope, run.name, "a0");
  return action.error === null ? null : { error: action.error, action, callers: [] };
}

/** Nestings deeper than this are told in part. */
const maxDepth = 100;

async function callersOf(session: Session, run: RunView, action: Action): Promise<readonly string[]> {
  const labels: string[] = [];
  for (let { parent } = action; parent !== null && labels.length < maxDepth; ) {
    const { action: caller } = await session.godwit.control.getAction(session.scope, run.name, parent);
    labels.unshift(caller.label);
    parent = caller.parent;
  }
  return labels;
}

export async function summaryOf(session: Session, ending: Ending, failure: Failure | null): Promise<RunSummary> {
  const { run, cached, wallMs } = ending;
  return {
    run: run.name,
    phase: run.phase,
    outputs: isSuccess(run.phase) ? await outputsOf(session, run.name) : null,
    error: failure === null ? null : errorSummary(failure),
    actions: tallyOf(run.counts, cached),
    wallMs: Math.round(wallMs),
  };
}

function errorSummary({ error, action }: Failure): RunSummary["error"] {
  return {
    code: error.code,
    message: error.message,
    action: action.name,
    attempt: error.origin?.attempt ?? action.attempt,
    location: error.location,
  };
}

export async function outputsOf(session: Session, run: string): Promise<{ readonly [name: string]: unknown }> {
  const { control, blobs } = session.godwit;
  const { action } = await control.getAction(session.scope, run, "a0");
  return action.outputs === null ? {} : literalsJson(await control.literals(action.outputs), blobs);
}

/** `✓ main succeeded in 3.2s · run r0abc · 12 actions, 8 cached`. */
export function endingLine({ run, cached, wallMs }: Ending, paint: Paint): string {
  const tally = tallyOf(run.counts, cached);
  const parts = [
    plural(tally.total, "action"),
    ...(tally.cached > 0 ? [`${countText(tally.cached)} cached`] : []),
    ...(tally.recovered > 0 ? [`${countText(tally.recovered)} recovered`] : []),
    ...(tally.failed > 0 ? [`${countText(tally.failed)} failed`] : []),
    ...(tally.aborted > 0 ? [`${countText(tally.aborted)} aborted`] : []),
  ];
  const words = `run ${run.name} ${phaseWords[run.phase]} in ${durationText(wallMs)}`;
  return `${phaseSign(run.phase, paint, null)} ${paint("bold", words)}  ${paint("dim", parts.join(", "))}`;
}

export function endingFailure(
  session: Session,
  run: RunView,
  failure: Failure | null,
  screen: Screen,
): readonly string[] {
  if (failure === null) return [];
  const paint = paintFor(screen, session.io.env);
  if (run.phase === "aborted")
    return [`${paint("yellow", "aborted:")} ${failure.error.message}`, `  next: godwit rerun ${run.name} --recover`];
  return failureLines(run, failure, { cwd: session.io.cwd, width: widthOf(screen), paint });
}
