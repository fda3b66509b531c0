// Carries a run to its end while showing it: serves it here, or follows the process that does.

import type { RunUpdate, RunView } from "../control/control.ts";
import { isTerminal } from "../core/action.ts";
import { isGodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import type { Godwit } from "../godwit.ts";
import { type Display, LiveDisplay, type Subject, silentDisplay } from "./display.ts";
import { LogTails } from "./log-tails.ts";
import { Notes } from "./notes.ts";
import { PlainDisplay } from "./plain-display.ts";
import { RunTree, type TreeNode } from "./run-tree.ts";
import type { Session } from "./session.ts";
import type { Ending } from "./summary.ts";
import { paintFor, type Screen } from "./terminal.ts";
import { printable } from "./text.ts";

export type DriveOptions = {
  readonly screen: Screen;
  readonly isQuiet: boolean;
  /** Existing actions are taken in first, so that what is told again is not counted twice. */
  readonly isNew: boolean;
  readonly startedAtMs: number;
  /** Whether the run is served by this process now, as far as it knows. */
  readonly onServing: (isHere: boolean) => void;
  readonly race: <T>(work: Promise<T>) => Promise<T>;
};

const pageSize = 1_000;
/** How often it is looked whether the process that serves the run still lives. */
const takeOverMs = 1_000;

export async function drive(session: Session, run: Run, options: DriveOptions): Promise<Ending> {
  const tree = new RunTree();
  const notes = new Notes(session, run, tree);
  const paint = paintFor(options.screen, session.io.env);
  const subject: Subject = { run: run.name, tree, notes: () => notes, nowMs: Date.now };
  const { display, plain } = displayFor(options, subject, session);
  const tails = options.isQuiet ? null : new LogTails(session, run.name, paint, (text) => display.line(text));
  if (!options.isQuiet) {
    session.notices.divert((text) => {
      for (const line of text.split("\n")) display.line(paint("yellow", printable(line)));
    });
  }
  const stop = new AbortController();
  const watching = watch({ session, run, tree, notes, display, plain, tails, options, signal: stop.signal });
  const serving = serve(session, run, options, stop.signal);
  try {
    // Serving fails only with what ends the process's work (a full disk); then watching would wait for ever.
    const last = await options.race(Promise.race([watching, failureOf(serving)]));
    // Ends the waiting for another process; what is served here ends by itself.
    stop.abort();
    await options.race(Promise.all([serving, tails?.close()]));
    return { run: last, cached: tree.cached, wallMs: Date.now() - options.startedAtMs };
  } finally {
    stop.abort();
    notes.close();
    session.notices.divert(null);
    display.end();
    // Both end soon: what they wait for has been called off, or their failure is the one already on its way.
    await Promise.allSettled([watching, tails?.stop()]);
  }
}

const failureOf = (work: Promise<void>): Promise<never> => new Promise((_, reject) => work.catch(reject));

function displayFor(
  options: DriveOptions,
  subject: Subject,
  session: Session,
): { display: Display; plain: PlainDisplay | null } {
  if (options.isQuiet) return { display: silentDisplay, plain: null };
  const paint = paintFor(options.screen, session.io.env);
  if (options.screen.isTTY === true && session.io.env.TERM !== "dumb")
    return { display: new LiveDisplay(options.screen, subject, paint), plain: null };
  const plain = new PlainDisplay(options.screen, subject, paint);
  return { display: plain, plain };
}

type Watch = {
  readonly session: Session;
  readonly run: Run;
  readonly tree: RunTree;
  readonly notes: Notes;
  readonly display: Display;
  readonly plain: PlainDisplay | null;
  readonly tails: LogTails | null;
  readonly options: DriveOptions;
  readonly signal: AbortSignal;
};

async function watch(work: Watch): Promise<RunView> {
  const { session, run, options, signal } = work;
  const { control } = session.godwit;
  const { plain } = work;
  const onWait = plain === null ? null : (node: TreeNode, text: string): void => plain.wait(node, text);
  if (!options.isQuiet) await work.notes.open({ isLive: true, onWait });
  const seenRevision = options.isNew ? 0 : await takeIn(work);
  let last: RunView | null = null;
  for await (const update of control.watchRun(session.scope, run.name, signal)) {
    last = update.run;
    await take(work, update, seenRevision);
  }
  return last !== null && isTerminal(last.phase) ? last : control.getRun(session.scope, run.name);
}

/** What there is already, parents before children. Returns the revision up to which it was taken in. */
async function takeIn({ session, run, tree, notes, tails, options }: Watch): Promise<number> {
  const { control } = session.godwit;
  const { revision } = await control.getRun(session.scope, run.name);
  let token: string | null = null;
  do {
    const page = await control.listActions(session.scope, run.name, { limit: pageSize, token });
    for (const action of page.items) {
      const change = action.revision <= revision ? tree.apply(action) : null;
      if (change?.node.phase === "running") tails?.changed(action, options.startedAtMs);
      if (change?.node.phase === "paused") await notes.prompt(change.node);
    }
    token = page.token;
  } while (token !== null);
  return revision;
}

async function take(work: Watch, update: RunUpdate, seenRevision: number): Promise<void> {
  for (const action of update.actions) {
    if (action.revision <= seenRevision) continue;
    const change = work.tree.apply(action);
    if (change !== null && change.node.phase === "paused" && !work.options.isQuiet)
      await work.notes.prompt(change.node);
    work.tails?.changed(action, work.options.startedAtMs);
    if (change !== null) work.plain?.change(change, work.tails?.lastLines(action.name) ?? null);
  }
  work.display.changed(update);
}

/**
 * Serves the run, or waits while another process does, and takes over when that one dies. A run that was
 * aborted may have left children for somebody to end.
 */
async function serve(
  { godwit, notices }: Session,
  run: Run,
  options: DriveOptions,
  signal: AbortSignal,
): Promise<void> {
  let wasStopped = false;
  while (!signal.aborted && !(await godwit.isDone(run.id))) {
    const server = await godwit.servedBy(run.id);
    if (server?.isStopped === true && !wasStopped) notices.say(stoppedText(server.pid));
    wasStopped = server?.isStopped === true;
    if (server === null) {
      options.onServing(true);
      if (await servedHere(godwit, run.id)) return;
      options.onServing(false);
    }
    await pause(takeOverMs, signal);
  }
}

/** It may be continued at any moment and would go on where it was: nobody can take over while it lives. */
const stoppedText = (pid: number): string =>
  `The process ${pid}, which serves this run, is stopped. Continue it with: kill -CONT ${pid}\nOr end it with: kill -KILL ${pid}; this one then takes over.`;

/** False if another process was quicker. */
async function servedHere(godwit: Godwit, run: number): Promise<boolean> {
  try {
    await godwit.serve(run);
    return true;
  } catch (error) {
    if (isGodwitError(error) && error.code === "already_exists") return false;
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
