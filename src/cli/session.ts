// An open Godwit for the time of one command, and its closing whatever happens.
import type { Scope } from "../control/control.ts";
import type { Godwit } from "../godwit.ts";
import { readDecisions, type SettingsFlags } from "../settings/settings.ts";
import type { Io } from "./terminal.ts";

export type Session = {
  readonly godwit: Godwit;
  readonly scope: Scope;
  readonly io: Io;
  readonly dataDir: string;
  readonly notices: Notices;
  /** Whether it is a server that answers: what it does not tell is left out. */
  readonly isRemote?: boolean;
};

/** Where workers' stray lines go: to stderr, or above the tree while one is drawn. */
export class Notices {
  readonly #stderr: (text: string) => void;
  #sink: ((text: string) => void) | null = null;

  constructor(io: Io) {
    this.#stderr = (text) => void io.stderr.write(`${text}\n`);
  }

  say(text: string): void {
    (this.#sink ?? this.#stderr)(text);
  }

  divert(sink: ((text: string) => void) | null): void {
    this.#sink = sink;
  }
}

/** Given by commands that may serve a run. */
export type EngineFlags = { readonly workers?: number; readonly settings?: SettingsFlags };

export type SessionConfig = {
  readonly dataDir: string;
  readonly scope: Scope;
  readonly io: Io;
  readonly engine?: EngineFlags;
  /** A worker will be needed: it starts at once, beside everything else. */
  readonly isWarm?: boolean;
};

export async function openSession({ dataDir, scope, io, engine, isWarm }: SessionConfig): Promise<Session> {
  // Before anything is opened or made: what operators say has to be right.
  const flags = engine?.settings;
  const settings = flags === undefined ? undefined : readDecisions({ dataDir, env: io.env, flags });
  const { openGodwit } = await import("../godwit.ts");
  const notices = new Notices(io);
  const onText = (text: string): void => notices.say(text);
  const godwit = await openGodwit({
    dataDir,
    onText,
    ...(engine?.workers === undefined ? {} : { workers: engine.workers }),
    ...(settings === undefined ? {} : { settings }),
  });
  if (isWarm === true) godwit.warm();
  return { godwit, scope, io, dataDir, notices };
}
