// The session of a command that works on what is there: in a data directory here, or on a server.
import { type CommonOptions, existingDataDir, scopeOf } from "./place.ts";
import { openSession, type Session } from "./session.ts";
import type { Io } from "./terminal.ts";

export async function openExisting(options: CommonOptions, io: Io): Promise<Session> {
  const scope = scopeOf(options, io);
  if (options.remote === undefined) return openSession({ dataDir: existingDataDir(options, io), scope, io });
  const { remoteSession } = await import("./remote-session.ts");
  return remoteSession(options, io);
}

/** For commands that work on what is there. */
export async function withExisting<T>(
  options: CommonOptions,
  io: Io,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openExisting(options, io);
  try {
    return await work(session);
  } finally {
    await session.godwit.close();
  }
}
