// What the server says of itself: structured, one line of JSON each, to stderr; readable lines in `dev`.
//
// R1  No secret is ever in a line: of a URL only the path, of headers none.
import { createRequire } from "node:module";
import type { Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type Fields = { readonly [name: string]: unknown };

export type Log = {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
};

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: "json" | "text";
  readonly write: (line: string) => void;
};

export function openLog({ level, format, write }: LogOptions): Log {
  const stream = { write: format === "json" ? write : (line: string) => write(readable(line)) };
  let made: Logger | null = null;
  const say =
    (name: Exclude<LogLevel, "silent">) =>
    (fields: Fields, message: string): void => {
      if (levels.indexOf(name) < levels.indexOf(level)) return;
      made ??= loggerTo(stream, level);
      made[name](fields, message);
    };
  return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** Loaded with the first line that is said: most servers start without a word. */
function loggerTo(stream: { readonly write: (line: string) => void }, level: LogLevel): Logger {
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
      serializers: { error: errorFields },
    },
    stream,
  );
}

/** With its causes: what went wrong is mostly in the last of them. */
export function errorFields(error: unknown): Fields | string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { readonly code?: unknown }).code;
  return {
    message: error.message,
    ...(typeof code === "string" ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined ? {} : { cause: errorFields(error.cause) }),
  };
}

/** `12:03:04 warn   the message  key=value` */
function readable(line: string): string {
  const { level, time, msg, error, ...fields } = JSON.parse(line) as Fields & { readonly time: string };
  const pairs = Object.entries(fields).map(([name, value]) => `  ${name}=${plain(value)}`);
  const head = `${time.slice(11, 19)} ${String(level).padEnd(5)} ${String(msg)}${pairs.join("")}\n`;
  const stack = (error as { readonly stack?: string; readonly message?: string } | undefined)?.stack;
  return stack === undefined ? head : `${head}${stack.replace(/^/gm, "  ")}\n`;
}

const plain = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
