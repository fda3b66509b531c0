// What tasks print, shown while they run. Following an action's log costs a reader, so there are only
// so many at once, and so many new ones a second; the rest is in `godwit logs`.
import { type Action, isTerminal } from "../core/action.ts";
import { callText } from "./call-text.ts";
import type { Session } from "./session.ts";
import type { Paint } from "./terminal.ts";
import { printable } from "./text.ts";

const maxTails = 32;
/** New tails: so many at first, then so many a second. */
const burst = 50;
const perSecond = 10;
/** Lines shown of one second; what is over is counted. */
const maxLinesPerSecond = 100;
/** How long the last lines may take to arrive after the run has ended. */
const drainMs = 1_000;

export type LogLineSink = (text: string) => void;

export class LogTails {
  readonly #session: Session;
  readonly #run: string;
  readonly #paint: Paint;
  readonly #sink: LogLineSink;
  readonly #stop = new AbortController();
  /** By action name, the attempt before its last one among them until its lines have been shown. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #seen = new Map<string, number>();
  #allowance = burst;
  #allowedAtMs = Date.now();
  #second = 0;
  #linesInSecond = 0;
  #unshown = 0;

  constructor(session: Session, run: string, paint: Paint, sink: LogLineSink) {
    this.#session = session;
    this.#run = run;
    this.#paint = paint;
    this.#sink = sink;
  }

  /** For every action that a watch tells. `sinceMs`: what ended earlier was shown by another process. */
  changed(action: Action, sinceMs: number): void {
    if (action.type !== "task" || action.attempt === 0 || action.cacheStatus === "hit") return;
    if (action.endedAtMs !== null && action.endedAtMs < sinceMs) return;
    if (action.phase !== "running" && !isTerminal(action.phase)) return;
    const before = this.#seen.get(action.name);
    if (before === action.attempt) return;
    if (!this.#mayStart()) return;
    this.#seen.set(action.name, action.attempt);
    if (this.#seen.size > 10_000) this.#seen.delete(this.#seen.keys().next().value as string);
    const earlier = this.#tails.get(action.name);
    const tail: Promise<void> = Promise.all([earlier, this.#follow(action)]).then(() => {
      if (this.#tails.get(action.name) === tail) this.#tails.delete(action.name);
    });
    this.#tails.set(action.name, tail);
  }

  /** Resolves once all that the action printed so far has been shown; null if nothing is on its way. */
  lastLines(action: string): Promise<void> | null {
    return this.#tails.get(action) ?? null;
  }

  /** Waits a moment for last lines, then lets go. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), this.#tails.size === 0 ? 0 : drainMs);
    await Promise.all(this.#tails.values());
    clearTimeout(timer);
    this.#stop.abort();
    this.#tellUnshown();
  }

  /** Lets go at once: whatever is read from is about to be closed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tails.values());
  }

  #mayStart(): boolean {
    const nowMs = Date.now();
    this.#allowance = Math.min(burst, this.#allowance + ((nowMs - this.#allowedAtMs) / 1_000) * perSecond);
    this.#allowedAtMs = nowMs;
    if (this.#tails.size >= maxTails || this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  async #follow(action: Action): Promise<void> {
    const { control } = this.#session.godwit;
    const options = { attempt: action.attempt, follow: true, signal: this.#stop.signal };
    try {
      for await (const { line } of control.logs(this.#session.scope, this.#run, action.name, options)) {
        this.#show(action, line.text, line.stream === "stderr");
      }
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#sink(this.#paint("dim", `(the log of ${action.label} cannot be shown: ${String(error)})`));
    }
  }

  #show(action: Action, text: string, isError: boolean): void {
    const second = Math.floor(Date.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#linesInSecond = 0;
      this.#tellUnshown();
    }
    if (++this.#linesInSecond > maxLinesPerSecond) this.#unshown++;
    else this.#sink(logLine(action, text, isError, this.#paint));
  }

  #tellUnshown(): void {
    if (this.#unshown > 0) this.#sink(this.#paint("dim", `… ${this.#unshown} more lines: godwit logs ${this.#run}`));
    this.#unshown = 0;
  }
}

/** Columns of the inputs that tell a line's action from its siblings. */
const inputsWidth = 20;

/** `train depth=4 │ epoch 3 loss 0.2`. */
export const logLine = (action: Action, text: string, isError: boolean, paint: Paint): string =>
  `${paint("dim", `${callText(action, inputsWidth)} │`)} ${isError ? paint("yellow", lastState(text)) : lastState(text)}`;

/** A progress bar writes over itself: of its line, what a terminal would show at the end. */
const lastState = (text: string): string => printable(text.replace(/\r+$/, "").split("\r").at(-1) ?? "");
