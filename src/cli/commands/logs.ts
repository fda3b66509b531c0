// `godwit logs`: what the tasks of a run printed, of one action or of all.

import type { LogRead } from "../../control/control.ts";
import { type Action, isTerminal } from "../../core/action.ts";
import { usageError } from "../error-report.ts";
import { withExisting } from "../existing-session.ts";
import { Interrupted, Interrupts } from "../interrupts.ts";
import { logLine } from "../log-tails.ts";
import type { CommonOptions } from "../place.ts";
import type { Session } from "../session.ts";
import { type Io, type Paint, paintFor, writeLine } from "../terminal.ts";
import { plural } from "../text.ts";

export type LogsOptions = CommonOptions & { readonly follow?: boolean; readonly attempt?: string };

/** Logs that are followed at the same time; further actions wait until one has ended. */
const maxFollowed = 64;

export async function logs(run: string, action: string | undefined, options: LogsOptions, io: Io): Promise<number> {
  const attempt = attemptOf(options.attempt);
  return withExisting(options, io, async (session) => {
    const interrupts = new Interrupts(() => {});
    const stop = new AbortController();
    const printer = new LogPrinter(session, run, { ...options, attempt }, stop.signal);
    try {
      const work =
        action === undefined ? (options.follow === true ? printer.followAll() : printer.all()) : printer.one(action);
      await interrupts.race(work);
      return 0;
    } catch (error) {
      if (error instanceof Interrupted) return error.exitCode;
      throw error;
    } finally {
      stop.abort();
      interrupts.close();
    }
  });
}

function attemptOf(text: string | undefined): number | "all" | undefined {
  if (text === undefined || text === "all") return text;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--attempt: expected a number from 1, or all; found ${JSON.stringify(text)}`);
}

type PrintOptions = {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly attempt: number | "all" | undefined;
};

class LogPrinter {
  readonly #session: Session;
  readonly #run: string;
  readonly #options: PrintOptions;
  readonly #signal: AbortSignal;
  readonly #paint: Paint;

  constructor(session: Session, run: string, options: PrintOptions, signal: AbortSignal) {
    this.#session = session;
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
    this.#paint = paintFor(session.io.stdout, session.io.env);
  }

  async one(wanted: string): Promise<void> {
    const { action } = await this.#session.godwit.control.getAction(this.#session.scope, this.#run, wanted);
    const { attempt } = this.#options;
    if (typeof attempt === "number" && attempt > action.attempt && this.#options.follow !== true)
      throw usageError(
        `${action.label} of ${this.#run} has no attempt ${attempt}: it had ${plural(action.attempt, "attempt")} so far.`,
      );
    await this.#print(action, false);
  }

  /** Every action's, in the order in which they were called. */
  async all(): Promise<void> {
    let token: string | null = null;
    do {
      const page = await this.#session.godwit.control.listActions(this.#session.scope, this.#run, {
        limit: 200,
        token,
      });
      for (const action of page.items) if (hasLog(action)) await this.#print(action, true);
      token = page.token;
    } while (token !== null);
  }

  async followAll(): Promise<void> {
    const { control } = this.#session.godwit;
    const followed = new Set<string>();
    const open = new Set<Promise<void>>();
    for await (const { actions } of control.watchRun(this.#session.scope, this.#run, this.#signal)) {
      for (const action of actions) {
        if (!hasLog(action) || followed.has(action.name)) continue;
        followed.add(action.name);
        while (open.size >= maxFollowed) await Promise.race(open);
        const printing: Promise<void> = this.#print(action, true).finally(() => open.delete(printing));
        open.add(printing);
      }
    }
    await Promise.all(open);
  }

  async #print(action: Action, isLabelled: boolean): Promise<void> {
    const { control } = this.#session.godwit;
    const { attempt } = this.#options;
    const reads = control.logs(this.#session.scope, this.#run, action.name, {
      ...(attempt === undefined ? {} : { attempt }),
      follow: this.#options.follow === true && !isTerminal(action.phase),
      signal: this.#signal,
    });
    for await (const read of reads) await writeLine(this.#session.io.stdout, this.#text(action, read, isLabelled));
  }

  #text(action: Action, { attempt, line }: LogRead, isLabelled: boolean): string {
    if (this.#options.json === true) {
      const { name, label } = action;
      return JSON.stringify({
        action: name,
        label,
        attempt,
        at: new Date(line.atMs).toISOString(),
        stream: line.stream,
        text: line.text,
      });
    }
    return isLabelled ? logLine(action, line.text, line.stream === "stderr", this.#paint) : line.text;
  }
}

const hasLog = (action: Action): boolean =>
  action.type === "task" && action.attempt > 0 && action.cacheStatus !== "hit";
