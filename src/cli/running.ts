// What run, resume and rerun have in common: show a run until it has ended, then print what came of it.

import type { RunView } from "../control/control.ts";
import { isSuccess, isTerminal } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { DriveOptions } from "./drive.ts";
import { codeOf, exitFailed, exitOk, messageOf } from "./error-report.ts";
import { Interrupted, Interrupts } from "./interrupts.ts";
import type { CommonOptions } from "./place.ts";
import { reportLines } from "./report-hints.ts";
import type { EngineFlags, Session } from "./session.ts";
import {
  type Ending,
  endingFailure,
  endingLine,
  failureOf,
  noActions,
  outputsOf,
  type RunSummary,
  summaryOf,
  tallyOf,
} from "./summary.ts";
import { type Io, paintFor, type Screen, write, writeJson, writeLine } from "./terminal.ts";
import { valueLines } from "./value-text.ts";

export type DisplayOptions = CommonOptions & {
  readonly quiet?: boolean;
  readonly workers?: number;
  readonly cpu?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly gpus?: string;
  readonly token?: readonly string[];
};

export type StartOptions = { readonly priority?: number; readonly maxConcurrency?: number };

/** What of them goes with a new run. */
export const startOf = ({ priority, maxConcurrency }: StartOptions): StartOptions => ({
  ...(priority === undefined ? {} : { priority }),
  ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
});

/** What flags say of the engine that this command may become. */
export const engineOf = ({ workers, token, cpu, memory, disk, gpus }: DisplayOptions): EngineFlags => ({
  ...(workers === undefined ? {} : { workers }),
  settings: {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
    ...(disk === undefined ? {} : { disk }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(token === undefined ? {} : { tokens: token }),
  },
});

/** With `--json`, stdout is for the one object, and what people watch goes to stderr. */
export const screenOf = (options: DisplayOptions, io: Io): Screen => (options.json === true ? io.stderr : io.stdout);

export type Started = {
  readonly session: Session;
  readonly run: Run;
  readonly isNew: boolean;
  /** The code bundle of what the file has now; null if nobody looked. */
  readonly currentBundle: string | null;
};

/**
 * Starts (or finds) a run, carries it to its end, prints its result. `opening` is closed in any case.
 * Returns the exit code.
 */
export async function carry(
  io: Io,
  options: DisplayOptions,
  start: (opened: (session: Session) => void) => Promise<Started>,
): Promise<number> {
  const startedAtMs = Date.now();
  const screen = screenOf(options, io);
  let session: Session | null = null;
  let run: Run | null = null;
  let isServing = false;
  const interrupts = new Interrupts(() => {
    if (screen.isTTY === true) screen.write("\x1b[?25h");
  });
  try {
    const started = await interrupts.race(
      start((opened) => {
        session = opened;
      }),
    );
    ({ session, run } = started);
    const driving: DriveOptions = {
      screen,
      isQuiet: options.quiet === true,
      isNew: started.isNew,
      startedAtMs,
      onServing: (isHere) => {
        isServing = isHere;
      },
      race: (work) => interrupts.race(work),
    };
    if (!options.quiet) await announce(started, screen, io);
    const { drive } = await import("./drive.ts");
    const ending = await drive(started.session, run, driving);
    return await tell(started.session, ending, options);
  } catch (error) {
    if (error instanceof Interrupted) {
      const stopped = {
        error,
        run: run === null ? null : await latest(session, run),
        wallMs: Date.now() - startedAtMs,
      };
      const isElsewhere = !isServing && (await isServed(session, run));
      await writeLine(io.stderr, stoppedText(stopped, isElsewhere));
      if (options.json === true) await writeJson(io, stoppedSummary(stopped));
      return error.exitCode;
    }
    if (options.json === true) await writeJson(io, errorSummary(error, run, Date.now() - startedAtMs));
    throw error;
  } finally {
    await (session as Session | null)?.godwit.close();
    interrupts.close();
  }
}

async function announce(started: Started, screen: Screen, io: Io): Promise<void> {
  const paint = paintFor(screen, io.env);
  await writeLine(screen, paint("dim", `run ${started.run.name}${await beginning(started)}`));
  const { run, currentBundle } = started;
  if (currentBundle !== null && currentBundle !== run.bundle) await writeLine(screen, paint("yellow", oldCode(run)));
}

/** A run is pinned to its code; whoever has edited it meanwhile might expect otherwise. */
const oldCode = ({ name, phase }: Run): string =>
  `The code has changed since this run was started: ${
    isTerminal(phase) ? "its result is that of" : "it goes on with"
  } the code recorded then. New code: godwit rerun ${name}`;

async function beginning({ session, run, isNew }: Started): Promise<string> {
  if (isNew) return "";
  if (isTerminal(run.phase)) return " (has ended before)";
  // A server serves it, and does not tell whether it was there.
  if (session.isRemote === true) return "";
  return (await session.godwit.isServed(run.id)) ? " (another process serves it; shown here)" : " (resumed)";
}

async function tell(session: Session, ending: Ending, options: DisplayOptions): Promise<number> {
  const { io } = session;
  const failure = await failureOf(session, ending.run);
  const isGood = isSuccess(ending.run.phase);
  const screen = screenOf(options, io);
  if (!options.quiet) await writeLine(screen, endingLine(ending, paintFor(screen, io.env)));
  if (options.json === true) await writeJson(io, await summaryOf(session, ending, failure));
  else if (isGood) {
    const lines = valueLines(await outputsOf(session, ending.run.name), paintFor(io.stdout, io.env));
    const hints = options.quiet === true ? [] : await reportLines(session, ending.run.name, paintFor(screen, io.env));
    const all = [...lines, ...hints];
    if (all.length > 0) await write(io.stdout, `${all.join("\n")}\n`);
  }
  if (!isGood) {
    const lines = endingFailure(session, ending.run, failure, io.stderr);
    if (lines.length > 0) await write(io.stderr, `${lines.join("\n")}\n`);
  }
  return isGood ? exitOk : exitFailed;
}

type Stopped = { readonly error: Interrupted; readonly run: RunView | null; readonly wallMs: number };

/** As it is when the person lets go of it. */
const latest = async (session: Session | null, run: Run): Promise<RunView> =>
  session === null ? { ...run, counts: {} } : session.godwit.control.getRun(session.scope, run.name);

const isServed = async (session: Session | null, run: Run | null): Promise<boolean> =>
  session !== null && run !== null && (await session.godwit.isServed(run.id));

function stoppedText({ error, run }: Stopped, isElsewhere: boolean): string {
  if (run === null) return `${error.message} Nothing had been started.`;
  if (isElsewhere)
    return `${error.message} The run goes on in the process that serves it; this one only showed it. To end the run: godwit abort ${run.name}`;
  return `${error.message} The run goes on with: godwit resume ${run.name}`;
}

const stoppedSummary = ({ error, run, wallMs }: Stopped): RunSummary => ({
  ...errorSummary(error, run, wallMs),
  error: { code: "canceled", message: error.message, action: null, attempt: null, location: null },
  actions: run === null ? noActions : tallyOf(run.counts, 0),
});

export function errorSummary(error: unknown, run: Run | null, wallMs: number): RunSummary {
  return {
    run: run?.name ?? null,
    phase: run?.phase ?? null,
    outputs: null,
    error: { code: codeOf(error), message: messageOf(error), action: null, attempt: null, location: null },
    actions: noActions,
    wallMs,
  };
}
