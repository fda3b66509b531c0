// `godwit get runs`, `godwit get run`.

import type { RunView } from "../../control/control.ts";
import { isSuccess, isTerminal, type Phase, phases } from "../../core/action.ts";
import { didYouMean } from "../../core/names.ts";
import { usageError } from "../error-report.ts";
import { withExisting } from "../existing-session.ts";
import { Notes } from "../notes.ts";
import type { CommonOptions } from "../place.ts";
import { actionValues, runRecord } from "../records.ts";
import { RunTree } from "../run-tree.ts";
import type { Session } from "../session.ts";
import { endingFailure, failureOf } from "../summary.ts";
import { type Io, type Paint, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, countText, durationText, fields, plural, table } from "../text.ts";
import { phaseSign, phaseWords, treeLines } from "../tree-lines.ts";
import { valueLines } from "../value-text.ts";

export type RunsOptions = CommonOptions & { readonly task?: string; readonly phase?: string; readonly limit: number };

export async function getRuns(options: RunsOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const task = options.task === undefined ? undefined : await fullName(session, options.task);
    const { items, more } = await listed(session, { ...options, ...(task === undefined ? {} : { task }) });
    if (options.json === true) await writeJson(io, items.map(runRecord));
    else await writeRuns(items, more, io);
    return 0;
  });
}

/** Runs that are looked through for the task that is meant. */
const maxSearched = 1_000;

/** A task of a recent run by its full or its short name. An unknown one is as likely a slip as one that never ran. */
async function fullName({ godwit, scope }: Session, wanted: string): Promise<string> {
  const { items } = await godwit.control.listRuns(scope, { task: wanted, limit: 1, token: null });
  if (items.length > 0) return wanted;
  const recent = await godwit.control.listRuns(scope, { limit: maxSearched, token: null });
  const names = [...new Set(recent.items.map(({ task }) => task))];
  const [found, other] = names.filter((name) => name.endsWith(`.${wanted}`));
  if (found !== undefined && other === undefined) return found;
  const hint =
    other === undefined
      ? didYouMean(wanted, [...names, ...names.map(shortName)])
      : ` Give one of: ${names.join(", ")}.`;
  throw usageError(`No run of a task "${wanted}".${hint}`);
}

const shortName = (task: string): string => task.slice(task.lastIndexOf(".") + 1);

async function listed(
  session: Session,
  options: RunsOptions,
): Promise<{ readonly items: readonly RunView[]; readonly more: boolean }> {
  const items: RunView[] = [];
  let token: string | null = null;
  do {
    const page = await session.godwit.control.listRuns(session.scope, {
      ...(options.task === undefined ? {} : { task: options.task }),
      ...(options.phase === undefined ? {} : { phases: phasesOf(options.phase) }),
      limit: Math.min(1_000, options.limit - items.length),
      token,
    });
    items.push(...page.items);
    token = page.token;
  } while (token !== null && items.length < options.limit);
  return { items, more: token !== null };
}

/** `running`, `timed-out`; `active` is everything that has not ended. */
export function phasesOf(text: string): readonly Phase[] {
  return text.split(",").flatMap((word) => {
    const wanted = word.trim().toLowerCase().replaceAll("-", "_");
    if (wanted === "active") return phases.filter((phase) => !isTerminal(phase));
    const phase = phases.find((each) => each === wanted);
    if (phase !== undefined) return [phase];
    throw usageError(
      `There is no phase "${word}".${didYouMean(wanted, [...phases, "active"])} Phases: ${phases.join(", ")}; "active" means all that have not ended.`,
    );
  });
}

async function writeRuns(runs: readonly RunView[], more: boolean, io: Io): Promise<void> {
  if (runs.length === 0) {
    await writeLine(io.stdout, "No runs.");
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  const nowMs = Date.now();
  const rows = runs.map((run) => [
    `${phaseSign(run.phase, paint, null)} ${run.name}`,
    run.task,
    phaseWords[run.phase],
    actionsText(run),
    run.endedAtMs === null ? "" : durationText(run.endedAtMs - run.createdAtMs),
    ageText(run.createdAtMs, nowMs),
    run.caller,
  ]);
  const lines = table(["  RUN", "TASK", "PHASE", "ACTIONS", "TOOK", "STARTED", "BY"], rows);
  await write(io.stdout, `${lines.join("\n")}\n`);
  if (more) await writeLine(io.stdout, paint("dim", "There are more: --limit N shows them."));
}

const total = (run: RunView): number => Object.values(run.counts).reduce((sum, count) => sum + count, 0);

const actionsText = (run: RunView): string => {
  // A server does not count them for a list.
  if (Object.keys(run.counts).length === 0) return "";
  const ended = Object.entries(run.counts).reduce(
    (sum, [phase, count]) => (isTerminal(phase as Phase) ? sum + count : sum),
    0,
  );
  return isTerminal(run.phase) ? countText(total(run)) : `${countText(ended)}/${countText(total(run))}`;
};

/** Actions that are looked at to draw the tree of one run. */
const maxDrawn = 20_000;

export async function getRun(name: string, options: CommonOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const run = await session.godwit.control.getRun(session.scope, name);
    const { action: root } = await session.godwit.control.getAction(session.scope, name, "a0");
    const values = await actionValues(session, root);
    const isServed = !isTerminal(run.phase) && (await session.godwit.isServed(run.id));
    if (options.json === true) {
      await writeJson(io, { ...runRecord(run), isServed, ...values, error: root.error });
      return 0;
    }
    const paint = paintFor(io.stdout, io.env);
    const lines = [
      ...fields(runFields(run, isServed, paint)),
      "",
      ...(await drawn(session, run, paint)),
      ...section("inputs", values.inputs, paint),
      ...section("outputs", isSuccess(run.phase) ? values.outputs : null, paint),
      ...(await failed(session, run)),
      ...(isTerminal(run.phase) || isServed
        ? []
        : ["", `No live process serves it. It goes on with: godwit resume ${run.name}`]),
    ];
    await write(io.stdout, `${lines.join("\n")}\n`);
    return 0;
  });
}

const runFields = (run: RunView, isServed: boolean, paint: Paint): readonly (readonly [string, string | null])[] => [
  ["run", run.name],
  ["task", run.task],
  [
    "phase",
    `${phaseSign(run.phase, paint, null)} ${phaseWords[run.phase]}${isServed ? " (a live process serves it)" : ""}`,
  ],
  ["file", run.source.file === "" ? null : run.source.file],
  ["started", `${new Date(run.createdAtMs).toISOString()} by ${run.caller}`],
  ["took", run.endedAtMs === null ? null : durationText(run.endedAtMs - run.createdAtMs)],
  ["actions", plural(total(run), "action")],
  ["recovers", run.recovers?.name ?? null],
  ["aborted", run.abortReason],
];

async function drawn(session: Session, run: RunView, paint: Paint): Promise<readonly string[]> {
  const tree = new RunTree();
  const notes = new Notes(session, run, tree);
  await notes.open({ isLive: false, onWait: null });
  let token: string | null = null;
  let count = 0;
  do {
    const page = await session.godwit.control.listActions(session.scope, run.name, { limit: 1_000, token });
    for (const action of page.items) {
      const change = tree.apply(action);
      if (change?.node.phase === "paused") await notes.prompt(change.node);
    }
    count += page.items.length;
    token = page.token;
  } while (token !== null && count < maxDrawn);
  if (!isTerminal(run.phase)) await notes.readWaits();
  const width = session.io.stdout.columns ?? 160;
  const lines = treeLines(tree, {
    run: run.name,
    width,
    height: 200,
    nowMs: Date.now(),
    isMoving: false,
    paint,
    notes,
  });
  return token === null
    ? lines
    : [...lines, paint("dim", `(the first ${countText(count)} actions; see godwit get actions ${run.name})`)];
}

function section(title: string, values: { readonly [name: string]: unknown } | null, paint: Paint): readonly string[] {
  if (values === null || Object.keys(values).length === 0) return [];
  return ["", `${title}:`, ...valueLines(values, paint).map((line) => `  ${line}`)];
}

async function failed(session: Session, run: RunView): Promise<readonly string[]> {
  if (!isTerminal(run.phase) || isSuccess(run.phase)) return [];
  const failure = await failureOf(session, run);
  return failure === null ? [] : ["", ...endingFailure(session, run, failure, session.io.stdout)];
}
