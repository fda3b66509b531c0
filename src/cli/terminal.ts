// Where a command reads and writes: the process's own streams, or a test's.
import type { Readable, Writable } from "node:stream";

/** A stream that may be a terminal. */
export type Screen = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export type Io = {
  readonly stdout: Screen;
  readonly stderr: Screen;
  readonly stdin: Readable;
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
};

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Paint = (style: Style, text: string) => string;

const codes: Record<Style, readonly [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export const noPaint: Paint = (_style, text) => text;

export const colours: Paint = (style, text) =>
  text === "" ? "" : `\x1b[${codes[style][0]}m${text}\x1b[${codes[style][1]}m`;

/** https://no-color.org: any value but the empty one turns colours off. */
export function paintFor(screen: Screen, env: Io["env"]): Paint {
  const isPlain = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb" || screen.isTTY !== true;
  return isPlain ? noPaint : colours;
}

/** Columns; of what is no terminal, those that logs and mails have room for. */
export const widthOf = (screen: Screen): number => screen.columns ?? 100;

/** Writes a whole text, and resolves when the stream has taken it: pipes are slower than we are. */
export function write(screen: Screen, text: string): Promise<void> {
  return new Promise((resolve) => {
    // A reader that has gone away (EPIPE) is not our failure: see main.ts.
    screen.write(text, () => resolve());
  });
}

export const writeLine = (screen: Screen, line: string): Promise<void> => write(screen, `${line}\n`);

/** One JSON value for programs; indented when a person looks. */
export const writeJson = (io: Io, value: unknown): Promise<void> =>
  writeLine(io.stdout, JSON.stringify(value, null, io.stdout.isTTY === true ? 2 : undefined));
