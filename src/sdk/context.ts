// What a task can ask about itself and tell about its progress while it runs.
import { GodwitError } from "../core/error.ts";
import type { LogLine } from "../core/messages.ts";
import { LocalCheckpoint, type TaskCheckpoint } from "./checkpoint.ts";
import { formatLine } from "./log-format.ts";
import { localReport, type TaskReport } from "./report.ts";

export type LogFields = { readonly [name: string]: unknown };

/** Lines go to the log of this attempt; `fields` follow the message as `name=value`. */
export type TaskLog = {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
};

export type Context = {
  readonly run: { readonly name: string; readonly project: string; readonly domain: string };
  /** Name of this action in its run; the root's is "a0". */
  readonly action: string;
  /** Full name of the task. */
  readonly task: string;
  /** From 1. */
  readonly attempt: number;
  /** A whole number below 2^32: the same for every attempt of this action and for the same call in another run. */
  readonly seed: number;
  /** Numbers in [0, 1) that follow from the seed: the same sequence in every attempt. */
  random(): number;
  /** Aborts when the run is aborted or the attempt's time is over. */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
  /** `fraction` from 0 to 1. Shown while the task runs; kept until the next. Durable only at the end of the attempt. */
  progress(fraction: number, message?: string): void;
  readonly checkpoint: TaskCheckpoint;
  /** A page of HTML about what the task did, kept with the action. */
  readonly report: TaskReport;
};

const levels = ["debug", "info", "warn", "error"] as const;

export function taskLog(write: (line: LogLine) => void, nowMs: () => number): TaskLog {
  const at =
    (level: (typeof levels)[number]) =>
    (message: string, fields: LogFields = {}): void =>
      write({
        atMs: nowMs(),
        stream: level === "error" || level === "warn" ? "stderr" : "stdout",
        text: formatLine(level, message, fields),
      });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state are enough for shuffles and initial weights. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** For tasks called outside a run: in unit tests, or from a script. */
export function localContext(task: string): Context {
  return {
    run: { name: "local", project: "default", domain: "development" },
    action: "a0",
    task,
    attempt: 1,
    seed: 0,
    random: randomFrom(0),
    signal: new AbortController().signal,
    log: taskLog((line) => (line.stream === "stderr" ? console.error(line.text) : console.log(line.text)), Date.now),
    progress: checkFraction,
    checkpoint: new LocalCheckpoint(),
    report: localReport(),
  };
}

export function checkFraction(fraction: number): void {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new GodwitError("invalid_argument", `progress(fraction) takes a number from 0 to 1, not ${fraction}.`);
  }
}
