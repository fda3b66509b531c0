// From a file of tasks to code that a server can run: bundled with all that it needs, loaded here once to know its
// tasks, and uploaded.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, SentCode } from "../client/client.ts";
import { inBundle } from "../core/code-graph.ts";
import type { Manifest } from "../core/task.ts";
import type { Source } from "./code.ts";
import { type CommonOptions, dataDirOf, scopeOf } from "./place.ts";
import { openSession, type Session } from "./session.ts";
import type { Io } from "./terminal.ts";

export type Sendable = {
  /** A Godwit on this machine, for the time of the command: it checks inputs, and keeps the files they name. */
  readonly session: Session;
  readonly manifest: Manifest;
  /** Uploads the code. */
  readonly send: (client: Client) => Promise<SentCode>;
};

/** Leaves no data directory behind where there was none. */
export async function withLocal<T>(
  projectDir: string,
  options: CommonOptions,
  io: Io,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const wanted = dataDirOf(options, io, projectDir);
  const borrowed = existsSync(wanted) ? null : await mkdtemp(join(tmpdir(), "godwit-"));
  const scope = scopeOf(options, io);
  const engine = { workers: 1, settings: {} };
  const session = await openSession({ dataDir: borrowed ?? wanted, scope, io, engine });
  try {
    return await work(session);
  } finally {
    await session.godwit.close();
    if (borrowed !== null) await rm(borrowed, { recursive: true, force: true });
  }
}

export function withSendable<T>(
  source: Source,
  options: CommonOptions,
  io: Io,
  work: (sendable: Sendable) => Promise<T>,
): Promise<T> {
  return withLocal(source.projectDir, options, io, async (session) => {
    session.godwit.warm();
    const { bundleFile, storeBundle } = await import("../sdk/bundle.ts");
    const bundle = await bundleFile(source.file, source.projectDir, { isPortable: true });
    const digest = await storeBundle(bundle, session.godwit.blobs);
    const described = await session.godwit.describe(digest, inBundle);
    const manifest = { ...described, entry: bundle.entry };
    return work({ session, manifest, send: (client) => client.sendCode(bundle) });
  });
}
