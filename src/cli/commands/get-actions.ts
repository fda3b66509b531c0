// `godwit get actions`, `godwit get action`.

import type { ActionView } from "../../control/control.ts";
import { type Action, type ActionError, isTerminal } from "../../core/action.ts";
import { effectiveResources } from "../../core/resources.ts";
import type { Run } from "../../core/run.ts";
import { type Wait, waitText } from "../../core/wait.ts";
import { callText, shortAction } from "../call-text.ts";
import { withExisting } from "../existing-session.ts";
import { codeFrame, locationText, userFrames } from "../failure-text.ts";
import { progressText } from "../notes.ts";
import type { CommonOptions } from "../place.ts";
import { actionRecord, actionValues, attemptRecord, waitRecord } from "../records.ts";
import { resourceWords } from "../resource-words.ts";
import type { Session } from "../session.ts";
import { type Io, type Paint, paintFor, widthOf, write, writeJson, writeLine } from "../terminal.ts";
import { durationText, fields, firstLine, fit, printable, sizeText, table } from "../text.ts";
import { phaseSign, phaseWords } from "../tree-lines.ts";
import { hasFiles, valueLines } from "../value-text.ts";
import { phasesOf } from "./get-runs.ts";

export type ActionsOptions = CommonOptions & {
  readonly parent?: string;
  readonly phase?: string;
  readonly limit: number;
};

export async function getActions(run: string, options: ActionsOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const { items, more } = await listed(session, run, options);
    const waits = await waitsOf(session, run, items);
    const nowMs = Date.now();
    if (options.json === true)
      await writeJson(
        io,
        items.map((action) => ({ ...actionRecord(action, run), waitsFor: waitRecord(waits.get(action.name), nowMs) })),
      );
    else await writeActions({ items, waits, more }, nowMs, io);
    return 0;
  });
}

async function listed(
  session: Session,
  run: string,
  options: ActionsOptions,
): Promise<{ readonly items: readonly Action[]; readonly more: boolean }> {
  const { control } = session.godwit;
  const parent =
    options.parent === undefined ? null : (await control.getAction(session.scope, run, options.parent)).action.name;
  const items: Action[] = [];
  let token: string | null = null;
  do {
    const page = await control.listActions(session.scope, run, {
      ...(parent === null ? {} : { parent }),
      ...(options.phase === undefined ? {} : { phases: phasesOf(options.phase) }),
      limit: Math.min(1_000, options.limit - items.length),
      token,
    });
    items.push(...page.items);
    token = page.token;
  } while (token !== null && items.length < options.limit);
  return { items, more: token !== null };
}

/** Asked for so many at once. */
const waitsPage = 1_000;

async function waitsOf(session: Session, run: string, actions: readonly Action[]): Promise<ReadonlyMap<string, Wait>> {
  const active = actions.filter(({ phase }) => !isTerminal(phase));
  const found = new Map<string, Wait>();
  for (let from = 0; from < active.length; from += waitsPage) {
    const page = active.slice(from, from + waitsPage);
    for (const [name, wait] of await session.godwit.control.waitReasons(session.scope, run, page))
      found.set(name, wait);
  }
  return found;
}

type Listed = {
  readonly items: readonly Action[];
  readonly waits: ReadonlyMap<string, Wait>;
  readonly more: boolean;
};

async function writeActions({ items: actions, waits, more }: Listed, nowMs: number, io: Io): Promise<void> {
  if (actions.length === 0) {
    await writeLine(io.stdout, "No actions.");
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  const waitsFor = (name: string): string => {
    const wait = waits.get(name);
    return wait === undefined ? "" : printable(waitText(wait, nowMs).replace(/^waits for /, ""));
  };
  // Nobody needs an empty column.
  const waiting = (text: string): readonly string[] => (waits.size === 0 ? [] : [text]);
  const rows = actions.map((action) => [
    `${phaseSign(action.phase, paint, null)} ${"  ".repeat(Math.min(action.depth, 8))}${callText(action)}`,
    action.parent === null ? action.name : action.name.slice(0, 12),
    action.type,
    action.cacheStatus === "hit" ? "cached" : phaseWords[action.phase],
    action.attempt > 1 ? String(action.attempt) : "",
    action.startedAtMs === null ? "" : durationText((action.endedAtMs ?? nowMs) - action.startedAtMs),
    ...waiting(waitsFor(action.name)),
    action.error === null ? "" : fit(`${action.error.code}: ${printable(firstLine(action.error.message))}`, 60),
  ]);
  const heading = ["  LABEL", "ACTION", "TYPE", "PHASE", "ATTEMPT", "TOOK", ...waiting("WAITS FOR"), "ERROR"];
  const lines = table(heading, rows);
  await write(io.stdout, `${lines.join("\n")}\n`);
  if (more) await writeLine(io.stdout, paint("dim", "There are more: --limit N shows them."));
}

export async function getAction(run: string, wanted: string, options: CommonOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const view = await session.godwit.control.getAction(session.scope, run, wanted);
    const values = await actionValues(session, view.action);
    const wait = (await waitsOf(session, run, [view.action])).get(view.action.name);
    const report = view.report === null ? null : await session.godwit.blobs.path(view.report);
    if (options.json === true) {
      await writeJson(io, {
        ...actionRecord(view.action, run),
        waitsFor: waitRecord(wait, Date.now()),
        task: view.spec?.name ?? null,
        resources: view.spec === null ? null : effectiveResources(view.spec, view.action.oomFailures),
        ...values,
        attempts: view.attempts.map(attemptRecord),
        progress: view.progress,
        report,
        checkpointSizeBytes: view.checkpointSizeBytes,
      });
      return 0;
    }
    const owner = await session.godwit.control.getRun(session.scope, run);
    const paint = paintFor(io.stdout, io.env);
    await write(
      io.stdout,
      `${actionLines(view, { run: owner, values, wait, report, cwd: io.cwd, width: widthOf(io.stdout) }, paint).join("\n")}\n`,
    );
    return 0;
  });
}

type Around = {
  readonly run: Run;
  readonly values: Awaited<ReturnType<typeof actionValues>>;
  readonly wait: Wait | undefined;
  readonly report: string | null;
  readonly cwd: string;
  readonly width: number;
};

function actionLines(view: ActionView, around: Around, paint: Paint): readonly string[] {
  const { action } = view;
  const { run, values } = around;
  const extract = `godwit get output ${run.name} ${shortAction(action.name)} [NAME] --to PATH`;
  return [
    ...fields([
      ["action", action.name],
      ["run", run.name],
      [action.type === "task" ? "task" : action.type, view.spec?.name ?? action.label],
      ["parent", action.parent],
      [
        "phase",
        `${phaseSign(action.phase, paint, null)} ${phaseWords[action.phase]}${action.cacheStatus === "hit" ? " (cached)" : ""}`,
      ],
      ["why", around.wait === undefined ? null : printable(waitText(around.wait, Date.now()))],
      ["from", action.reusedFrom],
      ["attempt", action.attempt === 0 ? null : String(action.attempt)],
      [
        "took",
        action.startedAtMs === null ? null : durationText((action.endedAtMs ?? Date.now()) - action.startedAtMs),
      ],
      ["asks for", askedText(view)],
      ["progress", view.progress === null || isTerminal(action.phase) ? null : progressText(view.progress)],
      ["checkpoint", view.checkpointSizeBytes === null ? null : sizeText(view.checkpointSizeBytes)],
      ["report", around.report === null ? null : `godwit get report ${run.name} ${shortAction(action.name)}`],
    ]),
    ...attemptLines(view, around, paint),
    ...section("inputs", values.inputs, paint),
    ...(values.outputs === null
      ? []
      : [
          ...section("outputs", values.outputs, paint),
          ...(hasFiles(values.outputs) ? ["", paint("dim", `files of it: ${extract}`)] : []),
        ]),
    ...(action.error === null ? [] : ["", ...errorText(action.error, around, paint)]),
  ];
}

/** With what it got more after running out of it. */
function askedText({ spec, action }: ActionView): string | null {
  if (spec === null) return null;
  const words = resourceWords(effectiveResources(spec, action.oomFailures));
  return words.length === 0 ? null : words.join(", ");
}

function attemptLines({ attempts, action }: ActionView, around: Around, paint: Paint): readonly string[] {
  if (attempts.length === 0) return [];
  const rows = attempts.map((attempt) => [
    `  ${attempt.attempt}`,
    attempt.phase === "timed_out" ? "timed out" : attempt.phase,
    durationText(attempt.endedAtMs - attempt.startedAtMs),
    attempt.error === null ? "" : `${attempt.error.code}: ${fit(printable(firstLine(attempt.error.message)), 90)}`,
  ]);
  const log = `godwit logs ${around.run.name} ${shortAction(action.name)} --attempt all`;
  return [
    "",
    "earlier attempts:",
    ...table(["  #", "END", "TOOK", "ERROR"], rows),
    paint("dim", `  what they printed: ${log}`),
  ];
}

function section(title: string, values: { readonly [name: string]: unknown }, paint: Paint): readonly string[] {
  return Object.keys(values).length === 0
    ? []
    : ["", `${title}:`, ...valueLines(values, paint).map((line) => `  ${line}`)];
}

function errorText(error: ActionError, { run, cwd, width }: Around, paint: Paint): readonly string[] {
  const { location, origin } = error;
  return [
    `${paint("red", "error:")} ${error.code}: ${error.message}`,
    ...(origin === null
      ? []
      : [`  began in ${origin.task}, action ${shortAction(origin.action)}, attempt ${origin.attempt}`]),
    ...(location === null
      ? []
      : [`  at ${locationText(location, run, cwd)}`, ...codeFrame(location, run, { width, paint })]),
    ...userFrames(error.stack).map((frame) => paint("dim", `    ${frame}`)),
  ];
}
